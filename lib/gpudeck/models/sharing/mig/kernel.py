"""The compiled loops of packing requests onto GPUs and of letting them come and go.

A GPU is a number of a state; GPUs of one state hang on a doubly linked list, so that a step costs a
look at the states and not at the GPUs. Columns of ``order`` hold states in the order of preference,
−1 behind the last.
"""

from heapq import heappop, heappush

import numpy as np
from numba import njit

# Rows of ``times``: when a request got its instance, works on it, and leaves it destroyed.
GRANTED, READY, RELEASED = range(3)


@njit(cache=True)
def push(head, following, previous, state, gpu):
    """Hang a GPU on the list of its state, at the front."""
    first = head[state]
    following[gpu] = first
    previous[gpu] = -1
    if first >= 0:
        previous[first] = gpu
    head[state] = gpu


@njit(cache=True)
def drop(head, following, previous, state, gpu):
    """Take a GPU off the list of its state."""
    before, after = previous[gpu], following[gpu]
    if before >= 0:
        following[before] = after
    else:
        head[state] = after
    if after >= 0:
        previous[after] = before


@njit(cache=True)
def pack(requests, limit, order, after, start):
    """Place requests one after the other: on the first state of the order that some GPU is in.

    ``requests`` holds profile indices in the order of packing; the empty state, 0, is last in every
    order, so that a new GPU is opened only where no used one can take the request.
    """
    count = len(requests)
    gpu = np.full(count, -1, np.int64)
    at = np.full(count, -1, np.int64)
    head = np.full(after.shape[0], -1, np.int64)
    following = np.full(limit, -1, np.int64)
    previous = np.full(limit, -1, np.int64)
    opened = 0
    for i in range(count):
        p = requests[i]
        for k in range(order.shape[1]):
            state = order[p, k]
            if state < 0:
                break
            if state == 0:
                if opened == limit:
                    break
                chosen = opened
                opened += 1
            else:
                chosen = head[state]
                if chosen < 0:
                    continue
                drop(head, following, previous, state, chosen)
            gpu[i] = chosen
            at[i] = start[state, p]
            push(head, following, previous, after[state, p, at[i]], chosen)
            break
    return gpu, at


@njit(cache=True)
def serve_instances(profile, arrival_s, duration_s, instances):
    """Serve requests first come, first served on instances that never change; −1 if there is none.

    Returns the times at which each request gets its instance and leaves it.
    """
    count = len(profile)
    granted = np.full(count, np.inf)
    released = np.full(count, np.inf)
    for p in range(len(instances)):
        if instances[p] == 0:
            continue
        free_s = [0.0 for _ in range(instances[p])]
        for i in range(count):
            if profile[i] == p:
                granted[i] = max(arrival_s[i], heappop(free_s))
                released[i] = granted[i] + duration_s[i]
                heappush(free_s, released[i])
    return granted, released


@njit(cache=True)
def make_pool(gpus, states, slices, count):
    """Return a pool of empty GPUs: the state of each, their lists, who holds what, who is where."""
    head = np.full(states, -1, np.int64)
    following = np.full(gpus, -1, np.int64)
    previous = np.full(gpus, -1, np.int64)
    for g in range(gpus - 1, -1, -1):
        push(head, following, previous, 0, g)
    return (
        np.zeros(gpus, np.int64),
        head,
        following,
        previous,
        np.full((gpus, slices), -1, np.int64),
        np.full(count, -1, np.int64),
        np.full(count, -1, np.int64),
    )


@njit(cache=True)
def attach(pool, tables, r, p, g, at):
    """Create an instance of profile p for request r on GPU g."""
    state, head, following, previous, holder, gpu, begin = pool
    drop(head, following, previous, state[g], g)
    state[g] = tables[1][state[g], p, at]
    push(head, following, previous, state[g], g)
    holder[g, at] = r
    gpu[r] = g
    begin[r] = at


@njit(cache=True)
def detach(pool, tables, r):
    """Destroy the instance of request r."""
    state, head, following, previous, holder, gpu, begin = pool
    g, at = gpu[r], begin[r]
    drop(head, following, previous, state[g], g)
    state[g] = tables[2][state[g], at]
    push(head, following, previous, state[g], g)
    holder[g, at] = -1
    gpu[r] = -1


@njit(cache=True)
def place_request(pool, tables, r, p):
    """Create an instance for request r on the first GPU of the order; say if there was one."""
    order, start, head = tables[0], tables[3], pool[1]
    for k in range(order.shape[1]):
        state = order[p, k]
        if state < 0:
            return False
        if head[state] >= 0:
            attach(pool, tables, r, p, head[state], start[state, p])
            return True
    return False


@njit(cache=True)
def earliest(queue, first, last, tried):
    """Return the profile whose first waiting request came first, of those not tried; −1 if none."""
    found = -1
    for p in range(len(first)):
        waits = first[p] < last[p] and not tried[p]
        if waits and (found < 0 or queue[p, first[p]] < queue[found, first[found]]):
            found = p
    return found


@njit(cache=True)
def serve_gpus(  # noqa: PLR0915 - the event loop: split, its state would travel in tuples
    profile, arrival_s, duration_s, gpus, tables, moves_allowed, create_s, destroy_s, stall_s
):
    """Let requests come and go; an instance is created when a request gets it, destroyed after it.

    Waiting requests are tried in the order of their arrival, whenever one comes or goes. With
    ``moves_allowed`` a request that finds no place may have instances of one GPU restarted
    elsewhere: the fewest compute slices first. All of them, and the request, then wait ``stall_s``.

    Returns the times of grant and release, and (time, request) of every restart.
    """
    count, kinds = len(profile), tables[0].shape[0]
    pool = make_pool(gpus, tables[1].shape[0], tables[2].shape[1], count)
    times = np.full((3, count), np.inf)
    queue = np.full((kinds, count), -1, np.int64)
    first, last = np.zeros(kinds, np.int64), np.zeros(kinds, np.int64)
    # a first element tells numba the type
    leaving, restarts = [(0.0, -1)], [(0.0, -1)]
    leaving.pop()
    restarts.pop()
    came = 0
    while came < count or len(leaving) > 0:
        if len(leaving) > 0 and (came == count or leaving[0][0] <= arrival_s[came]):
            now, r = heappop(leaving)
            # one that was restarted leaves later, and once
            if times[RELEASED, r] != now or pool[5][r] < 0:
                continue
            detach(pool, tables, r)
        else:
            now, p = arrival_s[came], profile[came]
            queue[p, last[p]] = came
            last[p] += 1
            came += 1
        moving = False
        tried = np.zeros(kinds, np.bool_)
        while True:
            p = earliest(queue, first, last, tried)
            if p < 0:
                if moving or not moves_allowed:
                    break
                moving = True
                tried[:] = False
                continue
            r = queue[p, first[p]]
            if moving:
                costs = destroy_s, stall_s
                placed = make_room(
                    pool, tables, r, p, now, profile, times, leaving, restarts, costs
                )
            else:
                placed = place_request(pool, tables, r, p)
            tried[p] = not placed
            if placed:
                times[GRANTED, r] = now
                times[READY, r] = now + (stall_s if moving else create_s)
                times[RELEASED, r] = times[READY, r] + duration_s[r] + destroy_s
                heappush(leaving, (times[RELEASED, r], r))
                first[p] += 1
                moving = False
                tried[:] = False
    return times[GRANTED], times[RELEASED], restarts


@njit(cache=True)
def list_gpus(pool, state):
    """Copy the GPUs of a state: trying and taking back changes the order of their list."""
    count, g = 0, pool[1][state]
    while g >= 0:
        count += 1
        g = pool[2][g]
    found = np.empty(count, np.int64)
    g = pool[1][state]
    for i in range(count):
        found[i] = g
        g = pool[2][g]
    return found


@njit(cache=True)
def list_movable(pool, bits, g, now, times, costs):
    """Return the requests at the starts of ``bits`` on a GPU, or none if one of them has to stay.

    One stays that does not run yet, or that is done sooner than it would be moved.
    """
    holder = pool[4]
    destroy_s, stall_s = costs
    found = np.empty(holder.shape[1], np.int64)
    count = 0
    for at in range(holder.shape[1]):
        if (bits >> at) & 1:
            r = holder[g, at]
            left_s = times[RELEASED, r] - destroy_s - now
            if times[READY, r] > now or left_s <= stall_s:
                return found[:0]
            found[count] = r
            count += 1
    return found[:count]


@njit(cache=True)
def make_room(pool, tables, r, p, now, profile, times, leaving, restarts, costs):
    """Restart instances of one GPU elsewhere so that request r finds a place; say if it did."""
    victims, move_order = tables[4], tables[5]
    for k in range(move_order.shape[1]):
        s = move_order[p, k]
        if s < 0:
            break
        for g in list_gpus(pool, s):
            movable = list_movable(pool, victims[s, p], g, now, times, costs)
            if len(movable) > 0:
                if not try_move(pool, tables, r, p, g, movable, profile):
                    break  # another GPU of this state has the same to move, and fails alike
                for v in movable:
                    times[READY, v] = now + costs[1]
                    times[RELEASED, v] += costs[1]
                    heappush(leaving, (times[RELEASED, v], v))
                    restarts.append((now, v))
                return True
    return False


@njit(cache=True)
def try_move(pool, tables, r, p, g, movable, profile):
    """Put request r on GPU g and the movable ones elsewhere; if one finds no place, undo it all."""
    old = np.empty(len(movable), np.int64)
    for i in range(len(movable)):
        old[i] = pool[6][movable[i]]
        detach(pool, tables, movable[i])
    attach(pool, tables, r, p, g, tables[3][pool[0][g], p])
    for i in range(len(movable)):
        if not place_request(pool, tables, movable[i], profile[movable[i]]):
            for j in range(i):
                detach(pool, tables, movable[j])
            detach(pool, tables, r)
            for j in range(len(movable)):
                attach(pool, tables, movable[j], profile[movable[j]], g, old[j])
            return False
    return True
