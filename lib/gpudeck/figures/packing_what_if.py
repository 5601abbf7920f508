"""The what-if slides of page 10: another workload or CPU, precomputed; another policy, live."""

from __future__ import annotations

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.orchestration import POLICY_STYLE
from gpudeck.figures.style import USEFUL, WASTE
from gpudeck.figures.what_if import (
    Line,
    Slider,
    State,
    WhatIf,
    live_cluster,
    percent_slider,
    readable,
    what_if_frame,
)
from gpudeck.models.scheduling import POLICIES, fill, random_orders
from gpudeck.models.scheduling.grid import FillGrid
from gpudeck.scenario import Scenario

DASHES = {"fgd": "", "bestfit": "9 5", "random": "10 4"}
FIRST_PCT = 60
LIVE_LOADS_PCT = (80, 90, 100, 110, 120, 130, 140, 150, 160)


def packing_what_if(grid: FillGrid, page: Captioned) -> WhatIf:
    """Return the explorer of a grid's policies over sharing pods and the nodes' CPU."""
    arrived = grid.arrived_pct[FIRST_PCT:]

    def look_up(sharing_pct: int, cpu_pct: int) -> State:
        curves = [grid.allocated_pct[sharing_pct, cpu_pct, policy] for policy in grid.policies]
        ends = {policy: float(c[-1]) for policy, c in zip(grid.policies, curves, strict=True)}
        words = {name: readable(end, "%", page.lang) for name, end in ends.items()}
        words["load"] = readable(int(arrived[-1]), "%", page.lang, decimals=0)
        words["gain"] = readable(ends["fgd"] - ends["random"], "point", page.lang)
        return State(arrived.astype(float), np.array(curves)[:, FIRST_PCT:], words)

    sliders = (
        percent_slider("sharing_pct", page.label("sharing"), grid.sharing_pct, 40),
        percent_slider("cpu_pct", page.label("cpu"), grid.cpu_pct, 100),
    )
    lines = tuple(
        Line(page.label(policy), str(POLICY_STYLE[policy]["color"]), DASHES[policy])
        for policy in grid.policies
    )
    return WhatIf(what_if_frame(page, (FIRST_PCT, arrived[-1]), (40, 100)), lines, sliders, look_up)


def packing_live(page: Captioned) -> WhatIf:
    """Return the live slide: any policy at any load on the whole fleet, run by the kernel."""
    policies = tuple(POLICIES)
    names = tuple(page.label(policy) for policy in policies)
    sliders = (
        Slider("policy", page.label("policy"), policies, names, policies.index("fgd")),
        percent_slider("load_pct", page.label("load"), LIVE_LOADS_PCT, 130),
    )
    lines = (
        Line(page.label("allocated"), USEFUL),
        Line(page.label("fragmented"), WASTE, DASHES["random"]),
    )
    return WhatIf(what_if_frame(page, (0, LIVE_LOADS_PCT[-1]), (0, 100)), lines, sliders, run_live)


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
    cluster = live_cluster(scenario, seed)
    order, rank = random_orders(cluster.pods, cluster.nodes, load_pct / 100, seed)
    result = fill(cluster.nodes, cluster.pods, order, rank, policy, seed=seed)
    y = np.array([result.allocated_pct(load_pct), result.fragmented_pct(load_pct)])
    words = {
        "load": readable(load_pct, "%", lang, decimals=0),
        "allocated": readable(float(y[0, -1]), "%", lang),
        "fragmented": readable(float(y[1, -1]), "%", lang),
        "failed": readable(int((result.node < 0).sum()), "pod", lang, decimals=0),
    }
    return State(np.arange(load_pct + 1.0), y, words)
