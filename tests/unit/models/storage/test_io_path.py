"""Paths into the GPU: hops, bandwidth, latency by size, CPU time, Little's law."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.storage import (
    ROUTES,
    IoPath,
    RequestCost,
    build_path,
    build_remote_path,
    join_hops,
    little_latency_s,
    read_request_cost,
)
from gpudeck.models.storage.io_path import dgx2_gb_s
from gpudeck.scenario import read_scenario

PARTS = {
    "storage_gb_s": 40, "switch_gb_s": 60, "root_gb_s": 30,
    "drive_gb_s": 5, "link_gb_s": 50, "copy_gb_s": 10,
}  # fmt: skip


def path(route: str, **changes: float) -> IoPath:
    """Return a path of round numbers."""
    hops = join_hops(route, **(PARTS | changes))
    return IoPath(
        route,
        hops,
        memory_gb_s=80,
        device_latency_s=100e-6,
        iops_max=1e6,
        cost=RequestCost(20e-6, 0.05),
        copy_gb_s=10,
    )


def test_the_bounce_path_crosses_memory_four_times_and_the_direct_path_never() -> None:
    assert [path(route).memory_passes for route in ROUTES] == [4, 2, 0]
    assert [path(route).cpu_copies for route in ROUTES] == [1, 0, 0]
    assert [hop.bytes_per_byte for hop in path("bounce").hops] == [1, 1, 2, 1]


def test_bandwidth_is_the_least_part() -> None:
    assert (path("bounce").gb_s, path("bounce").limit) == (20, "memory")
    assert (path("pinned").gb_s, path("pinned").limit) == (30, "switch>pinned_buffer")
    assert (path("direct").gb_s, path("direct").limit) == (40, "storage>switch")
    assert (path("direct", storage_gb_s=90).gb_s) == 60


def test_latency_adds_the_hops_one_after_the_other() -> None:
    size = 1e6
    assert path("direct").latency_s(size) == pytest.approx(100e-6 + 200e-6)
    assert path("pinned").latency_s(size) == pytest.approx(100e-6 + 200e-6 + 20e-6)
    assert path("bounce").latency_s(size) == pytest.approx(100e-6 + 200e-6 + 20e-6 + 100e-6)


def test_cpu_time_is_requests_bytes_and_copies() -> None:
    assert path("direct").cpu_s_per_gb(1e6) == pytest.approx(0.02 + 0.05)
    assert path("bounce").cpu_s_per_gb(1e6) == pytest.approx(0.02 + 0.05 + 0.1)


def test_few_requests_follow_littles_law_and_many_wait() -> None:
    direct = path("direct")
    one = direct.rate(1e6, 1)
    assert one.iops == pytest.approx(1 / 300e-6)
    assert one.latency_s == pytest.approx(300e-6)
    assert one.gb_s == pytest.approx(1e6 / 300e-6 / 1e9)
    many = direct.rate(1e6, 64)
    assert many.gb_s == pytest.approx(40)
    assert many.latency_s == pytest.approx(64 * 1e6 / 40e9)
    assert many.cpu_cores == pytest.approx(40 * 0.07)
    # small requests end at what the devices serve
    assert direct.rate(512, 4096).iops == 1e6


@settings(max_examples=50, deadline=None)
@given(route=st.sampled_from(ROUTES), size=st.floats(1, 1e9), in_flight=st.integers(1, 4096))
def test_a_rate_never_beats_a_limit_and_littles_law_holds(
    route: str, size: float, in_flight: int
) -> None:
    way = path(route)
    rate = way.rate(size, in_flight)
    assert rate.iops * rate.latency_s == pytest.approx(in_flight)
    assert rate.gb_s <= way.gb_s * (1 + 1e-12)
    assert rate.latency_s >= way.latency_s(size) * (1 - 1e-12)
    more = way.rate(size, in_flight + 1)
    assert more.iops >= rate.iops * (1 - 1e-12)


@settings(max_examples=50, deadline=None)
@given(size=st.floats(1, 1e9))
def test_the_direct_path_is_never_slower_or_dearer(size: float) -> None:
    bounce, pinned, direct = (path(route) for route in ROUTES)
    assert direct.latency_s(size) <= pinned.latency_s(size) <= bounce.latency_s(size)
    assert direct.cpu_s_per_gb(size) <= pinned.cpu_s_per_gb(size) <= bounce.cpu_s_per_gb(size)
    assert bounce.gb_s <= pinned.gb_s <= direct.gb_s


@pytest.mark.parametrize("size", [0, -4096, math.inf, math.nan])
def test_a_request_has_bytes(size: float) -> None:
    for call in (path("direct").latency_s, path("direct").cpu_s_per_gb):
        with pytest.raises(InputError, match="io_bytes is"):
            call(size)
    with pytest.raises(InputError, match="io_bytes is"):
        path("direct").rate(size, 1)


def test_bad_parts_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="in_flight is 0"):
        path("direct").rate(4096, 0)
    with pytest.raises(InputError, match="gb_s of storage to switch is 0"):
        path("direct", storage_gb_s=0)
    with pytest.raises(InputError, match="memory_gb_s is 0"):
        replace(path("direct"), memory_gb_s=0)
    with pytest.raises(InputError, match="device_latency_s is -1"):
        replace(path("direct"), device_latency_s=-1)
    with pytest.raises(InputError, match="route is 'magic'; allowed are bounce, pinned, direct"):
        path("magic")


def test_a_line_through_two_measured_points_meets_both() -> None:
    cost = read_request_cost()
    small, large = cost.cpu_s_per_gb(4096), cost.cpu_s_per_gb(2**20)
    # busy share of 96 threads over 850,240 reads a second, and over 6.52 GiB/s
    assert small == pytest.approx(96 * 0.2255 / 850_240 / 4096 * 1e9)
    assert large == pytest.approx(96 * 0.0045 / (6.524658 * 2**30 / 1e9))
    with pytest.raises(InputError, match="io_bytes is 0"):
        cost.cpu_s_per_gb(0)


def test_a_scenarios_paths_use_its_drives_or_its_file_system() -> None:
    system = read_scenario("default").storage
    direct = build_path(system, "direct")
    assert direct.limits["storage>switch"] == system.drives_per_node * system.drive_gb_s
    assert build_path(system, "direct", 3.5).gb_s == 3.5
    assert build_path(system, "bounce").limits["memory"] == system.memory_gb_s / 4


def test_a_network_adds_its_range_and_tcp_takes_the_way_over_memory() -> None:
    system = read_scenario("default").storage
    rdma, tcp = (build_remote_path(system, name) for name in ("rdma", "tcp"))
    assert (rdma.path.memory_passes, tcp.path.memory_passes) == (0, 4)
    low, high = rdma.latency_s(4096)
    assert high - low == pytest.approx(10e-6)
    assert low > build_path(system, "direct").latency_s(4096)
    assert tcp.added_high_s == pytest.approx(100e-6)
    with pytest.raises(InputError, match="transport is 'fc'; allowed are rdma, tcp"):
        build_remote_path(system, "fc")


def test_littles_law_and_the_dgx_2() -> None:
    assert little_latency_s(32, 16) == 2
    with pytest.raises(InputError, match="per_s is 0"):
        little_latency_s(1, 0)
    assert dgx2_gb_s("direct", 100, 3.4) == 200
    with pytest.raises(InputError, match="drives is 0"):
        dgx2_gb_s("direct", 0, 3.4)
