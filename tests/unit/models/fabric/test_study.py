"""What page 15 computes: ranges hold their values, jobs of every shape have an answer."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.fabric import report, study
from gpudeck.models.fabric.job import FabricJob, read_job
from gpudeck.models.fabric.protocol import (
    cores_busy,
    find_transport,
    goodput_gb_s,
    message_us,
    packet_share,
)
from gpudeck.models.fabric.topology import drawn_fat_tree, drawn_rails
from gpudeck.workload.model import find_model


@dataclass(frozen=True)
class Section:
    """The part of a scenario that is read."""

    model: str = "llama-3-70b"
    gpu: str = "H100-SXM"
    gpus: int = 1024
    gpus_per_node: int = 8
    link: str = "IB-NDR"
    precision: str = "bf16"


@pytest.fixture(scope="module")
def job():
    return read_job(Section())


def test_a_job_sums_what_each_gpu_holds(job):
    size = find_model("llama-3-70b").parameters * 2 / 8
    assert job == FabricJob("llama-3-70b", "H100-SXM", "IB-NDR", 1024, 8, size)
    assert (job.nodes, job.ranks, job.ranks_per_node, job.port_gb_s) == (128, 128, 1, 50)
    alone = read_job(Section(gpus=8, precision="fp32"))
    assert (alone.nodes, alone.ranks, alone.ranks_per_node) == (1, 8, 8)
    assert alone.gradient_bytes == 16 * size
    with pytest.raises(InputError, match="link is 'IB-FDR'"):
        read_job(Section(link="IB-FDR"))


def test_the_sync_of_the_default_job_is_its_bytes_over_its_port(job):
    sync = study.compare_transports(job).sync_s
    least = 2 * 127 / 128 * job.gradient_bytes / 47e9
    assert sync["infiniband"].value == pytest.approx(least, rel=0.01)
    assert sync["tcp"].value == pytest.approx(least * 47 / 21, rel=0.01)


@pytest.mark.parametrize(
    "section",
    [
        Section(),
        Section(gpus=8),
        Section(gpus=1, gpus_per_node=1),
        Section(gpus=24),
        Section("opt-13b"),
    ],
)
def test_values_lie_in_their_ranges(section):
    shown = study.compare_transports(read_job(section))
    for name, time in shown.sync_s.items():
        assert time.low <= time.value <= time.high
        curve = shown.curve_s[name]
        assert (curve.low <= curve.value).all()
        assert (curve.value <= curve.high).all()
    facts = {fact.key: fact for fact in report.report_transports(shown)}
    assert facts["tcp"].value >= facts["infiniband"].value


def test_a_message_is_latency_then_bandwidth():
    messages = study.study_messages(50.0)
    for name, curve in messages.time_us.items():
        transport = find_transport(name)
        assert curve.value[0] == pytest.approx(transport.latency_us, rel=0.01)
        share = messages.share_pct[name]
        assert (share.low <= share.value).all()
        assert (share.value <= share.high).all()
        assert (share.high <= 100).all()
    assert messages.cores["infiniband"] == 0
    assert messages.cores["tcp"] == pytest.approx(4, rel=0.01)


def test_transports_have_what_their_rows_say():
    tcp, infiniband = find_transport("tcp"), find_transport("infiniband")
    assert float(goodput_gb_s(tcp, 10)) == pytest.approx(6)  # the sockets, not the cores
    assert float(goodput_gb_s(tcp, 100)) == pytest.approx(21)  # the cores, not the sockets
    assert float(goodput_gb_s(infiniband, 100)) == pytest.approx(94)
    assert packet_share(infiniband) == pytest.approx(4096 / 4122)
    assert tcp.cycles_per_byte == pytest.approx(3.4 * 8 / 42, rel=1e-3)
    assert float(cores_busy(tcp, 5.25, 3.4)) == pytest.approx(1, rel=1e-3)
    assert float(message_us(tcp, 0, 50)) == 20
    for wrong in (0, -1):
        with pytest.raises(InputError, match="port_gb_s is"):
            goodput_gb_s(tcp, wrong)
    with pytest.raises(InputError, match="size_bytes is -1"):
        message_us(tcp, -1, 50)
    with pytest.raises(InputError, match="core_ghz is 0"):
        cores_busy(tcp, 1, 0)


def test_the_map_names_the_fastest(job):
    scale = study.study_scale(job)
    assert scale.gpus[0] == 8
    assert scale.best[0][0] == "ring-ll"
    assert scale.best[-1][-1] == "nvls-tree"
    for time in scale.time_s.values():
        assert (np.diff(time) >= -1e-12).all()
    assert study.study_scale(replace(job, gpus_per_node=1)).gpus[0] == 2


def test_pods_spare_the_thin_links(job):
    ratios = study.study_ratios(job)
    assert ratios.pods == 4
    assert (ratios.pods_s[1:] < ratios.flat_s[1:]).all()
    assert ratios.flat_s[-1] == pytest.approx(8 * ratios.flat_s[0], rel=0.01)
    facts = {fact.key: fact.value for fact in report.report_ratios(ratios)}
    assert facts["flat_x"] == pytest.approx(7, rel=0.01)
    assert study.study_ratios(replace(job, gpus=24)).pods == 3


def test_the_grid_has_every_cell():
    grid = study.fabric_grid("H100-SXM", nodes=(2, 8), links=("IB-HDR",), ratios=(1.0, 2.0))
    assert set(grid.bus_gb_s) == {(g, "IB-HDR", r) for g in (16, 64) for r in (1.0, 2.0)}
    cell, thin = grid.bus_gb_s[64, "IB-HDR", 1.0], grid.bus_gb_s[64, "IB-HDR", 2.0]
    assert cell.shape == (3, len(grid.size_bytes))
    assert (thin <= cell + 1e-9).all()
    assert report.start_cell(grid) == (64, "IB-HDR", 1.0)


def test_drawn_networks_are_reported_as_they_are():
    facts = {fact.key: fact.value for fact in report.report_fat_tree(drawn_fat_tree(), 1024)}
    assert (facts["hosts"], facts["switches"], facts["hops"]) == (16, 20, 5)
    assert (facts["job_k"], facts["job_switches"]) == (16, 320)
    assert facts["large_hosts"] == facts["published_hosts"]
    facts = {fact.key: fact.value for fact in report.report_rail(drawn_rails(8))}
    assert (facts["same_rail"], facts["other_rail"]) == (1, 3)
    assert (facts["switches"], facts["switches_rail_only"]) == (12, 8)
