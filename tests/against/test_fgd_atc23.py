"""The packing model against the experiment of ATC 2023, cell by cell and on average."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from gpudeck.hardware import Nodes
from gpudeck.models.scheduling import (
    POLICIES,
    TypicalPods,
    fill,
    fill_curves,
    fragmentation_of,
    random_orders,
    typical_pods,
)
from gpudeck.models.scheduling.published import compute_published
from gpudeck.tables import read_columns, read_table
from gpudeck.workload import Pods, openb_nodes, openb_pods, read_openb_nodes, read_openb_pods

PUBLISHED = {
    "dotprod": "02-DotProd",
    "clustering": "03-GpuClustering",
    "packing": "04-GpuPacking",
    "bestfit": "05-BestFit",
    "fgd": "06-FGD",
}


# Typical pods (CPU, GPUs, share, model, probability) that the authors test their F with.
# Source: hkust-adsl/kubernetes-scheduler-simulator, pkg/utils/frag_test.go.
WITH_MODELS = [
    (6000, 1, 465, "", 0.0933),
    (8000, 1, 440, "2080", 0.0915),
    (8000, 1, 475, "T4", 0.0876),
    (8000, 1, 440, "P100", 0.0872),
    (2000, 1, 465, "", 0.0868),
    (12000, 1, 900, "", 0.0865),
    (4000, 1, 900, "", 0.0843),
    (16000, 1, 678, "T4", 0.0836),
    (8000, 1, 500, "", 0.0829),
    (6000, 1, 511, "", 0.0811),
    (14000, 2, 1000, "2080", 0.0054),
    (4000, 1, 1000, "2080", 0.0043),
    (32000, 2, 1000, "T4", 0.0043),
    (16000, 1, 1000, "V100M16", 0.0040),
    (64000, 2, 1000, "", 0.0040),
    (10000, 2, 1000, "", 0.0040),
    (11400, 1, 1000, "T4", 0.0036),
    (16000, 1, 1000, "T4", 0.0036),
    (4000, 2, 1000, "", 0.0036),
    (14000, 2, 1000, "V100M16", 0.0036),
    (8000, 4, 1000, "", 0.0036),
    (16000, 2, 1000, "", 0.0032),
    (2000, 1, 1000, "T4", 0.0032),
    (6000, 1, 1000, "", 0.0032),
    (4000, 1, 1000, "", 0.0032),
    (5000, 1, 1000, "", 0.0032),
    (32000, 4, 1000, "V100M16", 0.0032),
    (32000, 2, 1000, "", 0.0032),
    (24000, 8, 1000, "2080", 0.0032),
    (40000, 4, 1000, "", 0.0029),
    (32000, 8, 1000, "", 0.0029),
    (32000, 1, 1000, "T4", 0.0029),
    (16000, 1, 1000, "", 0.0025),
    (7000, 1, 1000, "V100M16", 0.0025),
    (24000, 1, 1000, "T4", 0.0025),
]
WITH_CPU_PODS = [
    (15700, 1, 1000, "", 0.2869),
    (11900, 1, 1000, "", 0.1893),
    (11400, 1, 1000, "", 0.1227),
    (1000, 0, 0, "", 0.0736),
    (18710, 1, 1000, "", 0.0485),
    (8200, 1, 1000, "", 0.0379),
    (16400, 1, 1000, "", 0.0331),
    (9810, 1, 1000, "", 0.0197),
    (15200, 1, 1000, "", 0.0187),
    (11200, 1, 1000, "", 0.0181),
    (14200, 1, 1000, "", 0.0176),
    (12000, 0, 0, "", 0.0165),
    (14900, 1, 1000, "", 0.0139),
    (60200, 4, 1000, "", 0.0123),
    (64200, 8, 1000, "", 0.0107),
    (32200, 4, 1000, "", 0.0101),
    (17400, 2, 1000, "", 0.0091),
    (30200, 2, 1000, "", 0.0069),
    (16000, 1, 1000, "", 0.0064),
    (15000, 1, 1000, "", 0.0059),
    (64000, 8, 1000, "", 0.0053),
    (15000, 0, 0, "", 0.0053),
    (11910, 1, 1000, "", 0.0053),
    (120200, 8, 1000, "", 0.0048),
    (11300, 1, 1000, "", 0.0037),
    (30000, 2, 1000, "", 0.0032),
    (9800, 1, 1000, "", 0.0032),
    (8000, 1, 1000, "", 0.0032),
    (2000, 1, 1000, "", 0.0027),
    (2000, 1, 80, "", 0.0027),
    (1000, 1, 1000, "", 0.0027),
]


@pytest.fixture(scope="module")
def trace(shared: Path) -> tuple[Nodes, Pods]:
    folder = shared / "traces/openb"
    return (
        read_openb_nodes(folder / "openb_node_list_gpu_node.csv"),
        read_openb_pods(folder / "openb_pod_list_default.csv"),
    )


@pytest.fixture(scope="module")
def orders(shared: Path) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    found = {}
    for line in (shared / "oracles/fgd_default_orders_seeds42-44.csv").read_text().splitlines():
        seed, *numbers = map(int, line.split(","))
        found[seed] = np.array(numbers[:1213]), np.array(numbers[1213:])
    return found


def read_curves(path: Path) -> dict[tuple[str, str], np.ndarray]:
    with path.open(newline="") as file:
        return {
            (row["sc_policy"], row.get("seed", "")): np.array(
                [float(row[str(k)]) for k in range(131)]
            )
            for row in csv.DictReader(file)
        }


@pytest.mark.parametrize("policy", PUBLISHED)
def test_every_cell_of_the_published_curves(
    policy: str,
    shared: Path,
    trace: tuple[Nodes, Pods],
    orders: dict[int, tuple[np.ndarray, np.ndarray]],
) -> None:
    published = read_curves(shared / "oracles/fgd_default_curves_seeds42-44.csv")
    assert sorted(orders) == [42, 43, 44]
    for seed, (rank, order) in orders.items():
        curve = fill(*trace, order, rank, policy).allocated_pct(130)
        assert np.abs(curve - published[PUBLISHED[policy], str(seed)]).max() < 0.01


def test_the_means_of_ten_random_orders() -> None:
    rows = read_table("published/packing").rows
    assert {row.id.partition("@")[0] for row in rows} == {*PUBLISHED, "random"}
    computed = compute_published(rows)
    for row in rows:
        assert row.low <= computed[row.id] <= row.high, row.id


def test_the_published_rows_are_those_of_the_oracle(shared: Path) -> None:
    names = PUBLISHED | {"random": "01-Random"}
    means = read_curves(shared / "oracles/fgd_default_mean_curve.csv")
    for row in read_table("published/packing"):
        policy, _, percent = row.id.partition("@")
        assert row.number == pytest.approx(means[names[policy], ""][int(percent)], abs=0.005)
    points = read_columns(Path(__file__).parents[2] / "data/published/fgd_atc23_curve.csv")
    for policy, percent, value in zip(*list(points.values())[:3], strict=True):
        assert float(value) == means[names[policy], ""][int(percent)]


def test_random_is_near_the_published_mean_at_every_percent(shared: Path) -> None:
    mean = read_curves(shared / "oracles/fgd_default_mean_curve.csv")["01-Random", ""]
    curves = fill_curves(openb_nodes(), openb_pods(), ["random"], 1.3, range(20))
    assert np.abs(curves.allocated_pct["random"].mean(axis=0) - mean).max() < 0.35


def test_ties_by_rank_are_what_makes_fgd_good(trace: tuple[Nodes, Pods]) -> None:
    order, rank = random_orders(trace[1], trace[0], 1.3, seed=0)
    allocated = {p: fill(*trace, order, rank, p).allocated_pct(130)[130] for p in POLICIES}
    assert max(allocated, key=allocated.get) == "fgd"
    assert min(allocated, key=allocated.get) == "random"


def test_the_random_orders_look_like_the_given_ones(
    trace: tuple[Nodes, Pods], orders: dict[int, tuple[np.ndarray, np.ndarray]]
) -> None:
    nodes, pods = trace
    lengths = []
    for order in [given for _, given in orders.values()] + [
        random_orders(pods, nodes, 1.3, seed)[0] for seed in range(3)
    ]:
        assert sorted(order[: len(pods)]) == list(range(len(pods)))
        load = pods.gpu_demand_milli[order].sum() / (1000 * nodes.gpu_count)
        assert 1.298 < load <= 1.3
        lengths.append(len(order))
    assert np.ptp(lengths) < 200


def test_the_tables_hold_the_multisets_of_the_trace(trace: tuple[Nodes, Pods]) -> None:
    for ours, theirs, columns in (
        (openb_nodes(), trace[0], ("cpu_milli", "memory_mib", "gpus", "model")),
        (openb_pods(), trace[1], ("cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec")),
    ):
        expand = [sorted(zip(*(getattr(t, c).tolist() for c in columns), strict=True))
                  for t in (ours, theirs)]  # fmt: skip
        assert expand[0] == expand[1]


def oracle(shared: Path, key: str) -> dict:
    cases = json.loads((shared / "oracles/scheduling.json").read_text())
    return next(case for case in cases if case["id"] == key)


def test_o9_first_fit_decreasing(shared: Path) -> None:
    case = oracle(shared, "O9")
    items = case["given"]["gpu_milli_items"]
    assert items == sorted(items, reverse=True)
    assert -(-sum(items) // 1000) == case["expected"]["opt_bins"]
    nodes = Nodes.from_types([1], [1], [1], ["T4"], [len(items)])
    pods = Pods.from_specs(*zip(*((0, 0, 1, milli, "", 1) for milli in items), strict=True))
    # On nodes of one GPU every dot product truncates to 99: what is left is first fit by rank.
    placed = fill(nodes, pods, range(len(items)), range(len(nodes)), "dotprod")
    assert len(set(placed.node.tolist())) == case["expected"]["ffd_bins"]


def test_o10_fgd_hand_example(shared: Path) -> None:
    case = oracle(shared, "O10")
    given, expected = case["given"], case["expected"]
    rows = given["typical"]
    typical = TypicalPods.from_probabilities(
        [r["cpu"] for r in rows],
        [r["num"] for r in rows],
        [r["gpu_milli"] for r in rows],
        [""] * len(rows),
        [r["p"] for r in rows],
    )
    left, cpu = given["node"]["gpu_left"], given["node"]["cpu_left"]
    task = given["task"]
    assert fragmentation_of(typical, cpu, left) == expected["F_before"]
    after = cpu - task["cpu"]
    assert (
        fragmentation_of(typical, after, [left[0], left[1] - 400])
        == (expected["F_after_on_gpu1_400"])
    )
    assert (
        fragmentation_of(typical, after, [left[0] - 400, left[1]])
        == (expected["F_after_on_gpu0_1000"])
    )
    # A pod of 600 makes that node, its GPUs the other way round: a tie goes to GPU 0.
    nodes = Nodes(["n"], [cpu], [10], [2], [""])
    pods = Pods.from_specs([0, task["cpu"]], [0, 0], [1, 1], [600, 400], ["", ""], [1, 1])
    result = fill(nodes, pods, [0, 1], [0], "fgd", typical=typical)
    assert result.device[0] == result.device[1]
    assert result.fragmented_milli.tolist() == [
        expected["F_before"],
        expected["F_after_on_gpu1_400"],
    ]


def test_o11_units_of_the_authors(shared: Path) -> None:
    expected = oracle(shared, "O11")["expected"]
    typical = TypicalPods.from_probabilities(*zip(*WITH_MODELS, strict=True))
    for name, left in (
        ("4x1080_used", [200, 1000, 1000, 500]),
        ("4x1080_full", [1000] * 4),
        ("8x1080_full", [1000] * 8),
    ):
        value = fragmentation_of(typical, 1000, left, "1080")
        assert value == pytest.approx(expected[name], abs=0.01)
    typical = TypicalPods.from_probabilities(*zip(*WITH_CPU_PODS, strict=True))
    for name, cpu, left in (
        ("8xP100_empty", 64000, [1000] * 8),
        ("8xP100_halved", 32000, [1000] * 4 + [0] * 4),
        ("8xP100_nocpu", 0, [1000] * 4 + [0] * 4),
    ):
        value = fragmentation_of(typical, cpu, left, "P100")
        assert value == pytest.approx(expected[name], abs=0.01)


def test_o16_idle_gpus_do_not_make_a_job_schedulable(shared: Path) -> None:
    given, expected = (oracle(shared, "O16")[key] for key in ("given", "expected"))
    nodes = Nodes.from_types([96000], [10**6], [given["gpus_per_node"]], ["T4"], [given["nodes"]])
    pods = Pods.from_specs([0] * 3, [0] * 3, [5, 6, 2], [1000] * 3, [""] * 3, [2, 1, 1])
    apart = fill(nodes, pods, [0, 1, 2], [0, 1], "least_allocated")
    assert apart.node.tolist() == [0, 1, -1]
    assert apart.capacity_milli - apart.allocated_milli[-1] == 1000 * expected["idle"]
    # Packed as 8 on one node and 2 on the other, the same 10 leave room for it.
    packed = fill(nodes, pods, [3, 3, 3, 3, 3, 2], [0, 1], "packing")
    assert packed.node.tolist() == [0, 0, 0, 0, 1, 1]
    assert expected["after_defrag_or_packing_10_on_node0_8_node1_2"]


def test_typical_pods_cover_95_percent_of_the_list(trace: tuple[Nodes, Pods]) -> None:
    typical = typical_pods(trace[1])
    assert typical.weight[:-1].sum() < 0.95 * len(trace[1]) <= typical.scale
    assert typical.probability.sum() == pytest.approx(1)
    assert (np.diff(typical.weight) <= 0).all()
    assert (typical.num_gpu == 0).any()
