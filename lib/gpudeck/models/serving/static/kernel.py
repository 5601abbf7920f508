"""Compiled loop of the engines that run a batch to its end.

Each bucket is a linked queue that knows how many of its head fit into the next batch, so that an
arrival costs O(1); a batch costs O(slots · log slots) and O(1) for each of its iterations.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from gpudeck.models.serving.kernel import (
    BATCHES,
    LOGGED,
    MORE_LOG,
    NOBODY,
    NOTHING,
    PARTS,
    PUSHED,
    time_step,
)

# columns of a bucket: the next to look at whether it fits is GROWING, if the batch is not FULL
HEAD, LAST, LENGTH, SIZE, TOKENS, GROWING = range(6)


class Lots(NamedTuple):
    """How batches are formed; `max_delay_s` is inf for static ones."""

    max_batch: int
    capacity: int
    max_delay_s: float
    overhead_s: float


@njit(cache=True)
def _grow(lots, queue, reserve, behind):
    """Take requests at the head of a queue into its next batch while cap and memory let it."""
    while queue[SIZE] < min(queue[LENGTH], lots.max_batch):
        row = queue[GROWING]
        if queue[TOKENS] + reserve[row] > lots.capacity:
            return
        queue[TOKENS] += reserve[row]
        queue[SIZE] += 1
        queue[GROWING] = behind[row]


@njit(cache=True)
def _enqueue(queue, behind, row):
    behind[row] = NOBODY
    if queue[LENGTH] == 0:
        queue[HEAD] = row
    else:
        behind[queue[LAST]] = row
    if queue[SIZE] == queue[LENGTH]:
        queue[GROWING] = row
    queue[LAST] = row
    queue[LENGTH] += 1


@njit(cache=True)
def _find_ready(lots, queues, arrival, now, closed):
    """The bucket to run: of those whose batch is ready the one with the oldest request, or -1."""
    best = -1
    for place in range(queues.shape[0]):
        queue = queues[place]
        if queue[LENGTH] == 0:
            continue
        ready = queue[SIZE] == lots.max_batch or queue[SIZE] < queue[LENGTH]
        if lots.max_delay_s < np.inf:
            ready = ready or now >= arrival[queue[HEAD]] + lots.max_delay_s
        else:
            ready = ready or closed
        if ready and (best < 0 or queue[HEAD] < queues[best, HEAD]):
            best = place
    return best


@njit(cache=True)
def _next_moment(lots, queues, arrival, now, pushed):
    """When the next request arrives or, dynamic, the next oldest has waited long enough."""
    moment = arrival[pushed] if pushed < arrival.size else np.inf
    for place in range(queues.shape[0]):
        if queues[place, LENGTH] > 0:
            moment = min(moment, arrival[queues[place, HEAD]] + lots.max_delay_s)
    return max(now, moment)


@njit(cache=True)
def _log_batch(lots, times, now, outputs, longest, prompts, reserved, log, at):
    """Write down the iterations of a batch, whose outputs are sorted; return when it ends."""
    slots = outputs.size
    spent, ended, live = 0.0, 0, prompts
    for step in range(outputs[slots - 1]):
        # sequences that still make a token in this iteration
        while outputs[ended] <= step:
            ended += 1
        alive, first = slots - ended, step == 0
        if first:
            seconds = time_step(times, slots * longest, slots, slots, slots * longest**2 / 2, 0, 0)
        else:
            seconds = time_step(times, slots, slots, 0, 0.0, slots, slots * (longest + step))
            live += alive
        seconds += lots.overhead_s
        log.start_s[at] = now + spent
        spent += seconds
        log.end_s[at] = now + spent
        log.prefill_s[at] = seconds if first else 0.0
        log.kv_tokens[at] = reserved
        log.kv_live_tokens[at] = live
        log.decodes[at] = 0 if first else alive
        log.prefills[at] = slots if first else 0
        log.tokens[at] = slots * longest if first else slots
        log.prefill_tokens[at] = prompts if first else 0
        log.cap[at] = lots.max_batch
        log.iteration_replica[at] = 0
        at += 1
    return now + spent


@njit(cache=True)
def _run_batch(
    lots, times, prompt, output, queue, behind, now, first_s, finish_s, log, logged, parts, count,
    made,
):  # fmt: skip
    """Run the next batch of a queue; return when it ends. `made`: decoding iterations before it."""
    slots = queue[SIZE]
    longest, prompts = 0, 0
    outputs = np.empty(slots, np.int64)
    row = queue[HEAD]
    for i in range(slots):
        longest = max(longest, prompt[row])
        prompts += prompt[row]
        outputs[i] = output[row]
        row = behind[row]
    outputs.sort()
    end = _log_batch(lots, times, now, outputs, longest, prompts, queue[TOKENS], log, logged)
    row = queue[HEAD]
    for i in range(count, count + slots):
        first_s[row] = log.end_s[logged]
        finish_s[row] = end
        parts.row[i] = row
        parts.joined_s[i] = log.end_s[logged]
        parts.after_d[i] = made
        parts.to_d[i] = made + output[row] - 1
        parts.replica[i] = 0
        row = behind[row]
    queue[HEAD] = queue[GROWING] = row
    queue[LENGTH] -= slots
    queue[SIZE] = queue[TOKENS] = 0
    return end


@njit(cache=True)
def run_lots(
    lots, times, arrival, prompt, output, reserve, bucket, queues, behind, clock, first_s,
    finish_s, log, parts, reached,
):  # fmt: skip
    """Serve every request; see `run_replicas` for the log, the segments and how far it has come.

    `clock` holds the time. Every batch has a segment for each of its requests and decodes in all
    of its iterations but the first.
    """
    n = arrival.size
    while True:
        now, pushed = clock[0], reached[PUSHED]
        while pushed < n and arrival[pushed] <= now:
            queue = queues[bucket[pushed]]
            _enqueue(queue, behind, pushed)
            _grow(lots, queue, reserve, behind)
            pushed += 1
        reached[PUSHED] = pushed
        place = _find_ready(lots, queues, arrival, now, pushed == n)
        if place < 0:
            moment = _next_moment(lots, queues, arrival, now, pushed)
            if moment == np.inf:
                return NOTHING
            clock[0] = moment
            continue
        queue = queues[place]
        slots, longest, row = queue[SIZE], 0, queue[HEAD]
        for _ in range(slots):
            longest = max(longest, output[row])
            row = behind[row]
        if reached[LOGGED] + longest > log.size:
            return MORE_LOG
        clock[0] = _run_batch(
            lots, times, prompt, output, queue, behind, now, first_s, finish_s, log,
            reached[LOGGED], parts, reached[PARTS], reached[LOGGED] - reached[BATCHES],
        )  # fmt: skip
        reached[PARTS] += slots
        reached[LOGGED] += longest
        reached[BATCHES] += 1
        _grow(lots, queue, reserve, behind)
