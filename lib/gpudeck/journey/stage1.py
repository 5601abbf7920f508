"""Stage 1: sharing. The same fleet, workload and seeds, pods get the part of a GPU they ask for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.journey.baseline import MODEL, STATISTICS, report_cost, run_baseline
from gpudeck.journey.run import Loss, Runs, run_days
from gpudeck.scenario import Cluster, Scenario
from gpudeck.tables import read_table

# what is compared, in the order of the pages
MEASURES = ("tenancy", "asked", "sm", "useful", "waiting_pods", "gpus_needed", "cost_useful")
# published gains of sharing: key of the fact, and its row
PUBLISHED = {
    "pai_saved": ("PAI", "gpus_saved_by_sharing"),
    "orion_cost": ("Orion", "training_cost_saving_up_to"),
    "miso_whole": ("MISO", "completion_time_cut_vs_whole_gpu"),
    "miso_static": ("MISO", "completion_time_cut_vs_static_mig"),
    "aegaeon_before": ("Aegaeon", "gpus_before"),
    "aegaeon_after": ("Aegaeon", "gpus_after"),
}
_UNITS = {
    "tenancy": "pod",
    "asked": "%",
    "sm": "%",
    "useful": "%",
    "waiting_pods": "pod",
    "gpus_needed": "GPU",
    "cost_useful": "USD/GPU-hour",
}
_DECIMALS = {"tenancy": 2, "waiting_pods": 0, "gpus_needed": 0, "cost_useful": 2}


@dataclass(frozen=True, slots=True, eq=False)
class StageEffect:
    """Days without and with a stage, paired by their seeds, and the price of a GPU-hour."""

    before: Runs
    after: Runs
    usd_per_gpu_h: float

    def __post_init__(self) -> None:
        if not 0 < self.usd_per_gpu_h < np.inf:
            msg = f"usd_per_gpu_h is {self.usd_per_gpu_h}; allowed is above 0"
            raise InputError(msg)
        if len(self.before.runs) != len(self.after.runs):
            msg = (
                f"{len(self.before.runs)} runs before and {len(self.after.runs)} after; allowed"
                " is the same number, paired"
            )
            raise InputError(msg)

    def samples(self, measure: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return a measure before and after, each of shape (runs,).

        Parameters
        ----------
        measure : str
            One of `MEASURES`.

        Raises
        ------
        InputError
            There is no such measure.
        """
        if measure not in MEASURES:
            msg = f"measure is {measure!r}; allowed are {', '.join(MEASURES)}"
            raise InputError(msg)
        before, after = (self._values(runs, measure) for runs in (self.before, self.after))
        return before, after

    def change_pct(self, measure: str) -> NDArray[np.float64]:
        """Return the change of a measure in percent of what it was before, shape (runs,)."""
        before, after = self.samples(measure)
        return 100 * (after / before - 1)

    def _values(self, runs: Runs, measure: str) -> NDArray[np.float64]:
        if measure == "tenancy":
            return runs.tenancy
        if measure == "useful":
            return runs.percent("useful")
        if measure == "cost_useful":
            return self.usd_per_gpu_h * runs.paid_per_useful
        if measure in ("asked", "sm"):
            return runs.gpu_pct(measure)
        return runs.values(measure)


def run_stage1(
    scenario: Scenario, cluster: Cluster, seed: int, *, loss: Loss | None = None
) -> StageEffect:
    """Simulate the same days without and with sharing.

    Parameters
    ----------
    scenario, cluster, seed
        As in `run_days`.
    loss : (float, float), optional
        Least and greatest part of a sharing pod's work that sharing costs, 0 to 1; the scenario's
        if not told.
    """
    before = run_baseline(scenario, cluster, seed)
    after = run_days(scenario, cluster, seed, "share", loss=loss)
    return StageEffect(before, after, scenario.cost.central_usd_per_gpu_h)


def report_stage1(effect: StageEffect, scenario: Scenario, lang: str) -> tuple[Fact, ...]:
    """Return each measure before and after with its 95 % interval over the runs.

    Parameters
    ----------
    effect : StageEffect
        From `run_stage1`.
    scenario : Scenario
        Its prices, and the loss by sharing that it states.
    lang : str
        Language of what the price is of, "zh" or "en".

    Returns
    -------
    tuple of Fact
        `<measure>_before`, `<measure>_after` for each of `MEASURES`; `cost_cut`, `gpus_cut`,
        `useful_gain` (%, paired); `free_before`, `free_after`, `stranded_before`,
        `stranded_after`, `grain_before`, `shared_after` (% of GPU time); `sharing_pods` (% of GPU
        pods) that ask for part of one GPU; `loss_low`, `loss_high`, `runs`, `price`, `month`,
        `basis`.
    """
    by = function_name(run_stage1)
    facts = []
    for measure in MEASURES:
        for when, samples in zip(("before", "after"), effect.samples(measure), strict=True):
            facts.append(
                mean_fact(
                    f"{measure}_{when}",
                    samples,
                    _UNITS[measure],
                    MODEL,
                    by,
                    decimals=_DECIMALS.get(measure, 1),
                )
            )
    gains = (("cost_cut", "cost_useful", -1), ("gpus_cut", "gpus_needed", -1))
    for key, measure, sign in (*gains, ("useful_gain", "useful", 1)):
        facts.append(mean_fact(key, sign * effect.change_pct(measure), "%", MODEL, by))
    prices = report_cost(effect.after, scenario, lang)
    facts += [fact for fact in prices if fact.key in ("price", "month", "basis")]
    pods = effect.after.runs[0].day.pods
    asks, shares = pods.num_gpu > 0, (pods.num_gpu == 1) & (pods.gpu_milli < 1000)
    for when, runs in (("before", effect.before), ("after", effect.after)):
        free = runs.percent("unneeded", "stranded")
        facts.append(mean_fact(f"free_{when}", free, "%", MODEL, by))
        facts.append(mean_fact(f"stranded_{when}", runs.percent("stranded"), "%", MODEL, by))
    facts += [
        mean_fact("grain_before", effect.before.percent("grain"), "%", MODEL, by),
        mean_fact("shared_after", effect.after.percent("shared"), "%", MODEL, by, decimals=2),
        Fact("sharing_pods", 100 * float(shares.sum() / asks.sum()), "%", "simulated", MODEL, by),
        Fact("loss_low", scenario.use.sharing_loss_low_pct, "%", "scenario", scenario.id, by),
        Fact("loss_high", scenario.use.sharing_loss_high_pct, "%", "scenario", scenario.id, by),
        Fact("runs", len(effect.after.runs), "count", "simulated", MODEL, by, decimals=0),
    ]
    return tuple(facts)


def report_gains() -> tuple[Fact, ...]:
    """Return published gains of sharing GPUs, as facts."""
    table = read_table(STATISTICS)
    by = function_name(report_gains)
    facts = []
    for key, place in PUBLISHED.items():
        row = table.row(*place)
        facts.append(Fact(key, row.number, row.unit, row.kind, row.sources[0], by))
    return tuple(facts)
