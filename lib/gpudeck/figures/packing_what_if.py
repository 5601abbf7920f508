"""The what-if slides of page 10: another workload or CPU, precomputed; another policy, live."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.orchestration import POLICY_STYLE
from gpudeck.figures.plot_frame import PlotFrame, draw_plot_frame
from gpudeck.figures.style import USEFUL, WASTE
from gpudeck.figures.what_if import Line, Slider, State, WhatIf
from gpudeck.models.scheduling import POLICIES, FillResult, fill, random_order, typical_pods
from gpudeck.scenario import Cluster, Scenario
from gpudeck.units import format_quantity
from gpudeck.workload.resample import resample_sharing

COMPARED = ("fgd", "bestfit", "random")
DASHES = {"fgd": "", "bestfit": "9 5", "random": "10 4"}
SHARING_PCT = (20, 40, 60, 80, 100)
CPU_PCT = (50, 75, 100, 150)
LOAD_PCT = 130
# a quarter of the fleet: sixty simulations in the time of one page
FLEET_SHARE = 4
LIVE_LOADS_PCT = (80, 90, 100, 110, 120, 130, 140, 150, 160)
# controls above and one line of readout below
_CONTROLS_PX = 82


def packing_what_if(cluster: Cluster, seed: int, lang: str, page: Captioned) -> WhatIf:
    """Return the explorer of three policies over the share of sharing pods and the nodes' CPU."""
    nodes = cluster.nodes.take(np.arange(0, len(cluster.nodes), FLEET_SHARE))

    def compute(sharing_pct: int, cpu_pct: int) -> State:
        pods = resample_sharing(cluster.pods, sharing_pct, seed)
        scaled = replace(nodes, cpu_milli=nodes.cpu_milli * cpu_pct // 100)
        order, rank = random_order(pods, nodes, LOAD_PCT / 100, seed)
        typical = typical_pods(pods)
        y = np.array(
            [
                fill(scaled, pods, order, rank, policy, seed=seed, typical=typical).allocated_pct(
                    LOAD_PCT
                )
                for policy in COMPARED
            ]
        )
        ends = {policy: float(row[~np.isnan(row)][-1]) for policy, row in zip(COMPARED, y, strict=True)}
        words = {name: format_quantity(end, "%", lang, decimals=1) for name, end in ends.items()}
        words["load"] = format_quantity(LOAD_PCT, "%", lang, decimals=0)
        words["gain"] = format_quantity(ends["fgd"] - ends["random"], "point", lang, decimals=1)
        return State(np.arange(LOAD_PCT + 1.0)[60:], y[:, 60:], words)

    sliders = (
        Slider("sharing_pct", page.label("sharing"), SHARING_PCT, _percents(SHARING_PCT), 1),
        Slider("cpu_pct", page.label("cpu"), CPU_PCT, _percents(CPU_PCT), CPU_PCT.index(100)),
    )
    lines = tuple(
        Line(page.label(policy), str(POLICY_STYLE[policy]["color"]), DASHES[policy])
        for policy in COMPARED
    )
    return WhatIf(_frame(page, (60, LOAD_PCT), (40, 100)), lines, sliders, compute)


def packing_live(page: Captioned) -> WhatIf:
    """Return the live slide: any policy at any load on the whole fleet, run by the kernel."""
    policies = tuple(POLICIES)
    sliders = (
        Slider(
            "policy",
            page.label("policy"),
            policies,
            tuple(page.label(policy) for policy in policies),
            policies.index("fgd"),
        ),
        Slider("load_pct", page.label("load"), LIVE_LOADS_PCT, _percents(LIVE_LOADS_PCT), 5),
    )
    lines = (
        Line(page.label("allocated"), USEFUL),
        Line(page.label("fragmented"), WASTE, DASHES["random"]),
    )
    frame = _frame(page, (0, LIVE_LOADS_PCT[-1]), (0, 100))
    return WhatIf(frame, lines, sliders, run_live)


def run_live(scenario: Scenario, seed: int, lang: str, *, policy: str, load_pct: int) -> State:
    """Place the scenario's pods by a policy up to a load; return allocated and fragmented GPUs.

    Parameters
    ----------
    scenario, seed, lang
        What the deck was opened with.
    policy : str
        One of `POLICIES`.
    load_pct : int
        Demand that arrives, in % of the fleet's GPUs.
    """
    cluster = _cluster(scenario, seed)
    order, rank = random_order(cluster.pods, cluster.nodes, load_pct / 100, seed)
    result: FillResult = fill(cluster.nodes, cluster.pods, order, rank, policy, seed=seed)
    y = np.array([result.allocated_pct(load_pct), result.fragmented_pct(load_pct)])
    ends = [format_quantity(float(row[~np.isnan(row)][-1]), "%", lang, decimals=1) for row in y]
    words = {
        "load": format_quantity(load_pct, "%", lang, decimals=0),
        "allocated": ends[0],
        "fragmented": ends[1],
        "failed": format_quantity(int((result.node < 0).sum()), "pod", lang, decimals=0),
    }
    return State(np.arange(load_pct + 1.0), y, words)


@cache
def _cluster(scenario: Scenario, seed: int) -> Cluster:
    return scenario.cluster_tables(seed)


def _percents(values: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"{value}%" for value in values)


def _frame(page: Captioned, x: tuple[float, float], y: tuple[float, float]) -> PlotFrame:
    size_px = (page.slot.width_px, page.slot.height_px - _CONTROLS_PX)
    names = (page.label("x"), page.label("y"))
    return draw_plot_frame(page.key, page.title, page.alt, size_px, x, y, names)
