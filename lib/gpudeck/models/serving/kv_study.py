"""Four ways to hold the same requests in one KV memory, and what lengths spread does to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.serving.kv_memory import FullLoad, fill_memory
from gpudeck.models.serving.kv_waste import SCHEMES, split_held, split_run
from gpudeck.models.serving.service import plan_engine, plan_replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.scenario.schema import Serving
from gpudeck.tables import read_table
from gpudeck.workload.model import find_model
from gpudeck.workload.request import RequestTable
from gpudeck.workload.request_lognormal import draw_requests, lengths_of_means, sigma_of

# requests of a drawn run
REQUESTS = 400
# a run is repeated until it would fill the memory this often, so that a queue is left
FILLS = 4
# runs that the serving simulator repeats, as a check
MOST_HELD = 3


@dataclass(frozen=True, slots=True)
class KvCase:
    """A KV memory: capacity and longest length in tokens, and the mean lengths of its requests."""

    capacity_tokens: int
    max_length: int
    prompt_mean: float
    output_mean: float
    name: str


@dataclass(frozen=True, slots=True)
class KvStudy:
    """Each scheme under full load, one `FullLoad` a run, the same requests in each scheme.

    `refused` is the share of requests, in %, that are longer than the longest allowed.
    """

    case: KvCase
    block_size: int
    loads: dict[str, tuple[FullLoad, ...]]
    refused: float = 0.0

    def percent(self, scheme: str) -> dict[str, NDArray[np.float64]]:
        """Return each part of the memory in percent of the capacity, shape (runs,); with `free`."""
        loads = self.loads[scheme]
        scale = 100 / self.case.capacity_tokens
        names = ("live", "reservation", "internal", "external")
        parts = {
            name: scale * np.array([getattr(load.split, name) for load in loads]) for name in names
        }
        parts["free"] = 100 - np.sum(list(parts.values()), axis=0)
        return parts

    def batch(self, scheme: str) -> NDArray[np.float64]:
        """Return the time-mean number of requests in memory, shape (runs,)."""
        return np.array([load.mean_batch for load in self.loads[scheme]])


@dataclass(frozen=True, slots=True, eq=False)
class WasteGrid:
    """Held memory that holds a token, in %, by spread of the lengths.

    `used_pct[scheme, block_size, output_mean]` has shape (spreads,); contiguous schemes are the
    same for each block size. `start` is the block size and the output of the case itself.
    """

    spread: tuple[float, ...]
    block_size: tuple[int, ...]
    output_mean: tuple[int, ...]
    used_pct: dict[tuple[str, int, int], NDArray[np.float64]]
    start: tuple[int, int]


def service_case(serving: Serving, runs: Sequence[RequestTable]) -> KvCase:
    """Return the memory of a scenario's replica, and what its requests ask of it.

    The longest length is the model's context, doubled until the longest request fits where the
    scenario asks for more, and in any case no more than the memory holds.

    Parameters
    ----------
    serving
        The scenario's section.
    runs
        Its requests, one run or more.

    >>> from gpudeck.scenario import read_scenario
    >>> from gpudeck.scenario.serving import read_serving_runs
    >>> scenario = read_scenario("default")
    >>> service_case(scenario.serving, read_serving_runs(scenario, 100, runs=1)).max_length
    8192
    """
    capacity = int(plan_replica(serving).kv_capacity_tokens)
    longest = max(int(_total(run).max()) for run in runs)
    allowed = find_model(serving.model).context_max
    while allowed < longest:
        allowed *= 2
    return KvCase(
        capacity,
        min(allowed, capacity),
        float(np.mean([run.prompt_tokens.mean() for run in runs])),
        float(np.mean([run.output_tokens.mean() for run in runs])),
        serving.model,
    )


def published_case() -> KvCase:
    """Return the memory and the requests of the PagedAttention paper's smallest model, OPT-13B.

    Source: Kwon et al., SOSP 2023, Table 1 and Figure 11.

    >>> published_case().capacity_tokens
    15728
    """
    table = read_table("kv_memory")
    memory = table.row("opt-13b", "kv_memory")
    per_token = table.row("opt-13b", "kv_per_token").number
    return KvCase(
        int(memory.number * 2**30 // per_token),
        int(table.row("opt-13b", "max_length").number),
        table.row("sharegpt", "prompt_mean").number,
        table.row("sharegpt", "output_mean").number,
        "opt-13b",
    )


def draw_runs(
    case: KvCase, seeds: Sequence[int], *, count: int = REQUESTS, spread: float | None = None
) -> tuple[RequestTable, ...]:
    """Draw requests with a case's mean lengths: independent, log-normal, cut at the longest.

    Parameters
    ----------
    case
        Means and longest length.
    seeds
        One run each.
    count
        Requests of a run.
    spread
        Standard deviation over mean before the cut; if not told the logarithm's is 1, with which
        the published rows are computed.

    >>> run = draw_runs(published_case(), [0], count=3, spread=0.0)[0]
    >>> run.prompt_tokens.tolist(), run.output_tokens.tolist()
    ([161, 161, 161], [338, 338, 338])
    """
    sigma = 1.0 if spread is None else sigma_of(spread)
    lengths = lengths_of_means(case.prompt_mean, case.output_mean, case.max_length, sigma)
    return tuple(draw_requests(lengths, count, seed) for seed in seeds)


def compare_schemes(case: KvCase, runs: Sequence[RequestTable], *, block_size: int = 16) -> KvStudy:
    """Hold the same requests by maximum, power of two, true length and pages, under full load.

    Parameters
    ----------
    case
        Memory and longest length; longer requests are refused. A power of two is cut to it.
    runs
        Requests, one run a seed, two or more for an interval; their times do not matter. A run too
        small to fill the memory several times is repeated in its order.
    block_size
        Tokens of a block.

    Raises
    ------
    InputError
        No run has a request that fits, or as `fill_memory`.

    Source: Kwon et al., SOSP 2023, Figure 2.
    """
    queues = [_make_queue(case, run) for run in runs]
    loads = {
        scheme: tuple(
            fill_memory(
                prompt,
                output,
                scheme,
                case.capacity_tokens,
                block_size=block_size,
                max_length=case.max_length,
            )
            for prompt, output in queues
        )
        for scheme in SCHEMES
    }
    asked = np.concatenate([_total(run) for run in runs])
    return KvStudy(case, block_size, loads, 100 * float((asked > case.max_length).mean()))


def _make_queue(case: KvCase, run: RequestTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    total = _total(run)
    fits = np.flatnonzero(total <= case.max_length)
    if not len(fits):
        msg = f"the shortest request has {total.min()} tokens; allowed is up to {case.max_length}"
        raise InputError(msg)
    repeats = int(np.ceil(FILLS * case.capacity_tokens / total[fits].sum()))
    rows = np.tile(fits, max(repeats, 1))
    return run.prompt_tokens[rows], run.output_tokens[rows]


def _total(run: RequestTable) -> NDArray[np.int64]:
    """Tokens of cache at a request's last step."""
    return run.prompt_tokens + run.output_tokens - 1


def simulate_held(serving: Serving, runs: Sequence[RequestTable]) -> NDArray[np.float64]:
    """Serve the requests, all waiting at once, and return how full the blocks are that they hold.

    Parameters
    ----------
    serving
        The scenario's section: replica, block size, and a batch limit that full memories lack.
    runs
        Requests of each run; the first `MOST_HELD` are served.

    Returns
    -------
    ndarray
        Time-mean of the tokens in held blocks, % of their room, shape (runs,).
    """
    engine, replica = plan_engine(serving, "paged"), plan_replica(serving)
    used = []
    for run in runs[:MOST_HELD]:
        result = simulate(run.all_at_once(), engine, replica)
        seconds = result.end_s - result.start_s
        used.append(split_run(result.kv_tokens, result.kv_live_tokens, seconds).used_pct)
    return np.array(used)


def waste_grid(
    case: KvCase,
    seed: int = 0,
    own_block: int = 16,
    *,
    spread: Sequence[float] = tuple(np.linspace(0, 2, 11).round(1).tolist()),
    block_size: Sequence[int] = (1, 8, 16, 32, 64, 128, 256),
    output_mean: Sequence[int] = (50, 200, 400, 800),
) -> WasteGrid:
    """Compute the used part of the memory that requests hold, in closed form, over a grid.

    Parameters
    ----------
    case
        Longest length and mean of the prompts.
    seed
        Seed of the lengths; the same normal draws in every cell.
    own_block
        Block size of the case.
    spread, block_size, output_mean
        The grid: standard deviation over mean, tokens, tokens; the case's own are added.
    """
    start = (own_block, max(round(case.output_mean), 1))
    sizes, outputs = sorted({*block_size, start[0]}), sorted({*output_mean, start[1]})
    used: dict[tuple[str, int, int], NDArray[np.float64]] = {}
    for mean in outputs:
        cell = replace(case, output_mean=mean)
        draws = [draw_runs(cell, [seed], spread=value)[0] for value in spread]
        for size in sizes:
            for scheme in SCHEMES:
                splits = [
                    split_held(
                        draw.prompt_tokens,
                        draw.output_tokens,
                        scheme,
                        block_size=size,
                        max_length=case.max_length,
                    )
                    for draw in draws
                ]
                used[scheme, size, mean] = np.array([split.used_pct for split in splits])
    return WasteGrid(tuple(spread), tuple(sizes), tuple(outputs), used, start)
