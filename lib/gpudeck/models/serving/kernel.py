"""Compiled loop of the engines that re-form their batch each iteration, on one or more replicas.

Sequences that decode move in lockstep: each takes one token in every decoding iteration. So nothing
has to loop over the batch. With D the number of decoding iterations so far, a sequence that joined
at D0 with n tokens left ends when D = D0 + n (a ring of lists tells who ends when); its context is
P + D - D0, so the sum of contexts grows by the batch each time; and it opens a block when
P + D - D0 is a multiple of the block size, so that counts by phase tell how many blocks an
iteration needs. An iteration costs O(1), a request O(1) plus its hashed blocks.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

PAGED, CHUNKED, CONTINUOUS = 0, 1, 2
ROUND_ROBIN, LEAST_OUTSTANDING, PREFIX_AWARE = 0, 1, 2
# how many more requests may wait where the longest cached run is
PREFIX_IMBALANCE = 8
# columns of a replica's whole numbers; USED and CACHED count blocks (tokens, if contiguous), TWICE
# the tokens that contexts have in common: each sharer of a piece but the first adds them
(
    HEAD, TAIL, STACK, D, DECODES, RUNNING, NEWEST, USED, CACHED, CONTEXT, PART, PART_DONE, OPEN,
    TWICE,
) = range(14)  # fmt: skip
# what a run has come to, and what it wants to go on
PUSHED, LOGGED, PARTS, BATCHES = range(4)
NOTHING, MORE_LOG, MORE_PARTS = range(3)
# columns of its decimals
NOW, LAST_END, CAP, GAP_SUM, GAPS = range(5)
NOBODY = -1


class Rules(NamedTuple):
    """What an engine does, as numbers; seconds, tokens, blocks."""

    policy: int
    max_batch: int
    max_batch_tokens: int
    chunk_tokens: int
    block_size: int
    blocks: int
    watermark: int
    unit_blocks: int  # blocks of one hashed piece of a prompt
    caching: bool
    given: bool  # whether the cache of any request comes from elsewhere
    overhead_s: float
    adaptive: bool
    objective_s: float
    increase: float
    decrease: float
    window: int
    min_batch: int
    start_batch: int


class Times(NamedTuple):
    """Step times; see `StepTime`. `attention`: chunk, work, decode step, request, token."""

    linear_s: NDArray
    head_s: NDArray
    attention: NDArray


# Tables are arrays of records: an array for each column would cost more to hand on than to read.
# Requests in order of arrival: `context` is the prompt, and after a preemption what has to be
# recomputed with it; `left` tokens are to come; contiguous engines take `reserve`; the cache of
# those `prefilled` comes from elsewhere; `shared` counts the hashed pieces that it may share;
# `older` and `newer` link the running, `end_prev` and `end_next` those that end together.
ROW = np.dtype(
    [
        ("arrival", np.float64), ("first", np.float64), ("finish", np.float64),
        ("joined_s", np.float64), ("joined_d", np.int64), ("context", np.int64),
        ("left", np.int64), ("reserve", np.int64), ("preemptions", np.int64),
        ("cached", np.int64), ("shared", np.int64), ("older", np.int64), ("newer", np.int64),
        ("end_prev", np.int64), ("end_next", np.int64), ("prefilled", np.int64),
    ]
)  # fmt: skip
# one record an iteration: a run of a million requests has tens of millions
ITERATION = np.dtype(
    [
        ("start_s", np.float64), ("end_s", np.float64), ("prefill_s", np.float64),
        ("kv_tokens", np.int64), ("kv_live_tokens", np.int64), ("decodes", np.int32),
        ("prefills", np.int32), ("tokens", np.int32), ("prefill_tokens", np.int32),
        ("cap", np.int32), ("iteration_replica", np.int32),
    ]
)  # fmt: skip
# one record for each stretch in which a sequence decodes: iterations after `after_d`, to `to_d`
SEGMENT = np.dtype(
    [
        ("row", np.int64), ("joined_s", np.float64), ("after_d", np.int64), ("to_d", np.int64),
        ("replica", np.int64),
    ]
)  # fmt: skip


class Replicas(NamedTuple):
    """State of each replica, first axis; `lru` rings have their anchor in the last column."""

    whole: NDArray
    decimal: NDArray
    queue: NDArray
    stack: NDArray
    ends: NDArray
    phase: NDArray
    resident: NDArray
    references: NDArray
    lru_prev: NDArray
    lru_next: NDArray
    hash_offsets: NDArray  # of each request's pieces in `hashes`
    hashes: NDArray
    holds: NDArray  # which of them it shares, as `hashes`


@njit(cache=True)
def interpolate(table, count):
    """Value of a table at a count; beyond its end on with the last slope."""
    last = table.size - 1
    if count <= last:
        return table[count]
    if last == 0:
        return table[0]
    return table[last] + (count - last) * (table[last] - table[last - 1])


@njit(cache=True)
def time_step(times, tokens, sampling, chunks, work, decodes, context):
    """Seconds of one iteration, without the engine's overhead."""
    seconds = interpolate(times.linear_s, tokens) + interpolate(times.head_s, sampling)
    seconds += times.attention[0] * chunks + times.attention[1] * work
    if decodes > 0:
        seconds += times.attention[2] + times.attention[3] * decodes + times.attention[4] * context
    return seconds


@njit(cache=True)
def _blocks_of(rules, tokens):
    return (tokens + rules.block_size - 1) // rules.block_size


@njit(cache=True)
def _leave_lru(reps, rep, unit):
    a, b = reps.lru_prev[rep, unit], reps.lru_next[rep, unit]
    reps.lru_next[rep, a] = b
    reps.lru_prev[rep, b] = a


@njit(cache=True)
def _enter_lru(reps, rep, unit):
    anchor = reps.lru_prev.shape[1] - 1
    last = reps.lru_prev[rep, anchor]
    reps.lru_next[rep, last] = unit
    reps.lru_prev[rep, unit] = last
    reps.lru_next[rep, unit] = anchor
    reps.lru_prev[rep, anchor] = unit


@njit(cache=True)
def _evict(rules, reps, rep):
    """Forget the least recently used pieces until what is used and what is cached fit."""
    whole = reps.whole[rep]
    anchor = reps.lru_prev.shape[1] - 1
    while whole[USED] + whole[CACHED] > rules.blocks:
        unit = reps.lru_next[rep, anchor]
        _leave_lru(reps, rep, unit)
        reps.resident[rep, unit] = 0
        whole[CACHED] -= rules.unit_blocks


@njit(cache=True)
def _count_hits(rules, rows, reps, rep, row):
    """Leading pieces of the prompt that are cached; one token at least is left to compute."""
    start = reps.hash_offsets[row]
    unit_tokens = rules.unit_blocks * rules.block_size
    most = min(reps.hash_offsets[row + 1] - start, (rows.context[row] - 1) // unit_tokens)
    hits = 0
    while hits < most and reps.resident[rep, reps.hashes[start + hits]] == 1:
        hits += 1
    return hits


@njit(cache=True)
def _admit(rules, rows, reps, rep, row):
    """Give a request its memory; return how many of its tokens are cached, or -1: no room."""
    whole = reps.whole[rep]
    spare = rules.watermark if whole[RUNNING] > 0 else 0
    hits, waking = 0, 0
    if rules.policy == CONTINUOUS:
        want = rows.reserve[row]
    else:
        want = _blocks_of(rules, rows.context[row])
        if rules.caching:
            hits = _count_hits(rules, rows, reps, rep, row)
            start = reps.hash_offsets[row]
            for i in range(start, start + hits):
                waking += reps.references[rep, reps.hashes[i]] == 0
            want -= hits * rules.unit_blocks
    if want + spare > rules.blocks - whole[USED] - waking * rules.unit_blocks:
        return -1
    if rules.caching:
        start = reps.hash_offsets[row]
        for i in range(start, start + hits):
            unit = reps.hashes[i]
            if reps.references[rep, unit] == 0:
                _leave_lru(reps, rep, unit)
                whole[CACHED] -= rules.unit_blocks
                whole[USED] += rules.unit_blocks
            else:
                whole[TWICE] += rules.unit_blocks * rules.block_size
            reps.references[rep, unit] += 1
            reps.holds[i] = 1
        rows.shared[row] = hits
    whole[USED] += want
    _evict(rules, reps, rep)
    newest = whole[NEWEST]
    rows.older[row] = newest
    rows.newer[row] = NOBODY
    if newest != NOBODY:
        rows.newer[newest] = row
    whole[NEWEST] = row
    whole[RUNNING] += 1
    return hits * rules.unit_blocks * rules.block_size


@njit(cache=True)
def _share_prompt(rules, rows, reps, rep, row):
    """Let others find the whole pieces of a prompt that has been computed."""
    start = reps.hash_offsets[row]
    unit_tokens = rules.unit_blocks * rules.block_size
    pieces = min(reps.hash_offsets[row + 1] - start, rows.context[row] // unit_tokens)
    for i in range(start + rows.shared[row], start + pieces):
        unit = reps.hashes[i]
        if reps.resident[rep, unit] == 0:
            reps.resident[rep, unit] = 1
            reps.references[rep, unit] = 1
            reps.holds[i] = 1
    rows.shared[row] = max(rows.shared[row], pieces)


@njit(cache=True)
def _release(rules, rows, reps, rep, row, stored):
    """Take a request out and give back the memory of its `stored` tokens."""
    whole = reps.whole[rep]
    a, b = rows.older[row], rows.newer[row]
    if a != NOBODY:
        rows.newer[a] = b
    if b != NOBODY:
        rows.older[b] = a
    else:
        whole[NEWEST] = a
    whole[RUNNING] -= 1
    if rules.policy == CONTINUOUS:
        whole[USED] -= rows.reserve[row]
        return
    whole[USED] -= _blocks_of(rules, stored)
    if rules.caching:
        start = reps.hash_offsets[row]
        # the tail goes first into the queue of what may be forgotten
        for i in range(start + rows.shared[row] - 1, start - 1, -1):
            if reps.holds[i] == 1:
                reps.holds[i] = 0
                unit = reps.hashes[i]
                reps.references[rep, unit] -= 1
                if reps.references[rep, unit] == 0:
                    _enter_lru(reps, rep, unit)
                    whole[CACHED] += rules.unit_blocks
                else:
                    whole[USED] += rules.unit_blocks
                    whole[TWICE] -= rules.unit_blocks * rules.block_size
        rows.shared[row] = 0


@njit(cache=True)
def _phase_of(rules, rows, row):
    return (rows.joined_d[row] - rows.context[row] + 1) % rules.block_size


@njit(cache=True)
def _join(rules, rows, reps, rep, row, emitted_s):
    """Let a sequence decode from the next decoding iteration on."""
    whole = reps.whole[rep]
    rows.joined_s[row] = emitted_s
    rows.joined_d[row] = whole[D]
    at = (whole[D] + rows.left[row]) & (reps.ends.shape[1] - 1)
    follower = reps.ends[rep, at]
    rows.end_prev[row] = NOBODY
    rows.end_next[row] = follower
    if follower != NOBODY:
        rows.end_prev[follower] = row
    reps.ends[rep, at] = row
    reps.phase[rep, _phase_of(rules, rows, row)] += 1
    whole[DECODES] += 1
    whole[CONTEXT] += rows.context[row]


@njit(cache=True)
def _leave(rules, rows, reps, rep, row):
    """Take a sequence out of those that decode; return its tokens in the cache."""
    whole = reps.whole[rep]
    at = (rows.joined_d[row] + rows.left[row]) & (reps.ends.shape[1] - 1)
    a, b = rows.end_prev[row], rows.end_next[row]
    if a != NOBODY:
        rows.end_next[a] = b
    else:
        reps.ends[rep, at] = b
    if b != NOBODY:
        rows.end_prev[b] = a
    stored = rows.context[row] + whole[D] - rows.joined_d[row]
    reps.phase[rep, _phase_of(rules, rows, row)] -= 1
    whole[DECODES] -= 1
    whole[CONTEXT] -= stored
    return stored


@njit(cache=True)
def _add_segment(rows, parts, count, rep, row, to_d):
    parts.row[count] = row
    parts.joined_s[count] = rows.joined_s[row]
    parts.after_d[count] = rows.joined_d[row]
    parts.to_d[count] = to_d
    parts.replica[count] = rep


@njit(cache=True)
def _preempt(rules, rows, reps, rep, parts, count):
    """Stop the newest request; it will be recomputed. Return the number of segments."""
    whole = reps.whole[rep]
    row = whole[NEWEST]
    if row == whole[PART]:
        whole[PART] = NOBODY
        _release(rules, rows, reps, rep, row, rows.context[row])
    else:
        _add_segment(rows, parts, count, rep, row, whole[D])
        count += 1
        made = whole[D] - rows.joined_d[row]
        stored = _leave(rules, rows, reps, rep, row)
        _release(rules, rows, reps, rep, row, stored)
        # its last token is made, but not yet in the cache
        rows.context[row] = stored + 1
        rows.left[row] -= made
    rows.preemptions[row] += 1
    reps.stack[rep, whole[STACK]] = row
    whole[STACK] += 1
    return count


@njit(cache=True)
def _secure_blocks(rules, rows, reps, rep, parts, count):
    """Open the blocks that the next decoding needs, preempting while there are too few."""
    whole = reps.whole[rep]
    at = (whole[D] + 1) % rules.block_size
    while reps.phase[rep, at] > rules.blocks - whole[USED]:
        count = _preempt(rules, rows, reps, rep, parts, count)
    whole[USED] += reps.phase[rep, at]
    _evict(rules, reps, rep)
    return count


@njit(cache=True)
def _next_row(rows, reps, rep):
    """The request to admit next: one that was preempted, or the oldest that has arrived."""
    whole = reps.whole[rep]
    if whole[STACK] > 0:
        return reps.stack[rep, whole[STACK] - 1]
    if whole[HEAD] < whole[TAIL]:
        row = reps.queue[rep, whole[HEAD]]
        if rows.arrival[row] <= reps.decimal[rep, NOW]:
            return row
    return NOBODY


@njit(cache=True)
def _take_row(reps, rep):
    whole = reps.whole[rep]
    if whole[STACK] > 0:
        whole[STACK] -= 1
    else:
        whole[HEAD] += 1


@njit(cache=True)
def _start_given(rules, rows, reps, rep):
    """Admit requests at the queue's head whose cache came from elsewhere; they decode at once.

    One behind a prompt waits for the iteration after, and those behind it wait with it.
    """
    whole = reps.whole[rep]
    cap = np.int64(reps.decimal[rep, CAP])
    while whole[PART] == NOBODY and whole[STACK] == 0 and whole[RUNNING] < cap:
        row = _next_row(rows, reps, rep)
        if row == NOBODY or rows.prefilled[row] == 0:
            return
        if _admit(rules, rows, reps, rep, row) < 0:
            return
        _take_row(reps, rep)
        rows.prefilled[row] = 0
        _join(rules, rows, reps, rep, row, rows.first[row])


@njit(cache=True)
def _fill(rules, rows, reps, rep, decoding, done, waiting):  # noqa: PLR0915 - one loop
    """Put prompts into an iteration; return tokens, chunks, attention work, prompts completed.

    `decoding`: sequences that decode in it. `waiting`: how many were to be recomputed before it;
    none is admitted if there are more now.
    """
    whole = reps.whole[rep]
    limit = rules.chunk_tokens if rules.policy == CHUNKED else rules.max_batch_tokens
    cap = np.int64(reps.decimal[rep, CAP])
    room = limit - decoding
    tokens, chunks, work, completed = 0, 0, 0.0, 0
    while rules.policy != CHUNKED or room > 0:
        row = whole[PART]
        if row == NOBODY:
            row = _next_row(rows, reps, rep)
            if row == NOBODY or whole[RUNNING] >= cap or whole[STACK] > waiting:
                break
            if rows.prefilled[row] == 1:
                break
            if rules.policy != CHUNKED and tokens > 0:
                # a prompt larger than the limit goes alone
                new = rows.context[row]
                if rules.caching:
                    unit_tokens = rules.unit_blocks * rules.block_size
                    new -= _count_hits(rules, rows, reps, rep, row) * unit_tokens
                if new > room:
                    break
            begin = _admit(rules, rows, reps, rep, row)
            if begin < 0:
                break
            _take_row(reps, rep)
            rows.cached[row] += begin
            whole[PART] = row
            whole[PART_DONE] = begin
        chunk = rows.context[row] - whole[PART_DONE]
        if rules.policy == CHUNKED:
            chunk = min(chunk, room)
        work += chunk * (whole[PART_DONE] + 0.5 * chunk)
        chunks += 1
        tokens += chunk
        room -= chunk
        whole[PART_DONE] += chunk
        if whole[PART_DONE] < rows.context[row]:
            break
        whole[PART] = NOBODY
        done[completed] = row
        completed += 1
    return tokens, chunks, work, completed


@njit(cache=True)
def _adapt(rules, reps, rep, gap_s):
    """Move the batch cap by the latency: additive increase, multiplicative decrease."""
    decimal = reps.decimal[rep]
    decimal[GAP_SUM] += gap_s
    decimal[GAPS] += 1
    if decimal[GAPS] < rules.window:
        return
    mean = decimal[GAP_SUM] / decimal[GAPS]
    decimal[GAP_SUM] = 0.0
    decimal[GAPS] = 0
    cap = decimal[CAP]
    if mean > rules.objective_s:
        cap = max(rules.min_batch, cap * rules.decrease)
    elif reps.whole[rep, RUNNING] >= np.int64(cap):
        # it says nothing about a larger batch unless this one was full
        cap = min(rules.max_batch, cap + rules.increase)
    decimal[CAP] = cap


@njit(cache=True)
def advance(  # noqa: PLR0915 - one loop
    rules, times, rows, reps, rep, until_s, log, logged, parts, count, done
):
    """Run one replica's iterations that start before `until_s`.

    Returns the number of log entries and of segments, and which of them wants more room.
    """
    whole, decimal = reps.whole[rep], reps.decimal[rep]
    while True:
        if whole[RUNNING] == 0 and whole[STACK] == 0:
            if whole[HEAD] == whole[TAIL]:
                return logged, count, NOTHING
            decimal[NOW] = max(decimal[NOW], rows.arrival[reps.queue[rep, whole[HEAD]]])
            decimal[LAST_END] = -1.0
        if decimal[NOW] >= until_s:
            return logged, count, NOTHING
        # those admitted in this iteration may end in it too
        if count + done.size > parts.size:
            return logged, count, MORE_PARTS
        if logged == log.size:
            return logged, count, MORE_LOG
        decodes, tokens, chunks, work, completed = 0, 0, 0, 0.0, 0
        waiting = whole[STACK]
        # most iterations only decode, and a call costs more than they do
        prompts = whole[PART] != NOBODY or waiting > 0
        if not prompts and whole[HEAD] < whole[TAIL] and whole[RUNNING] < np.int64(decimal[CAP]):
            prompts = rows.arrival[reps.queue[rep, whole[HEAD]]] <= decimal[NOW]
        if prompts and rules.given:
            _start_given(rules, rows, reps, rep)
        if prompts and rules.policy == PAGED:
            tokens, chunks, work, completed = _fill(rules, rows, reps, rep, 0, done, waiting)
        if tokens == 0 and whole[DECODES] > 0:
            if rules.policy != CONTINUOUS and reps.phase[rep, (whole[D] + 1) % rules.block_size]:
                count = _secure_blocks(rules, rows, reps, rep, parts, count)
            decodes = whole[DECODES]
        if prompts and rules.policy != PAGED:
            tokens, chunks, work, completed = _fill(rules, rows, reps, rep, decodes, done, waiting)
        context = whole[CONTEXT] + decodes if decodes > 0 else 0
        start = decimal[NOW]
        sampling = decodes + completed
        seconds = rules.overhead_s + time_step(
            times, tokens + decodes, sampling, chunks, work, decodes, context
        )
        alone = 0.0
        if decodes > 0 and tokens > 0:
            alone = rules.overhead_s + time_step(times, decodes, decodes, 0, 0.0, decodes, context)
        end = start + seconds
        decimal[NOW] = end
        live = context if decodes > 0 else whole[CONTEXT]
        if whole[PART] != NOBODY:
            live += whole[PART_DONE]
        for i in range(completed):
            live += rows.context[done[i]]
        log.start_s[logged] = start
        log.end_s[logged] = end
        log.prefill_s[logged] = seconds - alone if tokens > 0 else 0.0
        log.kv_tokens[logged] = whole[USED] * rules.block_size
        log.kv_live_tokens[logged] = live - whole[TWICE]
        log.decodes[logged] = decodes
        log.prefills[logged] = chunks
        log.tokens[logged] = tokens + decodes
        log.prefill_tokens[logged] = tokens
        log.cap[logged] = np.int64(decimal[CAP])
        log.iteration_replica[logged] = rep
        logged += 1
        if decodes > 0:
            whole[D] += 1
            whole[CONTEXT] += decodes
            if rules.adaptive and decimal[LAST_END] >= 0.0:
                _adapt(rules, reps, rep, end - decimal[LAST_END])
            decimal[LAST_END] = end
            at = whole[D] & (reps.ends.shape[1] - 1)
            while reps.ends[rep, at] != NOBODY:
                row = reps.ends[rep, at]
                _add_segment(rows, parts, count, rep, row, whole[D])
                count += 1
                stored = _leave(rules, rows, reps, rep, row)
                _release(rules, rows, reps, rep, row, stored)
                rows.finish[row] = end
                whole[OPEN] -= 1
        for i in range(completed):
            row = done[i]
            if not rows.first[row] >= 0.0:
                rows.first[row] = end
            rows.left[row] -= 1
            if rules.caching:
                _share_prompt(rules, rows, reps, rep, row)
            if rows.left[row] == 0:
                rows.joined_s[row] = end
                rows.joined_d[row] = whole[D]
                _add_segment(rows, parts, count, rep, row, whole[D])
                count += 1
                _release(rules, rows, reps, rep, row, rows.context[row])
                rows.finish[row] = end
                whole[OPEN] -= 1
            else:
                _join(rules, rows, reps, rep, row, end)


@njit(cache=True)
def _choose(rules, rows, reps, router, row):
    """The replica for a request: fewest open ones, or the longest cached run if not too busy."""
    least = 0
    for rep in range(reps.whole.shape[0]):
        if reps.whole[rep, OPEN] < reps.whole[least, OPEN]:
            least = rep
    if router != PREFIX_AWARE:
        return least
    best, most = least, _count_hits(rules, rows, reps, least, row)
    for rep in range(reps.whole.shape[0]):
        if reps.whole[rep, OPEN] <= reps.whole[least, OPEN] + PREFIX_IMBALANCE:
            hits = _count_hits(rules, rows, reps, rep, row)
            if hits > most:
                best, most = rep, hits
    return best


def make_replicas(rules, rows, hash_offsets, hashes, replicas, dealt, longest, units):
    """Build the state of idle replicas; `dealt`: their requests, where these are known before.

    `longest` is the largest number of tokens to come of a request, `units` how many pieces differ.
    """
    n, ring = rows.size, 2 ** int(longest).bit_length()
    whole, decimal = np.zeros((replicas, 14), np.int64), np.zeros((replicas, 5))
    whole[:, NEWEST] = NOBODY
    whole[:, PART] = NOBODY
    decimal[:, LAST_END] = -1.0
    decimal[:, CAP] = rules.start_batch if rules.adaptive else rules.max_batch
    queue = np.empty((replicas, n), np.int64)
    for rep, mine in enumerate(dealt):
        queue[rep, : len(mine)] = mine
        whole[rep, TAIL] = whole[rep, OPEN] = len(mine)
    return Replicas(
        whole, decimal, queue, np.empty((replicas, n), np.int64),
        np.full((replicas, ring), NOBODY, np.int64),
        np.zeros((replicas, rules.block_size), np.int64),
        np.zeros((replicas, units), np.uint8), np.zeros((replicas, units), np.int32),
        np.full((replicas, units + 1), units, np.int32),
        np.full((replicas, units + 1), units, np.int32),
        hash_offsets, hashes, np.zeros(max(hashes.size, 1), np.uint8),
    )  # fmt: skip


@njit(cache=True)
def number_pieces(offsets, hashes, wanted, table, firsts, numbers):
    """Number hashes by first appearance, of row i the first `wanted[i]`; return how many differ.

    `table` is a hash table of 2ᵏ numbers, -1 where empty and never full; `firsts` becomes where in
    `hashes` each number appeared first, `numbers` the numbers of all pieces, row after row.
    """
    mask = np.uint64(table.size - 1)
    distinct, at = 0, 0
    for row in range(wanted.size):
        for i in range(offsets[row], offsets[row] + wanted[row]):
            # multiplied by 2⁶⁴ over the golden ratio, the upper half is well mixed
            mixed = np.uint64(hashes[i]) * np.uint64(0x9E3779B97F4A7C15)
            slot = (mixed >> np.uint64(32)) & mask
            while table[slot] >= 0 and hashes[firsts[table[slot]]] != hashes[i]:
                slot = (slot + np.uint64(1)) & mask
            if table[slot] < 0:
                table[slot] = distinct
                firsts[distinct] = i
                distinct += 1
            numbers[at] = table[slot]
            at += 1
    return distinct


@njit(cache=True)
def run_replicas(rules, times, rows, reps, router, chosen, log, parts, done, reached):
    """Serve every request; fill `rows`, `chosen`, the log and the segments.

    Returns which of the last two wants more room; called again with more, the run goes on. How far
    it has come stands in `reached`.
    """
    n = rows.size
    while True:
        pushed = reached[PUSHED]
        until_s = rows.arrival[pushed] if pushed < n else np.inf
        for rep in range(reps.whole.shape[0]):
            reached[LOGGED], reached[PARTS], want = advance(
                rules, times, rows, reps, rep, until_s, log, reached[LOGGED], parts,
                reached[PARTS], done,
            )  # fmt: skip
            if want != NOTHING:
                return want
        if pushed == n:
            return NOTHING
        rep = _choose(rules, rows, reps, router, pushed)
        chosen[pushed] = rep
        reps.queue[rep, reps.whole[rep, TAIL]] = pushed
        reps.whole[rep, TAIL] += 1
        reps.whole[rep, OPEN] += 1
        reached[PUSHED] = pushed + 1
