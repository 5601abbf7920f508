"""The facts of page 10: what the packing experiment says, each number with its interval."""

from __future__ import annotations

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.models.scheduling.fragmentation import TypicalPods
from gpudeck.models.scheduling.grid import FillGrid, fill_grid
from gpudeck.models.scheduling.packing import FillCurves, fill_curves
from gpudeck.models.scheduling.published import read_published_curves
from gpudeck.workload.pod import Pods

MODEL = "model:packing"


def report_curves(curves: FillCurves, typical: TypicalPods, pods: Pods) -> tuple[Fact, ...]:
    """Return what the curves say at the end of the experiment.

    Parameters
    ----------
    curves : FillCurves
        From `fill_curves`, two orders of arrival or more.
    typical : TypicalPods
        The typical pods that FGD saw.
    pods : Pods
        The workload.

    Returns
    -------
    tuple of Fact
        For each policy `<policy>` (allocated, % of capacity) and `fragmented_<policy>`;
        `fragment_saved` (points, paired over the orders, Random less FGD); `load`, `orders`,
        `typical_pods`, `typical_share`; `published_fgd`.
    """
    by = function_name(fill_curves)
    facts = []
    for prefix, samples in (("", curves.allocated_pct), ("fragmented_", curves.fragmented_pct)):
        for policy, values in samples.items():
            facts.append(mean_fact(f"{prefix}{policy}", values[:, -1], "%", MODEL, by))
    if {"random", "fgd"} <= curves.fragmented_pct.keys():
        saved = curves.fragmented_pct["random"][:, -1] - curves.fragmented_pct["fgd"][:, -1]
        facts.append(mean_fact("fragment_saved", saved, "point", MODEL, by))
    covered_pct = 100 * float(typical.weight.sum()) / len(pods)
    settings = (
        ("load", int(curves.arrived_pct[-1]), "%"),
        ("orders", len(curves.seeds), "count"),
        ("typical_pods", len(typical), "count"),
        ("typical_share", covered_pct, "%"),
    )
    facts += [
        Fact(key, value, unit, "simulated", MODEL, by, decimals=0) for key, value, unit in settings
    ]
    last = [point for point in read_published_curves() if point.policy == "fgd"][-1]
    facts.append(
        Fact(
            "published_fgd",
            last.allocated_pct,
            "%",
            "published-measurement",
            last.source,
            function_name(read_published_curves),
            decimals=1,
        )
    )
    return tuple(facts)


def report_lead(grid: FillGrid, sharing_pct: int = 40) -> tuple[Fact, ...]:
    """Return FGD's lead over Random at the nodes' own CPU (`lead`) and at most CPU (`lead_rich`).

    In points, one order of arrival each, at a share of sharing pods of the grid.
    """
    by = function_name(fill_grid)
    facts = []
    for key, cpu_pct in (("lead", 100), ("lead_rich", max(grid.cpu_pct))):
        fgd, random = (grid.allocated_pct[sharing_pct, cpu_pct, p][-1] for p in ("fgd", "random"))
        facts.append(Fact(key, float(fgd - random), "point", "simulated", MODEL, by, decimals=1))
    return tuple(facts)
