"""Disaggregated serving: one pool of replicas computes prompts, another decodes, a link between.

A prefill replica computes a prompt and its first token. The cache of the prompt then goes over that
replica's link to a decode replica, which makes all further tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.serving.engine import Engine, require_count
from gpudeck.models.serving.power import IDLE_SHARE
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.result import RequestLatencies, ServingResult
from gpudeck.models.serving.simulate import Router, simulate
from gpudeck.workload.model import find_model
from gpudeck.workload.request import RequestTable

# an assumption: to set a transfer up and to report its end, on top of the time of its bytes
LINK_LATENCY_S = 20e-6


@dataclass(frozen=True)
class DisaggregatedResult(RequestLatencies):
    """A run of `simulate_disaggregated`. Per request in the order of its table, shape (n,).

    The transfer of a cache comes after the first token: TTFT excludes it, TPOT and end-to-end
    latency include it.

    Parameters
    ----------
    prefill, decode
        The runs of both pools. The decode pool serves `decode_rows` of the table, those that want
        more than one token; a row of its result is a position in them.
    first_token_s, finish_s
        When a request's first and last token came out.
    kv_bytes
        Cache sent; 0 for requests of a single token, which end where they began.
    transfer_s
        From the first token to the whole cache's arrival: the wait for the link and the time on it,
        less what overlapped with the prompt's computation.
    link_busy_s
        Seconds for which each prefill replica's link carried bytes, shape (prefill replicas,).
    energy_j
        Of both pools from the first arrival to the last token; a pool that waits idles.
    """

    table: RequestTable
    prefill: ServingResult
    decode: ServingResult
    decode_rows: NDArray[np.int64]
    first_token_s: NDArray[np.float64]
    finish_s: NDArray[np.float64]
    kv_bytes: NDArray[np.float64]
    transfer_s: NDArray[np.float64]
    link_busy_s: NDArray[np.float64]
    energy_j: float

    @property
    def gpus(self) -> int:
        """GPUs of both pools."""
        return self.prefill.gpus + self.decode.gpus

    @property
    def preemptions(self) -> NDArray[np.int64]:
        """How often each request was stopped to be recomputed where it decodes."""
        times = np.zeros(len(self.table), np.int64)
        times[self.decode_rows] = self.decode.preemptions
        return times

    @property
    def makespan_s(self) -> float:
        """From the first arrival to the last token."""
        if len(self.table) == 0:
            return 0.0
        return float(self.finish_s.max() - self.table.arrival_s.min())

    @property
    def busy_fraction(self) -> float:
        """Share of the time from first arrival to last token that a GPU of both pools computes."""
        busy = sum(pool.busy_s * pool.replica.tensor_parallel for pool in self._pools)
        return busy / (self.makespan_s * self.gpus) if self.makespan_s else 0.0

    def gaps(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Every gap between successive tokens of a request, pooled: values and how often each.

        The first gap of a request includes the transfer of its cache.
        """
        return self.decode.gaps()

    def token_times(self, row: int) -> NDArray[np.float64]:
        """Return when each token of one request came out, in seconds."""
        at = np.flatnonzero(self.decode_rows == row)
        if len(at) == 0:
            return self.first_token_s[[row]]
        return self.decode.token_times(int(at[0]))

    @property
    def _pools(self) -> tuple[ServingResult, ServingResult]:
        return self.prefill, self.decode


def simulate_disaggregated(
    requests: RequestTable,
    engine: Engine,
    replica: Replica,
    seed: int = 0,
    *,
    prefill_replicas: int,
    decode_replicas: int,
    link_gb_s: float,
    link_latency_s: float = LINK_LATENCY_S,
    layerwise: bool = False,
    decode_engine: Engine | None = None,
    decode_replica: Replica | None = None,
    router: Router = "round_robin",
) -> DisaggregatedResult:
    """Serve requests with prompts on some replicas and decoding on others.

    A cache of prompt · κ bytes waits for the link of its prefill replica, first come first served,
    and takes bytes / rate + latency. Layer by layer it is sent while later layers are computed:
    then only the last layer's share has to come after the first token, if the link keeps up. Time
    to first token excludes the transfer, the first gap between tokens includes it.

    Parameters
    ----------
    requests
        n requests, in any order; results keep the order of the rows.
    engine, replica
        How prompts are batched, and on what.
    prefill_replicas, decode_replicas
        Replicas of each pool.
    link_gb_s, link_latency_s
        Rate of the link of one prefill replica, 10⁹ bytes a second, ``inf`` for no time at all; and
        what each transfer takes besides, while the link is free for the next.
    layerwise
        Whether the cache is sent layer by layer.
    decode_engine, decode_replica
        Those of the other pool; as `engine`, without a prefix cache, and `replica` if not given.
    router
        How both pools choose a replica for a request.

    Raises
    ------
    InputError
        A value out of range, an engine that runs batches to their end, two models or caches that do
        not match, or a request larger than a replica's memory.

    Source: Zhong et al., DistServe, OSDI 2024; Patel et al., Splitwise, ISCA 2024 (layer-wise).

    >>> table = RequestTable([0.0], [2048], [5])
    >>> run = simulate_disaggregated(table, Engine("paged"), Replica("H100-SXM", "llama-2-7b"),
    ...     prefill_replicas=1, decode_replicas=1, link_gb_s=50.0, link_latency_s=0.0)
    >>> round(float(run.transfer_s[0]), 4), run.gpus
    (0.0215, 2)
    """
    decode_engine = decode_engine or replace(engine, prefix_cache=False)
    decode_replica = decode_replica or replica
    require_count("prefill_replicas", prefill_replicas)
    require_count("decode_replicas", decode_replicas)
    _require_link(link_gb_s, link_latency_s)
    _require_pools(engine, replica, decode_engine, decode_replica)
    single = _replaced(requests, requests.arrival_s, np.ones_like(requests.output_tokens))
    prefill = simulate(single, engine, replica, seed, replicas=prefill_replicas, router=router)
    several = requests.output_tokens > 1
    kv_bytes = np.where(several, requests.prompt_tokens * float(replica.kv_bytes_per_token), 0.0)
    layers = find_model(replica.model).layers if layerwise else None
    on_link_s = kv_bytes / (link_gb_s * 1e9)
    sent_s = _send(prefill, on_link_s, layers)
    rows = np.flatnonzero(several)
    ready_s = (sent_s + link_latency_s)[rows]
    decode = simulate(
        _replaced(requests, sent_s + link_latency_s, requests.output_tokens).take(rows),
        decode_engine,
        decode_replica,
        seed,
        replicas=decode_replicas,
        router=router,
        given_first_s=prefill.first_token_s[rows],
    )
    finish_s, transfer_s = prefill.first_token_s.copy(), np.zeros(len(requests))
    finish_s[rows] = decode.finish_s
    transfer_s[rows] = ready_s - prefill.first_token_s[rows]
    busy = np.bincount(prefill.request_replica, on_link_s, prefill_replicas).astype(float)
    return DisaggregatedResult(
        table=requests,
        prefill=prefill,
        decode=decode,
        decode_rows=rows,
        first_token_s=prefill.first_token_s,
        finish_s=finish_s,
        kv_bytes=kv_bytes,
        transfer_s=transfer_s,
        link_busy_s=busy,
        energy_j=_energy_j(prefill, decode, requests, finish_s),
    )


def _replaced(
    requests: RequestTable, arrival_s: NDArray[np.float64], output_tokens: NDArray[np.int64]
) -> RequestTable:
    return RequestTable(
        arrival_s,
        requests.prompt_tokens,
        output_tokens,
        requests.block_hashes,
        requests.block_tokens,
    )


def _send(
    prefill: ServingResult, on_link_s: NDArray[np.float64], layers: int | None
) -> NDArray[np.float64]:
    """When the last byte of each cache has left, first come first served on each replica's link."""
    first = prefill.first_token_s
    sent = first.copy()
    begins = first if layers is None else _prompt_begins(prefill)
    for served in _rows_of_replicas(prefill):
        rows = served[on_link_s[served] > 0]
        spent = on_link_s[rows]
        if layers is None:
            earliest = first[rows]
        else:
            # the link may work from the prompt's start on, the last layer not before its end
            earliest = np.maximum(begins[rows], first[rows] - spent * (1 - 1 / layers))
        total = np.cumsum(spent)
        # end = max(end before, earliest) + spent, without a loop
        ends = total + np.maximum.accumulate(earliest - (total - spent))
        sent[rows] = np.maximum(ends, first[rows])
    return sent


def _rows_of_replicas(prefill: ServingResult) -> list[NDArray[np.int64]]:
    """Rows of each prefill replica in the order in which it serves them."""
    order = np.argsort(prefill.table.arrival_s, kind="stable")
    replica = prefill.request_replica[order]
    return [order[replica == each] for each in range(prefill.replicas)]


def _prompt_begins(prefill: ServingResult) -> NDArray[np.float64]:
    """When the computation of each prompt began: the start of the iteration with its first token.

    Prompts are computed one after the other, so the tokens before a prompt tell the iteration.
    """
    begins = np.empty(len(prefill.table))
    computed = prefill.table.prompt_tokens - prefill.cached_tokens
    for replica, rows in enumerate(_rows_of_replicas(prefill)):
        mine = np.flatnonzero(prefill.iteration_replica == replica)
        before = np.cumsum(computed[rows]) - computed[rows]
        done = np.cumsum(prefill.prefill_tokens[mine], dtype=np.int64)
        begins[rows] = prefill.start_s[mine[np.searchsorted(done, before, side="right")]]
    return begins


def _energy_j(
    prefill: ServingResult,
    decode: ServingResult,
    requests: RequestTable,
    finish_s: NDArray[np.float64],
) -> float:
    """Energy of both pools; each idles while only the other has work."""
    if len(finish_s) == 0:
        return 0.0
    span = float(finish_s.max() - requests.arrival_s.min())
    energy = 0.0
    for pool in (prefill, decode):
        idle_w = (find_gpu(pool.replica.gpu).tdp_w or 0.0) * IDLE_SHARE * pool.gpus
        energy += pool.energy_j + max(span - pool.makespan_s, 0.0) * idle_w
    return energy


def _require_link(link_gb_s: float, link_latency_s: float) -> None:
    if not link_gb_s > 0:
        msg = f"link_gb_s is {link_gb_s}; allowed is above 0, inf for a link that takes no time"
        raise InputError(msg)
    if not 0 <= link_latency_s < float("inf"):
        msg = f"link_latency_s is {link_latency_s}; allowed is 0 or above"
        raise InputError(msg)


def _require_pools(engine: Engine, replica: Replica, other: Engine, elsewhere: Replica) -> None:
    for name, each in (("engine", engine), ("decode_engine", other)):
        if not each.reforms:
            msg = f"{name} has policy {each.policy!r}; allowed are continuous, paged and chunked"
            raise InputError(msg)
    here, there = (f"{r.model} with a cache in {r.kv_precision}" for r in (replica, elsewhere))
    if here != there:
        msg = f"decode_replica has {there}; allowed is what replica has, {here}"
        raise InputError(msg)
