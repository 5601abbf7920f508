"""What page 10 says of the curves: facts with intervals, a grid of what-ifs, snapshots of nodes."""

from itertools import pairwise

import numpy as np
import pytest

from gpudeck.hardware.node import Nodes
from gpudeck.models.scheduling import (
    fill,
    fill_curves,
    fill_grid,
    random_orders,
    read_published_curves,
    report_curves,
    report_lead,
    snapshot_models,
    typical_pods,
)
from gpudeck.models.scheduling.snapshot import snapshot_node
from gpudeck.workload import Pods


def make_nodes() -> Nodes:
    return Nodes.from_types([16000, 32000], [65536, 131072], [2, 4], ["T4", "V100"], [6, 5])


def make_pods() -> Pods:
    return Pods.from_specs(
        [2000, 4000, 8000], [4096, 8192, 8192], [1, 1, 2], [400, 700, 1000], [""] * 3, [20, 15, 5]
    )


def test_facts_are_the_means_of_the_last_point_with_their_intervals() -> None:
    nodes, pods = make_nodes(), make_pods()
    curves = fill_curves(nodes, pods, ["random", "fgd"], 1.2, range(4))
    facts = {fact.key: fact for fact in report_curves(curves, typical_pods(pods), pods)}
    last = curves.allocated_pct["fgd"][:, -1]
    assert facts["fgd"].value == pytest.approx(last.mean())
    assert facts["fgd"].interval is not None
    assert facts["fgd"].interval.low <= last.mean() <= facts["fgd"].interval.high
    paired = curves.fragmented_pct["random"][:, -1] - curves.fragmented_pct["fgd"][:, -1]
    assert facts["fragment_saved"].value == pytest.approx(paired.mean())
    assert (facts["load"].value, facts["orders"].value) == (120, 4)
    assert facts["typical_share"].value >= 95


def test_published_points_are_six_curves_that_never_fall() -> None:
    points = read_published_curves()
    assert len({point.policy for point in points}) == 6
    for policy in {point.policy for point in points}:
        curve = [(p.arrived_pct, p.allocated_pct) for p in points if p.policy == policy]
        assert curve == sorted(curve)
        assert all(b[1] >= a[1] - 0.01 for a, b in pairwise(curve))


def test_a_grid_cell_is_the_same_as_filling_that_cell_alone() -> None:
    nodes, pods = make_nodes(), make_pods()
    grid = fill_grid(nodes, pods, 3, sharing_pct=(50, 90), cpu_pct=(50, 100), every=1)
    alone = fill_grid(nodes, pods, 3, sharing_pct=(90,), cpu_pct=(50,), every=1)
    assert set(grid.allocated_pct) == {
        (s, c, p) for s in (50, 90) for c in (50, 100) for p in ("fgd", "bestfit", "random")
    }
    np.testing.assert_array_equal(
        grid.allocated_pct[90, 50, "fgd"], alone.allocated_pct[90, 50, "fgd"]
    )
    lead = {fact.key: fact.value for fact in report_lead(grid, 50)}
    fgd, random = (grid.allocated_pct[50, 100, policy][-1] for policy in ("fgd", "random"))
    assert lead["lead"] == pytest.approx(fgd - random)


def test_more_cpu_never_places_less_when_cpu_is_what_runs_out() -> None:
    grid = fill_grid(make_nodes(), make_pods(), 0, sharing_pct=(80,), cpu_pct=(25, 100), every=1)
    for policy in grid.policies:
        assert grid.allocated_pct[80, 25, policy][-1] < grid.allocated_pct[80, 100, policy][-1]


def test_snapshots_add_up_to_what_was_allocated() -> None:
    nodes, pods = make_nodes(), make_pods()
    order, rank = random_orders(pods, nodes, 1.2, 0)
    result = fill(nodes, pods, order, rank, "fgd")
    every = [snapshot_node(nodes, pods, order, result, node) for node in range(len(nodes))]
    used = sum(sum(snapshot.gpu_used) for snapshot in every)
    assert used * 1000 == pytest.approx(result.allocated_milli[-1])
    for snapshot in every:
        assert all(0 <= share <= 1 for share in snapshot.gpu_used)
        assert 0 <= snapshot.cpu_used <= 1
        assert 0 <= snapshot.memory_used <= 1


def test_snapshots_show_each_model_the_largest_first() -> None:
    nodes, pods = make_nodes(), make_pods()
    order, rank = random_orders(pods, nodes, 1.2, 0)
    result = fill(nodes, pods, order, rank, "fgd")
    shown = snapshot_models(nodes, pods, order, result)
    assert [snapshot.model for snapshot in shown] == ["V100", "T4", "V100", "T4"]
    assert len({snapshot.name for snapshot in shown}) == 4


def test_a_fleet_of_one_node_has_one_snapshot() -> None:
    nodes, pods = make_nodes().take([0]), make_pods()
    order, rank = random_orders(pods, nodes, 1.0, 0)
    result = fill(nodes, pods, order, rank, "packing")
    assert len(snapshot_models(nodes, pods, order, result)) == 1
