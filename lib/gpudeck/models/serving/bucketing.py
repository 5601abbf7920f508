"""Batches by length: how much of a padded batch of prompts is padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.hardware.node import whole_numbers
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.workload.request import RequestTable

MODEL = "model:serving"
BUCKETS = (1, 2, 4, 8)
BATCH = 16
# paddings differ by far more than seeds do
SEEDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class BucketStudy:
    """Static batches of the same requests by number of buckets; samples of shape (seeds,).

    `padding_pct` is the padding's share of the prompt tokens computed, `tokens_s` are output
    tokens a second. `fifo` and `bucketed` are some batches of prompt lengths to look at, the
    latter with the last of `buckets`.
    """

    buckets: tuple[int, ...]
    padding_pct: dict[int, NDArray[np.float64]]
    tokens_s: dict[int, NDArray[np.float64]]
    fifo: tuple[NDArray[np.int64], ...]
    bucketed: tuple[NDArray[np.int64], ...]


def batch_lengths(
    lengths: ArrayLike, batch: int, edges: Sequence[int] | None = None
) -> tuple[NDArray[np.int64], ...]:
    """Group lengths into batches in their order, or within buckets that the edges bound.

    Parameters
    ----------
    lengths
        Tokens of each prompt, shape (n,).
    batch
        Prompts of a batch; the last of a bucket may be smaller.
    edges
        Upper ends of the buckets, rising; lengths above the last go into it.

    Raises
    ------
    InputError
        A length or the batch is below 1.

    >>> [list(map(int, b)) for b in batch_lengths([10, 500, 20, 510], 2, (100, 512))]
    [[10, 20], [500, 510]]
    """
    values = whole_numbers("lengths", lengths)
    if batch < 1 or (values < 1).any():
        msg = f"batch is {batch}, lengths are {values.tolist()}; allowed is 1 or above"
        raise InputError(msg)
    bounds = np.array(edges or (values.max(initial=1),))
    bucket = np.minimum(np.searchsorted(bounds, values), len(bounds) - 1)
    groups = (values[bucket == number] for number in range(len(bounds)))
    return tuple(
        group[first : first + batch] for group in groups for first in range(0, len(group), batch)
    )


def padded_tokens(batches: Sequence[NDArray[np.int64]]) -> int:
    """Return the tokens computed where every prompt of a batch is padded to the longest.

    >>> padded_tokens(batch_lengths([10, 500, 20], 3))
    1500
    """
    return sum(len(batch) * int(batch.max()) for batch in batches)


def equal_edges(lengths: NDArray[np.int64], buckets: int) -> tuple[int, ...]:
    """Return edges of buckets that hold equally many prompts each.

    >>> equal_edges(np.array([1, 2, 3, 4, 5]), 2)
    (3, 5)
    """
    shares = np.arange(1, buckets + 1) / buckets
    return tuple(map(int, np.unique(np.quantile(lengths, shares, method="higher"))))


def study_buckets(
    tables: Sequence[RequestTable],
    engine: Engine,
    replica: Replica,
    buckets: Sequence[int] = BUCKETS,
    batch: int = BATCH,
) -> BucketStudy:
    """Serve requests that all wait in static batches, with more and more buckets.

    Parameters
    ----------
    tables
        One list of requests a seed, the first five of them; all arrive at once: batches are full.
    engine, replica
        What all have in common; memory is reserved for the true length, so that only the padding
        of prompts differs.
    buckets
        Numbers of buckets; 1 is first in, first out.
    batch
        Requests of a batch.
    """
    base = replace(engine, policy="static", reservation="oracle", max_batch=batch, max_length=None)
    padding: dict[int, list[float]] = {count: [] for count in buckets}
    tokens: dict[int, list[float]] = {count: [] for count in buckets}
    for table in tables[:SEEDS]:
        waiting = table.all_at_once()
        for count in buckets:
            edges = equal_edges(table.prompt_tokens, count)
            run = simulate(waiting, replace(base, buckets=edges), replica)
            computed = run.tokens[run.prefills > 0].sum()
            padding[count].append(100 * (1 - run.prefill_tokens.sum() / computed))
            tokens[count].append(table.output_tokens.sum() / run.makespan_s)
    some = tables[0].prompt_tokens
    return BucketStudy(
        tuple(buckets),
        {count: np.array(values) for count, values in padding.items()},
        {count: np.array(values) for count, values in tokens.items()},
        batch_lengths(some, batch),
        batch_lengths(some, batch, equal_edges(some, max(buckets))),
    )


def report_buckets(study: BucketStudy) -> tuple[Fact, ...]:
    """Return padding (`padding_fifo`, `padding_buckets`, %), and `buckets`, `batch`."""
    by = function_name(study_buckets)
    most = max(study.buckets)
    return (
        mean_fact("padding_fifo", study.padding_pct[min(study.buckets)], "%", MODEL, by),
        mean_fact("padding_buckets", study.padding_pct[most], "%", MODEL, by),
        mean_fact("batched_fifo", study.tokens_s[min(study.buckets)], "token/s", MODEL, by),
        mean_fact("batched_buckets", study.tokens_s[most], "token/s", MODEL, by),
        Fact("buckets", most, "count", "simulated", MODEL, by),
        Fact("batch", len(study.fifo[0]), "count", "simulated", MODEL, by),
    )
