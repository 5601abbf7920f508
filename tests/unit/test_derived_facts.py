"""Specifications that follow from others: recomputed, or compared where two sources print both."""

import itertools

import pytest

from gpudeck.hardware.gpu import find_gpu, read_gpus
from gpudeck.hardware.link import find_link, find_node_fabric
from gpudeck.hardware.mig import (
    classic_profiles,
    enumerate_configurations,
    enumerate_placements,
    find_mig_profiles,
    read_mig_profiles,
)
from gpudeck.hardware.storage_device import find_storage_device
from gpudeck.tables import read_table
from gpudeck.units import convert

SEVEN_SLICES = ("A100-40G", "A100-80G", "H100-80G", "H200", "B200")


# -------------------------------------------------------------------------------- GPUs


@pytest.mark.parametrize(
    ("gpu", "batch"), [("A100-80G-SXM", 153), ("H100-SXM", 295), ("H200", 206), ("B200", 292)]
)
def test_the_ridge_batch_follows_from_flops_and_bandwidth(gpu: str, batch: int) -> None:
    # F·w/(2B) with 2-byte weights; B200 as a system file has it, 7.7 TB/s.
    found = find_gpu(gpu)
    bandwidth = found.rows["memory_bandwidth_gb_s"]
    gb_s = bandwidth.low if gpu == "B200" else found.memory_bandwidth_gb_s
    assert gb_s is not None
    assert round(found.half_tflops * 1000 / gb_s) == batch


def test_a_narrower_type_is_about_twice_as_fast() -> None:
    ratios = {}
    for gpu in read_gpus().values():
        if gpu.tf32_tflops and gpu.bf16_tflops:
            ratios[gpu.id, "bf16/tf32"] = gpu.bf16_tflops / gpu.tf32_tflops
        # Rubin's FP8 is 4.4 times its BF16: its maker says so.
        if gpu.fp8_tflops and gpu.bf16_tflops and gpu.id != "Rubin":
            ratios[gpu.id, "fp8/bf16"] = gpu.fp8_tflops / gpu.bf16_tflops
    assert len(ratios) > 25
    for name, ratio in ratios.items():
        assert ratio == pytest.approx(2, rel=0.025), name


def test_memory_bandwidth_per_flop_falls_with_the_years() -> None:
    bytes_per_kiloflop = [
        find_gpu(gpu).memory_bandwidth_gb_s / find_gpu(gpu).half_tflops
        for gpu in ("V100-32G-SXM", "A100-80G-SXM", "H200", "B200")
    ]
    assert bytes_per_kiloflop == sorted(bytes_per_kiloflop, reverse=True)
    assert bytes_per_kiloflop[0] / bytes_per_kiloflop[-1] == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("gpu", ["H100-SXM", "H200", "A100-80G-SXM", "B200", "GH200", "MI300X"])
def test_what_is_achieved_stays_below_the_peak(gpu: str) -> None:
    found = find_gpu(gpu)
    if found.bf16_achieved_tflops:
        assert 0.5 < found.bf16_achieved_tflops / found.half_tflops < 1
    if found.fp8_achieved_tflops and found.fp8_tflops:
        assert 0.5 < found.fp8_achieved_tflops / found.fp8_tflops < 1


def test_achieved_shares_are_those_of_the_training_model() -> None:
    h100, b200 = find_gpu("H100-SXM"), find_gpu("B200")
    assert h100.bf16_achieved_tflops is not None
    assert b200.bf16_achieved_tflops is not None
    assert round(100 * h100.bf16_achieved_tflops / h100.half_tflops) == 80
    assert round(100 * b200.bf16_achieved_tflops / b200.half_tflops) == 78


def test_every_value_is_possible() -> None:
    for gpu in read_gpus().values():
        assert 16 <= gpu.memory_gb <= 432
        assert 300 <= gpu.memory_bandwidth_gb_s <= 23300
        assert gpu.half_tflops > (gpu.fp32_tflops or 0) * 0.9
        assert gpu.tdp_w is None or 70 <= gpu.tdp_w <= 1400


def test_memory_that_the_driver_shows_is_part_of_what_is_printed() -> None:
    for gpu in read_gpus().values():
        if gpu.memory_visible_mib:
            assert 0.95 < convert(gpu.memory_visible_mib, "MiB", "GB") / gpu.memory_gb <= 1.04


# -------------------------------------------------------------------------------- links


@pytest.mark.parametrize(
    ("gpu", "link"),
    [
        ("V100-32G-SXM", "NVLink-2"),
        ("A100-40G-SXM", "NVLink-3"),
        ("A100-80G-SXM", "NVLink-3"),
        ("H100-SXM", "NVLink-4"),
        ("H200", "NVLink-4"),
        ("H20", "NVLink-4"),
        ("B200", "NVLink-5"),
        ("GB200", "NVLink-5"),
        ("B300", "NVLink-5"),
        ("GB300", "NVLink-5"),
        ("Rubin", "NVLink-6"),
    ],
)
def test_nvlink_both_ways_is_twice_one_way(gpu: str, link: str) -> None:
    assert find_gpu(gpu).nvlink_gb_s == 2 * find_link(link).direction_gb_s


def test_the_h800_lost_five_ninths_of_its_nvlink() -> None:
    assert 1 - find_gpu("H800-SXM").nvlink_gb_s / find_gpu("H100-SXM").nvlink_gb_s == 5 / 9


def test_infinity_fabric_is_seven_links() -> None:
    rows = read_table("network").of("Infinity-Fabric-MI300X")
    both_ways = 2 * rows["link_count"].number * rows["link_direction_gb_s"].number
    assert both_ways == find_gpu("MI300X").nvlink_gb_s == find_gpu("MI325X").nvlink_gb_s


@pytest.mark.parametrize(
    ("link", "gb_s"),
    [("IB-EDR", 12.5), ("IB-HDR", 25), ("IB-NDR", 50), ("IB-XDR", 100), ("IB-GDR", 200)],
)
def test_infiniband_carries_an_eighth_of_its_bits(link: str, gb_s: float) -> None:
    assert find_link(link).direction_gb_s == gb_s


@pytest.mark.parametrize(
    ("node", "gb_s"),
    [
        ("DGX-H100", 400),
        ("DGX-B300", 800),
        ("AWS-P5", 400),
        ("AWS-P6-B300", 800),
        ("GCP-A3-Mega", 200),
        ("GCP-A3-High", 100),
    ],
)
def test_the_fabric_of_a_node_is_the_sum_of_its_cards(node: str, gb_s: float) -> None:
    assert find_node_fabric(node).direction_gb_s == gb_s


@pytest.mark.parametrize(("gpu", "link"), [("A100", "NVLink-3"), ("B200", "NVLink-5")])
def test_measured_bus_bandwidth_stays_below_the_link(gpu: str, link: str) -> None:
    measured = read_table("network").row(f"NCCL-8x{gpu}", "allreduce_busbw_512mib_gb_s").number
    assert 0.7 * find_link(link).direction_gb_s < measured < find_link(link).direction_gb_s


def test_bus_bandwidth_follows_from_the_time_of_an_all_reduce() -> None:
    rows = read_table("network").of("NCCL-8xA100")
    seconds = convert(rows["allreduce_time_16gib_us"].number, "us", "s")
    bus_gb_s = convert(16, "GiB", "GB") / seconds * 2 * 7 / 8
    assert rows["allreduce_busbw_16gib_ring_gb_s"].number == pytest.approx(bus_gb_s, abs=0.01)


def test_measured_copies_stay_below_the_link() -> None:
    network = read_table("network")
    for link, attribute in (
        ("PCIe-gen5-x16", "measured_host_to_device_gb_s"),
        ("PCIe-gen5-x16", "measured_device_to_host_gb_s"),
        ("NVLink-4", "measured_pairwise_gb_s"),
    ):
        assert 0.8 < network.row(link, attribute).number / find_link(link).direction_gb_s < 1


# -------------------------------------------------------------------------------- MIG


@pytest.mark.parametrize("geometry", SEVEN_SLICES)
def test_seven_slices_have_nineteen_configurations(geometry: str) -> None:
    classic = classic_profiles(find_mig_profiles(geometry))
    configurations = enumerate_configurations(classic)
    assert len(configurations) == 19
    assert len(enumerate_placements(classic)) == 298
    assert len({tuple(sorted(p.profile for p in c)) for c in configurations}) == 14


def test_the_a30_has_five_configurations() -> None:
    classic = classic_profiles(find_mig_profiles("A30"))
    assert len(enumerate_configurations(classic)) == 5
    assert len(enumerate_placements(classic)) == 26


@pytest.mark.parametrize("geometry", SEVEN_SLICES)
def test_double_memory_makes_seventy_eight(geometry: str) -> None:
    profiles = [p for p in find_mig_profiles(geometry) if not p.media]
    assert len(enumerate_placements(profiles)) == 723
    assert len(enumerate_configurations(profiles)) == 78


@pytest.mark.parametrize(
    "compute", [(3, 3, 1), (4, 4), (7, 1), (2, 2, 2, 2), (4, 2, 1, 1)], ids=str
)
def test_what_cannot_be_placed_is_never_listed(compute: tuple[int, ...]) -> None:
    classic = classic_profiles(find_mig_profiles("A100-80G"))
    slices = {p.name: p.compute_slices for p in classic}
    held = [
        sorted((slices[p.profile] for p in s), reverse=True) for s in enumerate_placements(classic)
    ]
    assert sorted(compute, reverse=True) not in held


@pytest.mark.parametrize("geometry", sorted(read_mig_profiles()))
def test_placements_agree_with_a_search_over_all_sets(geometry: str) -> None:
    """A plain twin: take every set of up to seven instances, keep those that do not overlap."""
    classic = classic_profiles(find_mig_profiles(geometry))
    cells = {(p.name, s): set(range(s, s + p.memory_slices)) for p in classic for s in p.starts}
    found = 0
    for size in range(8):
        for held in itertools.combinations(cells, size):
            taken = [cell for instance in held for cell in cells[instance]]
            found += len(taken) == len(set(taken))
    assert len(enumerate_placements(classic)) == found


def test_an_order_can_block_a_profile() -> None:
    classic = classic_profiles(find_mig_profiles("A100-80G"))
    four = next(p for p in classic if p.compute_slices == 4)
    for placements in enumerate_placements(classic):
        names = {p.profile for p in placements}
        if any(p == ("1g.10gb", 0) for p in placements):
            assert four.name not in names


@pytest.mark.parametrize(
    ("gpu", "usable", "whole"),
    [("A100-40G-SXM", 98, 108), ("A100-80G-SXM", 98, 108), ("A30", 56, 56), ("H100-SXM", 112, 132)],
)
def test_slicing_loses_multiprocessors(gpu: str, usable: int, whole: int) -> None:
    found = find_gpu(gpu)
    assert found.mig_geometry is not None
    smallest = classic_profiles(find_mig_profiles(found.mig_geometry))[0]
    assert smallest.sm_count is not None
    assert smallest.sm_count * smallest.max_instances == usable
    assert found.sm_count == whole


def test_a_geometry_agrees_with_its_gpu() -> None:
    for gpu in read_gpus().values():
        if gpu.mig_geometry is None:
            continue
        profiles = classic_profiles(find_mig_profiles(gpu.mig_geometry))
        assert profiles[0].max_instances == gpu.mig_max_instances
        for profile in profiles:
            if profile.sm_count is not None and gpu.sm_count is not None:
                assert profile.sm_count <= gpu.sm_count
            if profile.memory_gib is not None:
                part = profile.memory_slices / max(p.memory_slices for p in profiles)
                gib = convert(gpu.memory_gb * part, "GB", "GiB")
                # A GPU's "80 GB" is 80 GiB less what the driver keeps.
                assert 0.95 * gib < profile.memory_gib < 1.08 * gib


@pytest.mark.parametrize("geometry", sorted(read_mig_profiles()))
def test_max_instances_follow_from_the_starts(geometry: str) -> None:
    for profile in find_mig_profiles(geometry):
        most = 1 if profile.media else len(profile.starts)
        assert profile.max_instances == most
        assert all(b - a >= profile.memory_slices for a, b in itertools.pairwise(profile.starts))


# -------------------------------------------------------------------------------- storage


@pytest.mark.parametrize("threads", [4, 8, 16, 32, 64, 128])
def test_the_direct_path_obeys_littles_law(threads: int) -> None:
    device = find_storage_device("GDS-DGX-2")
    iops = device.number(f"random_4k_iops_{threads}_threads")
    latency_us = device.number(f"random_4k_latency_us_{threads}_threads")
    in_flight = iops * latency_us * 1e-6
    assert in_flight == pytest.approx(threads, rel=0.04)


def test_sequential_reads_obey_littles_law() -> None:
    for name in ("GDS-DGX-2", "GDS-DGX-2-far"):
        device = find_storage_device(name)
        gib_s, latency_us = (
            device.number("sequential_gib_s"),
            device.number("sequential_latency_us"),
        )
        assert gib_s * 1024 * latency_us * 1e-6 == pytest.approx(8, rel=0.002)


def test_the_far_path_has_three_fifths_of_the_bandwidth() -> None:
    near, far = find_storage_device("GDS-DGX-2"), find_storage_device("GDS-DGX-2-far")
    assert far.number("sequential_gib_s") / near.number("sequential_gib_s") == pytest.approx(
        0.6, abs=0.005
    )


def test_small_files_cost_lustre_seventy_seven_times() -> None:
    local, remote = find_storage_device("NVMe-local"), find_storage_device("Lustre-mounted")
    ratio = remote.number("copy_13019_files_s") / local.number("copy_13019_files_s")
    assert round(ratio) == 77
    opens = convert(remote.number("open_ms"), "ms", "us") / local.number("open_us")
    assert round(opens) == 209


def test_a_production_system_stays_within_the_practical_range() -> None:
    practical, production = (
        find_storage_device(f"Lustre-{kind}") for kind in ("practical", "production")
    )
    for attribute in set(practical.rows) & set(production.rows):
        assert production.number(attribute) <= practical.number(attribute), attribute


# -------------------------------------------------------------------------------- energy, price


def test_a_day_of_eight_h100_is_134_kwh() -> None:
    tdp_w = find_gpu("H100-SXM").tdp_w
    assert tdp_w is not None
    kwh = convert(8 * tdp_w * 86400, "J", "kWh")
    assert kwh == pytest.approx(134.4)
    assert kwh * 1.2 * 400 / 1000 == pytest.approx(64.5, abs=0.05)


def test_embodied_carbon_of_a_gpu_is_an_eighth_of_the_board() -> None:
    rows = read_table("energy").of("HGX-H100")
    assert rows["embodied_kgco2e"].number / rows["gpus"].number == 164


def test_the_carbon_of_llama_3_1_follows_from_its_hours() -> None:
    # The card's own method: hours at the peak power of 700 W, one grid for all three models; the
    # smallest figure is rounded to 1.2 %.
    table = read_table("energy")
    intensities = []
    for model in ("8B", "70B", "405B"):
        rows = table.of(f"Llama-3.1-{model}")
        kwh = rows["training_gpu_hours"].number * 0.7
        intensities.append(1e6 * rows["location_based_tco2e"].number / kwh)
    assert max(intensities) / min(intensities) < 1.02
    assert intensities[0] == pytest.approx(411, abs=5)


def test_data_centres_more_than_double() -> None:
    rows = read_table("energy").of("World")
    assert rows["data_centre_twh_2030"].number / rows["data_centre_twh_2024"].number == (
        pytest.approx(2.28, abs=0.005)
    )


# -------------------------------------------------------------------------------- clusters


@pytest.mark.parametrize("cluster", ["Seren", "Kalos", "Philly", "Helios"])
@pytest.mark.parametrize("of", ["jobs", "gpu_time"])
def test_ends_of_jobs_sum_to_all(cluster: str, of: str) -> None:
    table = read_table("published/cluster_statistics")
    ends = [
        table.row(cluster, f"{end}_share_of_{of}").number for end in ("complete", "cancel", "fail")
    ]
    assert sum(ends) == pytest.approx(100, abs=0.15)


def test_aegaeon_freed_82_percent() -> None:
    rows = read_table("published/cluster_statistics").of("Aegaeon")
    assert round(100 * (1 - rows["gpus_after"].number / rows["gpus_before"].number)) == 82
