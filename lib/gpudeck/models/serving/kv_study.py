"""Four ways to hold the same requests in one KV memory, and what lengths spread does to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.models.serving.kv_memory import FullLoad, fill_memory
from gpudeck.models.serving.kv_waste import SCHEMES, split_held
from gpudeck.rng import generator
from gpudeck.tables import read_table

MODEL = "model:kv-memory"
# assumptions: the published means come without a spread, so lengths are lognormal with this one
SPREAD = 1.0
REQUESTS = 400


@dataclass(frozen=True, slots=True)
class KvCase:
    """A KV memory and the requests for it: capacity and lengths in tokens."""

    capacity_tokens: int
    max_length: int
    prompt_mean: float
    output_mean: float
    source: str


@dataclass(frozen=True, slots=True)
class KvStudy:
    """Each scheme under full load, one `FullLoad` a run, the same requests in each scheme."""

    case: KvCase
    block_size: int
    loads: dict[str, tuple[FullLoad, ...]]

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
    same for each block size.
    """

    spread: tuple[float, ...]
    block_size: tuple[int, ...]
    output_mean: tuple[int, ...]
    used_pct: dict[tuple[str, int, int], NDArray[np.float64]]


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
        memory.sources[0],
    )


def draw_lengths(
    case: KvCase, seed: int, *, count: int = REQUESTS, spread: float = SPREAD
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw prompts and outputs: independent, lognormal, cut where the sum passes the longest.

    Parameters
    ----------
    case
        Means and longest length; the cut takes from the prompt, then from the output.
    seed
        Seed of the draws.
    count
        Number of requests.
    spread
        Standard deviation over mean of each length, 0 or above.

    Raises
    ------
    InputError
        The spread is negative or not finite, or there is no request.

    >>> prompt, output = draw_lengths(published_case(), 0, count=3, spread=0.0)
    >>> prompt.tolist(), output.tolist()
    ([161, 161, 161], [338, 338, 338])
    """
    if not 0 <= spread < float("inf") or count < 1:
        msg = f"spread is {spread}, count {count}; allowed are 0 or above, and 1 or above"
        raise InputError(msg)
    rng = generator(seed, "kv lengths")
    sigma = np.sqrt(np.log1p(spread**2))
    both = []
    for mean in (case.prompt_mean, case.output_mean):
        drawn = mean * np.exp(sigma * rng.standard_normal(count) - sigma**2 / 2)
        both.append(np.maximum(np.round(drawn), 1).astype(np.int64))
    output = np.minimum(both[1], case.max_length)
    prompt = np.clip(both[0], 1, case.max_length - output + 1)
    return prompt, output


def compare_schemes(
    case: KvCase, seeds: Sequence[int], *, block_size: int = 16, count: int = REQUESTS
) -> KvStudy:
    """Hold the same requests by maximum, power of two, true length and pages, under full load.

    Parameters
    ----------
    case
        Memory and lengths.
    seeds
        One run each; two or more for an interval.
    block_size
        Tokens of a block.
    count
        Requests of a run.

    Raises
    ------
    InputError
        As `fill_memory` and `draw_lengths`.

    Source: Kwon et al., SOSP 2023, Figure 2.
    """
    draws = [draw_lengths(case, seed, count=count) for seed in seeds]
    loads = {
        scheme: tuple(
            fill_memory(
                *draw,
                scheme,
                case.capacity_tokens,
                block_size=block_size,
                max_length=case.max_length,
            )
            for draw in draws
        )
        for scheme in SCHEMES
    }
    return KvStudy(case, block_size, loads)


def waste_grid(
    case: KvCase,
    seed: int = 0,
    *,
    spread: Sequence[float] = tuple(np.linspace(0, 2, 11).round(1).tolist()),
    block_size: Sequence[int] = (1, 8, 16, 32, 64, 128, 256),
    output_mean: Sequence[int] = (50, 150, 338, 600),
) -> WasteGrid:
    """Compute the used part of the memory that requests hold, in closed form, over a grid.

    Parameters
    ----------
    case
        Longest length and mean of the prompts.
    seed
        Seed of the lengths; the same normal draws in every cell.
    spread, block_size, output_mean
        The grid: standard deviation over mean, tokens, tokens.
    """
    used: dict[tuple[str, int, int], NDArray[np.float64]] = {}
    for mean in output_mean:
        cell = KvCase(case.capacity_tokens, case.max_length, case.prompt_mean, mean, case.source)
        draws = [draw_lengths(cell, seed, spread=value) for value in spread]
        for size in block_size:
            for scheme in SCHEMES:
                splits = [
                    split_held(*draw, scheme, block_size=size, max_length=case.max_length)
                    for draw in draws
                ]
                used[scheme, size, mean] = np.array([split.used_pct for split in splits])
    return WasteGrid(tuple(spread), tuple(block_size), tuple(output_mean), used)


def report_kv(study: KvStudy) -> tuple[Fact, ...]:
    """Return the facts of page 19's memory.

    Returns
    -------
    tuple of Fact
        For each scheme `<scheme>` (memory that holds a token, % of the capacity) and
        `batch_<scheme>`; `gain` (batch of pages over batch of the maximum); parts of the maximum,
        `reservation`, `internal`, `external`, and `paged_internal`; `block_size`, `capacity`,
        `max_length`, `runs`; `earlier_low` and `earlier_high`, published.
    """
    by = function_name(compare_schemes)
    facts = []
    for scheme in study.loads:
        facts.append(mean_fact(scheme, study.percent(scheme)["live"], "%", MODEL, by))
        facts.append(mean_fact(f"batch_{scheme}", study.batch(scheme), "count", MODEL, by))
    parts = study.percent("max")
    facts += [
        mean_fact(name, parts[name], "%", MODEL, by)
        for name in ("reservation", "internal", "external")
    ]
    paged = study.percent("paged")
    facts.append(mean_fact("paged_internal", paged["internal"], "%", MODEL, by, decimals=2))
    gain = study.batch("paged") / study.batch("max")
    facts.append(mean_fact("gain", gain, "1", MODEL, by))
    settings = (
        ("block_size", study.block_size, "token"),
        ("capacity", study.case.capacity_tokens, "token"),
        ("max_length", study.case.max_length, "token"),
        ("runs", len(study.loads["paged"]), "count"),
    )
    facts += [Fact(k, v, u, "computed", MODEL, by) for k, v, u in settings]
    row = read_table("kv_memory").row("earlier-systems", "kv_used")
    facts += [
        Fact(f"earlier_{name}", float(value), "%", row.kind, row.sources[0], by, decimals=1)
        for name, value in (("low", row.low), ("high", row.high))
        if value is not None
    ]
    return tuple(facts)


def report_grid(grid: WasteGrid, block_size: int) -> tuple[Fact, ...]:
    """Return the worst of pages over the grid at one block size, and the best of the maximum.

    Returns
    -------
    tuple of Fact
        `worst_paged`: largest waste of pages, in % of what requests hold, and `best_max`: largest
        used part where slots are of the longest length.
    """
    by = function_name(waste_grid)
    cells = [(block_size, mean) for mean in grid.output_mean]
    worst = max(float(100 - grid.used_pct["paged", *cell].min()) for cell in cells)
    best = max(float(grid.used_pct["max", *cell].max()) for cell in cells)
    return (
        Fact("worst_paged", worst, "%", "simulated", MODEL, by, decimals=1),
        Fact("best_max", best, "%", "simulated", MODEL, by, decimals=1),
    )
