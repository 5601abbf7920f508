"""Engines that run a batch to its end: static, dynamic, and either with length buckets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.kernel import Times
from gpudeck.models.serving.log import RunLog
from gpudeck.models.serving.static.kernel import Lots, run_lots
from gpudeck.workload.request import RequestTable


def run_batches(
    requests: RequestTable,
    reserve: NDArray[np.int64],
    engine: Engine,
    capacity_tokens: int,
    times: Times,
) -> tuple[NDArray[np.float64], NDArray[np.float64], RunLog]:
    """Serve requests, in order of arrival, batch by batch; return first tokens, ends and the log.

    A batch is padded: every prompt to the longest, every slot kept until the last output. Its
    results are released together.
    """
    n = len(requests)
    edges = np.array(engine.buckets or (np.iinfo(np.int64).max,))
    bucket = np.minimum(np.searchsorted(edges, requests.prompt_tokens), len(edges) - 1)
    lots = Lots(
        max_batch=engine.max_batch,
        capacity=capacity_tokens,
        max_delay_s=float(engine.max_delay_s) if engine.policy == "dynamic" else np.inf,
        overhead_s=float(engine.step_overhead_s),
    )
    first_s, finish_s = np.full(n, np.nan), np.full(n, np.nan)
    # copies, for what may not be written to would be compiled for once more
    arrival, prompt, output = (
        np.array(column)
        for column in (requests.arrival_s, requests.prompt_tokens, requests.output_tokens)
    )
    kept, place = np.array(reserve), bucket.astype(np.int64)
    queues = np.zeros((len(edges), 6), np.int64)
    behind, clock = np.empty(n, np.int64), np.zeros(1)
    log = RunLog(n, int(requests.output_tokens.sum()), min(engine.max_batch, n))
    log.fill(
        lambda iterations, parts, reached: run_lots(
            lots, times, arrival, prompt, output, kept, place, queues, behind, clock, first_s,
            finish_s, iterations, parts, reached,
        ),
        more=int(requests.output_tokens.max(initial=1)),
    )  # fmt: skip
    return first_s, finish_s, log
