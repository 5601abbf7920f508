"""The compiled loops of a full KV memory, step by step while a queue is left.

``prompt``, ``output``  tokens of each request in the order of the queue, shape (n,)
``slots``               contiguous memory of each request, tokens, shape (n,)

Both return sums over the steps: steps, live tokens, tokens that will be filled, tokens that never
will, and requests in memory.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def fill_slots(
    prompt: NDArray[np.int64], output: NDArray[np.int64], slots: NDArray[np.int64], capacity: int
) -> tuple[int, int, int, int, int]:
    """Place each request in the first hole that is large enough, until the queue is empty."""
    count = prompt.size
    start = np.zeros(count + 1, np.int64)  # by address; one place more for the end of the memory
    row = np.zeros(count + 1, np.int64)
    done = np.zeros(count, np.int64)
    held = 0
    head = 0
    steps = live = later = never = batch = 0
    changed = True
    while True:
        while changed and head < count:
            before = at = 0
            while at < held and start[at] - before < slots[head]:
                before = start[at] + slots[row[at]]
                at += 1
            if at == held and capacity - before < slots[head]:
                break
            for other in range(held, at, -1):
                start[other], row[other] = start[other - 1], row[other - 1]
            start[at], row[at] = before, head
            held += 1
            head += 1
        if head == count:
            break
        steps += 1
        batch += held
        kept = 0
        for at in range(held):
            one = row[at]
            final = prompt[one] + output[one] - 1
            now = prompt[one] + done[one]
            live += now
            later += final - now
            never += slots[one] - final
            done[one] += 1
            if done[one] < output[one]:
                start[kept], row[kept] = start[at], one
                kept += 1
        changed = kept < held
        held = kept
    return steps, live, later, never, batch


@njit(cache=True)
def fill_blocks(
    prompt: NDArray[np.int64], output: NDArray[np.int64], blocks: int, block_size: int
) -> tuple[int, int, int, int, int]:
    """Give each request its blocks as it grows; the newest goes back when none is left."""
    count = prompt.size
    queue = np.arange(count - 1, -1, -1)  # its last is the head
    running = np.zeros(count, np.int64)
    length, left = prompt.copy(), output.copy()
    waiting, runs = count, 0
    steps = live = never = batch = 0
    while True:
        taken = 0
        for at in range(runs):
            taken += -(-length[running[at]] // block_size)
        while taken > blocks:
            runs -= 1
            taken -= -(-length[running[runs]] // block_size)
            queue[waiting] = running[runs]
            waiting += 1
        while waiting > 0:
            need = -(-length[queue[waiting - 1]] // block_size)
            # one block stays free for each that runs, or the newcomer would be thrown out at once
            if runs > 0 and taken + need + runs + 1 > blocks:
                break
            waiting -= 1
            running[runs] = queue[waiting]
            runs += 1
            taken += need
        if waiting == 0:
            break
        steps += 1
        batch += runs
        kept = 0
        for at in range(runs):
            one = running[at]
            live += length[one]
            never += -length[one] % block_size
            length[one] += 1
            left[one] -= 1
            if left[one] > 0:
                running[kept] = one
                kept += 1
        runs = kept
    return steps, live, 0, never, batch
