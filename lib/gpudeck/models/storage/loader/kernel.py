"""Compiled loop of the input pipeline: readers, a bounded buffer, and GPUs that step together."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def run_pipeline(
    read_s: NDArray,
    decode_s: NDArray,
    compute_s: NDArray,
    latency_s: float,
    workers: int,
    slots: int,
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Return when each batch was read and ready, (gpus, steps), and each step began and ended.

    Batch i of a GPU is asked for when step i - slots begins, because a batch that the GPU takes
    frees its slot, by worker i mod workers, once that has handed over its last. Reads of one GPU
    go over its link in turn.
    """
    gpus, steps = read_s.shape
    read_end_s, ready_s = np.empty((gpus, steps)), np.empty((gpus, steps))
    begin_s, end_s = np.empty(steps), np.empty(steps)
    worker_free_s = np.zeros((gpus, workers))
    link_free_s = np.zeros(gpus)
    last_end_s = 0.0
    for step in range(steps):
        asked_s = begin_s[step - slots] if step >= slots else 0.0
        worker = step % workers
        last_ready_s = 0.0
        for gpu in range(gpus):
            start_s = max(asked_s, worker_free_s[gpu, worker]) + latency_s
            link_free_s[gpu] = max(start_s, link_free_s[gpu]) + read_s[gpu, step]
            read_end_s[gpu, step] = link_free_s[gpu]
            done_s = link_free_s[gpu] + decode_s[gpu, step]
            worker_free_s[gpu, worker] = done_s
            ready_s[gpu, step] = done_s
            last_ready_s = max(last_ready_s, done_s)
        # all GPUs of a data-parallel step wait for the slowest
        begin_s[step] = max(last_end_s, last_ready_s)
        last_end_s = begin_s[step] + compute_s[step]
        end_s[step] = last_end_s
    return read_end_s, ready_s, begin_s, end_s
