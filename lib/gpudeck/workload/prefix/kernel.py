"""The compiled loop of the prefix cache: blocks in a list from least to most recently used.

``offsets``, ``ids``  blocks of each request, numbered from 0, in order of arrival
``stored``            how many of its blocks a request leaves in the cache, shape (n,)
``capacity``          blocks that the cache holds
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def run_cache(
    offsets: NDArray[np.int64],
    ids: NDArray[np.int64],
    stored: NDArray[np.int64],
    distinct: int,
    capacity: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hit blocks of each request, and the blocks that stay, from least to most recently used.

    A request's own blocks are held while it runs. It leaves them tail first, so that its last
    block is the first to go: what is evicted is always a leaf.
    """
    count = offsets.size - 1
    hits = np.zeros(count, np.int64)
    # A ring: `distinct` is its end, the next of it the least recently used block.
    newer = np.full(distinct + 1, -1, np.int64)
    older = np.full(distinct + 1, -1, np.int64)
    newer[distinct] = older[distinct] = distinct
    resident = np.zeros(distinct, np.bool_)
    held = 0
    for request in range(count):
        first, last = offsets[request], offsets[request + 1]
        at = first
        while at < last and resident[ids[at]]:
            at += 1
        hits[request] = at - first
        last = min(last, first + min(stored[request], capacity))
        for at in range(first, last):
            block = ids[at]
            if resident[block]:
                newer[older[block]] = newer[block]
                older[newer[block]] = older[block]
            else:
                resident[block] = True
                held += 1
        while held > capacity:
            block = newer[distinct]
            newer[distinct] = newer[block]
            older[newer[block]] = distinct
            resident[block] = False
            held -= 1
        for at in range(last - 1, first - 1, -1):
            block = ids[at]
            tail = older[distinct]
            newer[tail], older[block] = block, tail
            newer[block], older[distinct] = distinct, block
    left = np.empty(held, np.int64)
    block = newer[distinct]
    for at in range(held):
        left[at] = block
        block = newer[block]
    return hits, left
