"""The compiled kernel against a plain twin, placement by placement."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.hardware import Nodes
from gpudeck.models.scheduling import POLICIES, TypicalPods, fill, replay, typical_pods
from gpudeck.models.scheduling.kubernetes import least_allocated, most_allocated
from gpudeck.rng import generator
from gpudeck.workload import Pods

MODELS = ("", "P100", "T4")


@dataclass
class Machine:
    """One node of the twin."""

    cpu: int
    memory: int
    model: str
    offered: dict[str, int]
    left: list[int]
    pods: list[tuple[int, ...]] = field(default_factory=list)

    @property
    def kinds(self) -> list[int]:
        return [0 if num == 1 and milli < 1000 else num for num, milli in self.pods if num]


def fragmentation(typical: TypicalPods, cpu: int, left: list[int], model: str) -> Fraction:
    total = Fraction(0)
    for i in range(len(typical)):
        num, milli = int(typical.num_gpu[i]), int(typical.gpu_milli[i])
        spec = str(typical.gpu_spec[i])
        fits = num > 0 and (not spec or model in spec.split("|"))
        fits = fits and cpu >= typical.cpu_milli[i] and sum(d >= milli for d in left) >= num
        lost = sum(d for d in left if d < milli) if fits else sum(left)
        total += Fraction(int(typical.weight[i])) * lost
    return total / int(typical.scale)


def fits(machine: Machine, pod: dict) -> bool:
    if machine.cpu < pod["cpu"] or machine.memory < pod["memory"] or len(machine.pods) >= 1001:
        return False
    if pod["spec"] and machine.model not in pod["spec"].split("|"):
        return False
    if pod["num"] == 1 and pod["milli"] < 1000:
        return max(machine.left, default=0) >= pod["milli"]
    return machine.left.count(1000) >= pod["num"]


def options(machine: Machine, pod: dict) -> list[list[int]]:
    """Every choice of devices, in the order of the lowest device."""
    if pod["num"] == 1 and pod["milli"] < 1000:
        return [[i] for i, left in enumerate(machine.left) if left >= pod["milli"]]
    return [[i for i, left in enumerate(machine.left) if left == 1000][: pod["num"]]]


def after(machine: Machine, pod: dict, devices: list[int]) -> list[int]:
    return [d - pod["milli"] * (i in devices) for i, d in enumerate(machine.left)]


def fgd(machine: Machine, pod: dict, devices: list[int], typical: TypicalPods) -> int:
    left, cpu = after(machine, pod, devices), machine.cpu - pod["cpu"]
    before = fragmentation(typical, machine.cpu, machine.left, machine.model)
    gain = float(before - fragmentation(typical, cpu, left, machine.model))
    return int(100 / (1 + exp(-gain / 1000)))


def score(policy: str, machine: Machine, pod: dict, typical: TypicalPods) -> int:  # noqa: PLR0911
    num, milli, gpu_left = pod["num"], pod["milli"], sum(machine.left)
    if policy == "fgd":
        return max(fgd(machine, pod, devices, typical) for devices in options(machine, pod))
    if policy in {"least_allocated", "most_allocated"}:
        left = {"cpu": machine.cpu, "memory": machine.memory, "gpu": gpu_left}
        used = {r: machine.offered[r] - left[r] for r in left}
        asked = {"cpu": pod["cpu"], "memory": pod["memory"], "gpu": num * milli}
        rule = least_allocated if policy == "least_allocated" else most_allocated
        return rule(machine.offered, used, asked, dict.fromkeys(left, 1))
    if policy == "bestfit":
        rest = (machine.cpu - pod["cpu"]) / 128000 + (gpu_left - num * milli) / 8000
        return int(100 * (1 - rest / 2))
    if policy == "dotprod":
        cpu = machine.cpu / 128000 * (pod["cpu"] / 128000)
        return int(100 * (1 - (cpu + gpu_left / 8000 * (num * milli / 8000)) / 2))
    if num == 0:
        return 0
    free = machine.left.count(1000)
    if policy == "packing":
        if free == len(machine.left):
            return max(33 - free, free)
        tightest = min((machine.left[i] for (i, *_) in options(machine, pod)), default=1000)
        if tightest == 1000:
            return max(50 - num, 33)
        return max(100 - tightest * 100 // 1000 // 10, 50)
    kind = 0 if num == 1 and milli < 1000 else num
    kinds = set(machine.kinds)
    base = 25 if not kinds else 75 if kinds == {kind} else 50 if kind in kinds else 0
    return base + int(25 * (8000 - gpu_left) / 8000)


def choose_devices(policy: str, machine: Machine, pod: dict, typical: TypicalPods, draw: float):
    choices = options(machine, pod)
    if pod["num"] != 1 or pod["milli"] == 1000:
        return choices[0]
    if policy == "fgd":
        return max(choices, key=lambda devices: fgd(machine, pod, devices, typical))
    if policy == "random":
        return choices[int(draw * len(choices))]
    return min(choices, key=lambda devices: machine.left[devices[0]])


class Twin:
    def __init__(self, nodes: Nodes, pods: Pods, rank: list[int], policy: str) -> None:
        self.policy, self.rank, self.typical = policy, rank, typical_pods(pods)
        self.machines = [
            Machine(c, m, model, {"cpu": c, "memory": m, "gpu": 1000 * g}, [1000] * g)
            for c, m, g, model in zip(
                nodes.cpu_milli.tolist(),
                nodes.memory_mib.tolist(),
                nodes.gpus.tolist(),
                nodes.model.tolist(),
                strict=True,
            )
        ]
        columns = {
            "cpu": pods.cpu_milli,
            "memory": pods.memory_mib,
            "num": pods.num_gpu,
            "milli": pods.gpu_milli,
            "spec": pods.gpu_spec,
        }
        self.pods = [{k: v[i].item() for k, v in columns.items()} for i in range(len(pods))]
        self.held: dict[int, tuple[int, dict, list[int]]] = {}

    def arrive(self, k: int, index: int, draws: np.ndarray) -> tuple[int, int]:
        pod = self.pods[index]
        able = [n for n, machine in enumerate(self.machines) if fits(machine, pod)]
        able.sort(key=lambda n: self.rank[n])
        if not able:
            return -1, 0
        if self.policy == "random":
            n = able[int(draws[0] * len(able))]
        else:
            scores = [score(self.policy, self.machines[n], pod, self.typical) for n in able]
            low, high = min(scores), max(scores)
            if self.policy == "bestfit":
                scores = [(s - low) * 100 // (high - low) if high > low else 0 for s in scores]
            n = able[scores.index(max(scores))]
        machine = self.machines[n]
        devices = choose_devices(self.policy, machine, pod, self.typical, draws[1])
        machine.left = after(machine, pod, devices)
        machine.cpu -= pod["cpu"]
        machine.memory -= pod["memory"]
        machine.pods.append((pod["num"], pod["milli"]))
        self.held[k] = n, pod, devices
        return n, sum(1 << i for i in devices)

    def leave(self, k: int) -> None:
        if k in self.held:
            n, pod, devices = self.held.pop(k)
            machine = self.machines[n]
            machine.left = after(machine, pod | {"milli": -pod["milli"]}, devices)
            machine.cpu += pod["cpu"]
            machine.memory += pod["memory"]
            machine.pods.remove((pod["num"], pod["milli"]))

    def allocated(self) -> int:
        return sum(machine.offered["gpu"] - sum(machine.left) for machine in self.machines)

    def fragmented(self) -> float:
        parts = (fragmentation(self.typical, m.cpu, m.left, m.model) for m in self.machines)
        return float(sum(parts))


@st.composite
def clusters(draw: st.DrawFn) -> tuple[Nodes, Pods, list[int], list[int]]:
    size = draw(st.integers(1, 6))
    gpus = draw(st.lists(st.integers(0, 8), min_size=size, max_size=size))
    nodes = Nodes(
        [f"n{i}" for i in range(size)],
        draw(st.lists(st.sampled_from([4000, 16000, 96000]), min_size=size, max_size=size)),
        draw(st.lists(st.sampled_from([4096, 65536]), min_size=size, max_size=size)),
        gpus,
        [draw(st.sampled_from(MODELS[1:])) if g else "" for g in gpus],
    )
    share = st.tuples(st.just(1), st.sampled_from([50, 110, 230, 320, 470, 500, 810, 999, 1000]))
    asks = st.one_of(share, st.just((0, 0)), st.sampled_from([(2, 1000), (4, 1000), (8, 1000)]))
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from([0, 1000, 3000, 8000]),
                st.sampled_from([0, 1024, 8192]),
                asks,
                st.sampled_from(["", "", "T4", "P100|T4"]),
            ),
            min_size=1,
            max_size=8,
        )
    )
    pods = Pods.from_specs(
        [r[0] for r in rows],
        [r[1] for r in rows],
        [r[2][0] for r in rows],
        [r[2][1] for r in rows],
        [r[3] if r[2][0] else "" for r in rows],
        draw(st.lists(st.integers(1, 3), min_size=len(rows), max_size=len(rows))),
    )
    order = draw(st.lists(st.integers(0, len(pods) - 1), min_size=1, max_size=40))
    return nodes, pods, order, draw(st.permutations(range(size)))


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=80, deadline=None)
@given(clusters())
def test_fill_is_its_twin(policy: str, case: tuple[Nodes, Pods, list[int], list[int]]) -> None:
    nodes, pods, order, rank = case
    result = fill(nodes, pods, order, rank, policy, seed=7)
    twin = Twin(nodes, pods, rank, policy)
    draws = generator(7, "packing draw").random((len(order), 2))
    for k, index in enumerate(order):
        expected = twin.arrive(k, index, draws[k])
        assert (result.node[k], result.device[k]) == expected
        assert result.allocated_milli[k] == twin.allocated()
        assert result.fragmented_milli[k] == pytest.approx(twin.fragmented(), abs=1e-6)


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=40, deadline=None)
@given(clusters(), st.data())
def test_replay_is_its_twin(
    policy: str, case: tuple[Nodes, Pods, list[int], list[int]], data: st.DataObject
) -> None:
    nodes, pods, order, rank = case
    times = st.lists(st.integers(0, 20), min_size=len(order), max_size=len(order))
    arrival = np.array(data.draw(times))
    departure = arrival + np.array(data.draw(times))
    result = replay(
        nodes,
        pods,
        rank,
        policy,
        order=order,
        arrival_s=arrival,
        departure_s=departure,
        seed=7,
    )
    # Departures before arrivals; a pod without duration leaves after it came.
    events = [(t, 1, k) for k, t in enumerate(arrival.tolist())]
    stays = (departure > arrival).tolist()
    events += [(t, 0 if stays[k] else 2, k) for k, t in enumerate(departure.tolist())]
    twin = Twin(nodes, pods, rank, policy)
    draws = generator(7, "packing draw").random((len(order), 2))
    for e, (time, turn, k) in enumerate(sorted(events)):
        if turn == 1:
            assert (result.node[k], result.device[k]) == twin.arrive(k, order[k], draws[k])
        else:
            twin.leave(k)
        assert result.time_s[e] == time
        assert result.allocated_milli[e] == twin.allocated()
        assert result.fragmented_milli[e] == pytest.approx(twin.fragmented(), abs=1e-6)
    assert result.allocated_milli[-1] == 0


def test_memory_is_looked_for_behind_the_best_score() -> None:
    nodes = Nodes(["a", "b", "c"], [8000] * 3, [1024, 1024, 4096], [1, 1, 1], ["T4"] * 3)
    pods = Pods.from_specs([1000, 1000], [1024, 4096], [1, 1], [100, 100], ["", ""], [1, 1])
    result = fill(nodes, pods, [0, 1, 1], [0, 1, 2], "bestfit")
    assert result.node.tolist() == [0, 2, -1]


def test_a_node_takes_1001_pods() -> None:
    nodes = Nodes.from_types([10**6], [10**6], [1], ["T4"], [1])
    pods = Pods.from_specs([1], [1], [0], [0], [""], [1])
    result = fill(nodes, pods, [0] * 1003, [0], "fgd")
    assert (result.node == 0).sum() == 1001


def test_more_nodes_than_one_block_are_searched_for_the_smallest_rank() -> None:
    nodes = Nodes.from_types([8000], [65536], [1], ["T4"], [700])
    pods = Pods.from_specs([1000], [1024], [1], [1000], [""], [1])
    rank = generator(0, "test").permutation(700)
    result = fill(nodes, pods, [0] * 701, rank, "packing")
    assert result.node[:-1].tolist() == np.argsort(rank).tolist()
    assert result.node[-1] == -1
