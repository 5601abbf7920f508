"""What a run of the serving simulator leaves: every request, every iteration, every token."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.replica import Replica
from gpudeck.workload.request import RequestTable

_PIECE = 1 << 20


def sum_spans(start_s: NDArray[np.float64], end_s: NDArray[np.float64]) -> float:
    """Return the sum of end − start, piece by piece: runs have tens of millions of iterations.

    >>> sum_spans(np.array([0.0, 2.0]), np.array([1.0, 2.5]))
    1.5
    """
    pieces = range(0, len(start_s), _PIECE)
    return float(sum((end_s[i : i + _PIECE] - start_s[i : i + _PIECE]).sum() for i in pieces))


@dataclass(frozen=True)
class Segments:
    """Stretches in which a sequence decodes without being preempted, shape (m,).

    A stretch begins with the token that its prompt ends in, at `joined_s`; one more comes in each
    decoding iteration of its replica after number `after`, up to number `to`.
    """

    row: NDArray[np.int64]
    joined_s: NDArray[np.float64]
    after: NDArray[np.int64]
    to: NDArray[np.int64]
    replica: NDArray[np.int32]


class RequestLatencies:
    """Latencies that follow from when each request came, and when its first and last token did."""

    table: RequestTable
    first_token_s: NDArray[np.float64]
    finish_s: NDArray[np.float64]

    @property
    def ttft_s(self) -> NDArray[np.float64]:
        """Time to first token: first token − arrival, queue included."""
        return self.first_token_s - self.table.arrival_s

    @property
    def e2e_s(self) -> NDArray[np.float64]:
        """End-to-end latency: finish − arrival."""
        return self.finish_s - self.table.arrival_s

    @property
    def tpot_s(self) -> NDArray[np.float64]:
        """Time per output token after the first, one value a request; NaN for a single token."""
        later = np.where(self.table.output_tokens > 1, self.table.output_tokens - 1, np.nan)
        return np.asarray((self.finish_s - self.first_token_s) / later)


@dataclass(frozen=True)
class ServingResult(RequestLatencies):
    """A run of `simulate`. Per request in the order of its table, shape (n,); per iteration, (i,).

    Parameters
    ----------
    table
        The requests served; `requests` counts those in each iteration.
    first_token_s, finish_s
        When a request's first and last token came out; NaN for requests that were refused. Static
        and dynamic batches are given back whole: all their requests finish when the batch ends.
    preemptions, cached_tokens
        How often a request was stopped to be recomputed, and tokens found in the prefix cache.
    start_s, end_s, prefill_s
        Of each iteration; `prefill_s` is the part of it that its prompts cost.
    decodes, prefills, tokens, prefill_tokens
        Sequences that took a token in an iteration, prompts computed in it, tokens computed with
        padding, and prompt tokens among them.
    kv_tokens, kv_live_tokens
        Cache allocated, and cache that holds a token, while an iteration runs.
    cap
        Largest batch allowed at the time.
    """

    table: RequestTable
    engine: Engine
    replica: Replica
    replicas: int
    first_token_s: NDArray[np.float64]
    finish_s: NDArray[np.float64]
    preemptions: NDArray[np.int64]
    cached_tokens: NDArray[np.int64]
    request_replica: NDArray[np.int64]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    prefill_s: NDArray[np.float64]
    decodes: NDArray[np.int32]
    prefills: NDArray[np.int32]
    tokens: NDArray[np.int32]
    prefill_tokens: NDArray[np.int32]
    kv_tokens: NDArray[np.int64]
    kv_live_tokens: NDArray[np.int64]
    cap: NDArray[np.int32]
    iteration_replica: NDArray[np.int32]
    segments: Segments
    kv_capacity_tokens: int
    energy_j: float

    @property
    def gpus(self) -> int:
        """GPUs of all replicas."""
        return self.replicas * self.replica.tensor_parallel

    @property
    def requests(self) -> NDArray[np.int32]:
        """Requests in each iteration."""
        return self.decodes + self.prefills

    @property
    def iterations(self) -> int:
        """Number of iterations, of all replicas."""
        return len(self.start_s)

    @property
    def makespan_s(self) -> float:
        """From the first arrival to the last token."""
        if self.iterations == 0:
            return 0.0
        return float(self.end_s.max() - self.table.arrival_s.min())

    @property
    def busy_s(self) -> float:
        """Seconds in iterations, summed over replicas."""
        return sum_spans(self.start_s, self.end_s)

    @property
    def busy_fraction(self) -> float:
        """Share of the time from first arrival to last token that a replica computes."""
        return self.busy_s / (self.makespan_s * self.replicas) if self.makespan_s else 0.0

    @cached_property
    def _decode_ends(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Ends of decoding iterations, replica after replica, and where each replica's begin."""
        rows = np.flatnonzero(self.decodes > 0)
        replica = self.iteration_replica[rows]
        order = np.argsort(replica, kind="stable")
        begins = np.searchsorted(replica[order], np.arange(self.replicas + 1))
        return self.end_s[rows[order]], begins

    def gaps(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Every gap between successive tokens of a request, pooled: values and how often each.

        All sequences that decode in two successive iterations have the same gap; only the first
        after a prompt differs. Batches that are padded to their longest count real tokens alone.
        """
        ends, begins = self._decode_ends
        s = self.segments
        base = begins[s.replica]
        # sequences in iteration k that were in iteration k − 1 too
        change = np.zeros(len(ends) + 2, np.int64)
        some = s.to > s.after
        np.add.at(change, base[some] + s.after[some] + 1, 1)
        np.add.at(change, base[some] + s.to[some], -1)
        same = np.cumsum(change)[: len(ends)]
        steps = np.diff(ends, prepend=0.0)
        firsts = ends[base[some] + s.after[some]] - s.joined_s[some]
        again, counts = self._restarts()
        keep = same > 0
        values = np.concatenate([steps[keep], firsts, again])
        weights = np.concatenate([same[keep], np.ones(len(firsts), np.int64), counts])
        return values, weights

    def _restarts(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Gaps from the last token before a preemption to the first after it."""
        s = self.segments
        order = np.lexsort((s.joined_s, s.row))
        row, joined = s.row[order], s.joined_s[order]
        ends, begins = self._decode_ends
        last = joined.copy()
        some = s.to[order] > s.after[order]
        at = (begins[s.replica] + s.to - 1)[order]
        last[some] = ends[at[some]]
        again = row[1:] == row[:-1]
        values = (joined[1:] - last[:-1])[again]
        return values, np.ones(len(values), np.int64)

    def token_times(self, row: int) -> NDArray[np.float64]:
        """Return when each token of one request came out, in seconds.

        Raises
        ------
        InputError
            There is no such row.
        """
        if not 0 <= row < len(self.table):
            msg = f"row is {row}; allowed are 0 to {len(self.table) - 1}"
            raise InputError(msg)
        s = self.segments
        mine = np.flatnonzero(s.row == row)
        mine = mine[np.argsort(s.joined_s[mine])]
        ends, begins = self._decode_ends
        pieces = [np.zeros(0)]
        for i in mine:
            base = begins[s.replica[i]]
            pieces.append(np.array([s.joined_s[i]]))
            pieces.append(ends[base + s.after[i] : base + s.to[i]])
        return np.concatenate(pieces)

    def mean_decodes(self) -> float:
        """Time-mean number of sequences that decode on a replica, while it computes."""
        seconds = self.end_s - self.start_s
        return float((self.decodes * seconds).sum() / seconds.sum()) if seconds.any() else 0.0
