"""The nine metrics of a serving run in one place: measured once, named once, used by every page."""

from __future__ import annotations

from dataclasses import dataclass

from gpudeck.metrics.economy import tokens_per_joule, tokens_per_usd
from gpudeck.metrics.efficiency import decoding_parallelism, prefill_efficiency
from gpudeck.metrics.latency import LatencySummary, measure_tbt, measure_tpot, measure_ttft
from gpudeck.metrics.memory import cache_overhead, memory_overhead
from gpudeck.metrics.throughput import measure_goodput, measure_throughput
from gpudeck.metrics.utilisation import (
    busy_fraction,
    model_bandwidth_utilisation,
    model_flops_utilisation,
)
from gpudeck.models.serving.objectives import Objectives
from gpudeck.models.serving.result import ServingResult


@dataclass(frozen=True, slots=True)
class ServingMetrics:
    """The nine metrics, and the parts of those that have several; shares from 0 to 1.

    Units and formulas are in `DEFINITIONS`.
    """

    throughput: float
    goodput: float
    ttft: LatencySummary
    tpot: LatencySummary
    tbt: LatencySummary
    busy: float
    mfu: float
    mbu: float
    memory_overhead: float
    cache_overhead: float
    prefill_efficiency: float
    decoding_parallelism: float
    tokens_per_usd: float
    tokens_per_joule: float


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric as the appendix prints it: a unit of `gpudeck.units`, and its formula in TeX."""

    metric: str
    unit: str
    formula: str


DEFINITIONS = (
    Definition("throughput", "token/s", r"\sum n_{out}\,/\,T"),
    Definition("ttft", "s", r"t_{first} - t_{arrival}"),
    Definition("tbt", "s", r"t_{k+1} - t_k"),
    Definition("utilisation", "1", r"T_{busy}\,/\,T"),
    Definition("memory_overhead", "1", r"1 - (W + KV_{live})\,/\,HBM_{allocated}"),
    Definition(
        "prefill_efficiency",
        "1",
        r"2 P_{active} \sum (n_{in} - n_{cached})\,/\,(T_{prefill}\, F_{peak})",
    ),
    Definition("decoding_parallelism", "count", r"\sum b_i\,\Delta t_i\,/\,\sum \Delta t_i"),
    Definition("tokens_per_usd", "token/USD", r"\sum n_{out}\,/\,(G\,T\,p_{GPU})"),
    Definition("tokens_per_joule", "token/J", r"\sum n_{out}\,/\,(E\cdot PUE)"),
)
# measures beside the nine, on the same pages
FURTHER = (
    Definition("goodput", "request/s", r"n_{met}\,/\,T"),
    Definition("tpot", "s", r"(t_{last} - t_{first})\,/\,(n_{out} - 1)"),
    Definition("mfu", "1", r"2 P_{active}\,n_{tokens}\,/\,(T\, F_{peak})"),
    Definition("mbu", "1", r"\sum (W + KV_{live})\,/\,(T\, B_{HBM})"),
    Definition("cache_overhead", "1", r"1 - KV_{live}\,/\,KV_{allocated}"),
)


def measure_serving(
    result: ServingResult,
    objectives: Objectives,
    usd_per_gpu_h: float,
    *,
    host_w_per_gpu: float = 0.0,
    pue: float = 1.0,
) -> ServingMetrics:
    """Measure everything of one run.

    Parameters
    ----------
    result
        A run of `simulate`.
    objectives
        What goodput asks of a request.
    usd_per_gpu_h
        Price of a GPU-hour, US dollars.
    host_w_per_gpu, pue
        Boundary of the energy: 0 and 1 for the GPUs alone; see `tokens_per_joule`.

    Raises
    ------
    InputError
        A price, an objective or a boundary is out of range.

    >>> from gpudeck.models.serving import Engine, Replica, RequestTable, simulate
    >>> run = simulate(RequestTable([0.0], [100], [5]), Engine(), Replica())
    >>> measure_serving(run, Objectives(1.0, 0.1), 2.0).decoding_parallelism > 0
    True
    """
    return ServingMetrics(
        throughput=measure_throughput(result),
        goodput=measure_goodput(result, objectives.ttft_s, objectives.tbt_s),
        ttft=measure_ttft(result),
        tpot=measure_tpot(result),
        tbt=measure_tbt(result),
        busy=busy_fraction(result),
        mfu=model_flops_utilisation(result),
        mbu=model_bandwidth_utilisation(result),
        memory_overhead=memory_overhead(result),
        cache_overhead=cache_overhead(result),
        prefill_efficiency=prefill_efficiency(result),
        decoding_parallelism=decoding_parallelism(result),
        tokens_per_usd=tokens_per_usd(result, usd_per_gpu_h),
        tokens_per_joule=tokens_per_joule(result, host_w_per_gpu, pue),
    )
