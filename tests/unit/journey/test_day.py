import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.hardware.node import Nodes
from gpudeck.journey.day import Day, measure_gpus, simulate_day, whole_gpus
from gpudeck.journey.session import draw_sessions
from gpudeck.journey.use import HOURS, KINDS, PPM, draw_use
from gpudeck.journey.waterfall import NANO, PARTS, attribute_day
from gpudeck.scenario import read_scenario
from gpudeck.workload.pod import Pods

SCENARIO = read_scenario("small")
NODES = Nodes.from_types([64000, 32000], [2**18, 2**17], [4, 2], ["T4", "P100"], [2, 2])


def pods_of(counts: list[int]) -> Pods:
    """Sharing pods of three sizes, whole ones, pairs, and one kind without GPU."""
    return Pods.from_specs(
        [2000, 4000, 1000, 8000, 8000, 4000],
        [4096] * 6,
        [1, 1, 1, 1, 2, 0],
        [250, 500, 810, 1000, 1000, 0],
        ["", "T4", "", "", "", ""],
        counts,
    )


def day_of(pods: Pods, grain: str, seed: int = 0, policy: str = "least_allocated") -> Day:
    use = draw_use(pods, SCENARIO.tenants, SCENARIO.use, seed)
    sessions = draw_sessions(use, SCENARIO.use, seed)
    return simulate_day(NODES, pods, use, sessions, grain, seed, policy)


some_pods = (
    st.lists(st.integers(0, 6), min_size=5, max_size=5)
    .filter(any)
    .map(lambda counts: pods_of([*counts, 2]))
)
grains = st.sampled_from(["whole", "share"])


def test_sessions_cover_each_kind_for_its_hours() -> None:
    pods = pods_of([40] * 6)
    use = draw_use(pods, SCENARIO.tenants, SCENARIO.use, seed=1)
    sessions = draw_sessions(use, SCENARIO.use, seed=1)
    hours = np.bincount(sessions.pod, sessions.end_h - sessions.start_h, len(pods))
    expected = {"inference": 24, "training": 24, "notebook": 10}
    for place, name in enumerate(KINDS):
        assert (hours[use.kind == place] == expected[name]).all()
    assert (hours[use.kind == -1] == 24).all()
    # no two jobs of a pod at once
    assert np.bincount(sessions.pod, minlength=len(pods)).sum() == len(sessions)
    per_pod = np.zeros((len(pods), HOURS), dtype=int)
    np.add.at(per_pod, sessions.pod, sessions.present)
    assert per_pod.max() == 1
    training = use.kind[sessions.pod] == KINDS.index("training")
    lengths = (sessions.end_h - sessions.start_h)[training]
    # jobs of 6 hours on average that a day cuts at both ends
    assert 3.5 < lengths.mean() < 6


def test_whole_gpus_rounds_up_and_leaves_cpu_pods() -> None:
    pods = pods_of([1] * 6)
    assert whole_gpus(pods).gpu_milli.tolist() == [1000, 1000, 1000, 1000, 1000, 0]
    assert whole_gpus(pods).num_gpu.tolist() == pods.num_gpu.tolist()


def test_unknown_grain_is_refused() -> None:
    with pytest.raises(InputError, match="allowed are 'whole' and 'share'"):
        day_of(pods_of([1] * 6), "half")


@given(pods=some_pods, grain=grains, seed=st.integers(0, 20))
@settings(max_examples=30, deadline=None)
def test_every_gpu_hour_has_one_cause(pods, grain, seed) -> None:
    day = day_of(pods, grain, seed)
    waterfall = attribute_day(day, sharing_loss=0.02)
    assert set(waterfall.nano) == set(PARTS)
    hourly = np.sum([waterfall.nano[part] for part in PARTS], axis=0)
    assert (hourly == NODES.gpu_count * NANO).all()
    assert min(int(nano.min()) for nano in waterfall.nano.values()) >= 0
    assert sum(waterfall.part(part) for part in PARTS) == 1
    assert waterfall.part(*PARTS) == 1


@given(pods=some_pods, grain=grains, seed=st.integers(0, 20))
@settings(max_examples=20, deadline=None)
def test_booking_equals_a_loop_over_hours_and_jobs(pods, grain, seed) -> None:
    day = day_of(pods, grain, seed)
    waterfall = attribute_day(day, sharing_loss=0.25)
    capacity = NODES.gpu_count
    for hour in range(HOURS):
        parts = dict.fromkeys(PARTS, 0.0)
        held = waiting = 0.0
        for job in range(len(day.sessions)):
            pod = day.sessions.pod[job]
            if not day.sessions.start_h[job] <= hour < day.sessions.end_h[job]:
                continue
            asked = pods.num_gpu[pod] * pods.gpu_milli[pod] / 1000
            holds = float(pods.num_gpu[pod]) if grain == "whole" else asked
            if day.node[job] < 0:
                waiting += holds
                continue
            held += holds
            peak = asked * day.pod_use.peak_ppm[pod] / PPM
            used = peak * day.pod_use.course_ppm[day.pod_use.kind[pod], hour] / PPM
            lost = 0.25 * used if grain == "share" and asked < 1 else 0.0
            failed = (used - lost) * day.pod_use.failed_ppm[day.pod_use.kind[pod]] / PPM
            parts["grain"] += holds - asked
            parts["oversized"] += asked - peak
            parts["off_peak"] += peak - used
            parts["shared"] += lost
            parts["failed"] += failed
            parts["useful"] += used - lost - failed
        parts["stranded"] = min(capacity - held, waiting)
        parts["unneeded"] = capacity - held - parts["stranded"]
        for part, amount in parts.items():
            assert waterfall.nano[part][hour] / NANO == pytest.approx(amount, abs=1e-6), part
        assert waterfall.waiting_nano[hour] / NANO == pytest.approx(waiting)


@given(pods=some_pods, grain=grains, seed=st.integers(0, 20))
@settings(max_examples=20, deadline=None)
def test_gpus_add_up_to_the_fleet(pods, grain, seed) -> None:
    day = day_of(pods, grain, seed)
    gpus, waterfall = measure_gpus(day), attribute_day(day)
    free = float(waterfall.part("unneeded", "stranded"))
    used = float(waterfall.part("useful", "failed", "shared"))
    assert len(gpus.held) == NODES.gpu_count
    assert gpus.held.mean() == pytest.approx(1 - free)
    assert gpus.asked.mean() == pytest.approx(1 - free - float(waterfall.part("grain")))
    assert gpus.sm.mean() == pytest.approx(used, abs=1e-5)
    assert (gpus.held <= 1 + 1e-9).all()
    assert (gpus.sm <= gpus.asked + 1e-9).all()
    assert (gpus.asked <= gpus.held + 1e-9).all()
    if grain == "whole":
        assert gpus.tenancy in (0.0, 1.0)


@given(pods=some_pods, seed=st.integers(0, 20))
@settings(max_examples=20, deadline=None)
def test_names_of_pods_change_no_sum(pods, seed) -> None:
    day = day_of(pods, "share", seed)
    rng = np.random.default_rng(seed)
    jobs = rng.permutation(len(day.sessions))
    shuffled = Day(
        nodes=day.nodes,
        pods=pods,
        sessions=type(day.sessions)(
            day.sessions.pod[jobs], day.sessions.start_h[jobs], day.sessions.end_h[jobs]
        ),
        pod_use=day.pod_use,
        grain=day.grain,
        node=day.node[jobs],
        device=day.device[jobs],
        held_milli=day.held_milli[jobs],
        asked_milli=day.asked_milli[jobs],
    )
    first, second = attribute_day(day, 0.01), attribute_day(shuffled, 0.01)
    assert all((first.nano[part] == second.nano[part]).all() for part in PARTS)
    assert measure_gpus(day).tenancy == pytest.approx(measure_gpus(shuffled).tenancy)
    assert measure_gpus(day).sm == pytest.approx(measure_gpus(shuffled).sm)


def test_an_idle_fleet_is_unneeded_and_an_overrun_one_is_stranded() -> None:
    quiet = attribute_day(day_of(pods_of([1, 0, 0, 0, 0, 0]), "share"))
    assert not quiet.nano["stranded"].any()
    assert quiet.part("unneeded") > 0.9
    assert quiet.waiting_gpu_hours == 0
    # pairs of GPUs on a fleet whose every node has an odd one left
    pods = Pods.from_specs([1], [1], [3], [1000], [""], [20])
    busy = attribute_day(day_of(pods, "whole"))
    assert not busy.nano["unneeded"].any()
    assert busy.part("stranded") >= 6 / NODES.gpu_count / 24 * 24
    assert busy.waiting_gpu_hours > 0


def test_loss_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match="sharing_loss is"):
        attribute_day(day_of(pods_of([1] * 6), "share"), 1.5)


def test_a_large_fleet_does_not_leave_64_bits() -> None:
    nodes = Nodes.from_types([10**6], [2**22], [62], ["T4"], [400])
    pods = Pods.from_specs([1], [1], [62], [1000], [""], [400])
    use = draw_use(pods, SCENARIO.tenants, SCENARIO.use, 0)
    sessions = draw_sessions(use, SCENARIO.use, 0)
    waterfall = attribute_day(simulate_day(nodes, pods, use, sessions, "whole", 0))
    assert sum(waterfall.part(part) for part in PARTS) == 1
    assert 0.1 < waterfall.part("useful") < 0.4
