"""Every table of facts parses, and what it says is complete and held together."""

import csv
import gzip
import io
import re
import tarfile
from datetime import date
from pathlib import Path

import pytest

from gpudeck.tables import ROW_COLUMNS, read_columns, read_sources, read_table
from gpudeck.units import format_quantity

DATA = Path(__file__).resolve().parents[2] / "data"


def fact_tables() -> list[str]:
    paths = sorted(DATA.rglob("*.csv"))
    header = ",".join(ROW_COLUMNS)
    return [
        path.relative_to(DATA).with_suffix("").as_posix()
        for path in paths
        if path.read_text(encoding="utf-8").startswith(header)
    ]


NAMES = fact_tables()


def test_the_tables_of_facts_are_found() -> None:
    assert {"gpus", "mig_profiles", "network", "storage", "published/cluster_statistics"} <= set(
        NAMES
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_table_parses_and_prints_in_both_languages(name: str) -> None:
    for row in read_table(name):
        assert date(2026, 1, 1) <= row.accessed <= date.today()
        assert re.fullmatch(r"[a-z0-9_]+(@[0-9-]+)?", row.attribute), row
        if row.unit != "text":
            assert format_quantity(row.number, row.unit, "zh")
            assert format_quantity(row.number, row.unit, "en")


@pytest.mark.parametrize("name", NAMES)
def test_the_unit_in_a_name_is_the_unit_of_the_row(name: str) -> None:
    endings = {
        "_gb": "GB",
        "_gb_s": "GB/s",
        "_tb_s": "TB/s",
        "_mib": "MiB",
        "_gib": "GiB",
        "_gib_s": "GiB/s",
        "_gbit_s": "Gbit/s",
        "_tflops": "TFLOP/s",
        "_tops": "TOP/s",
        "_us": "us",
        "_w": "W",
        "_iops": "IOPS",
    }
    for row in read_table(name):
        stem = row.attribute.partition("@")[0]
        suits = [e for e in endings if stem.endswith(e)]
        if suits:
            assert row.unit == endings[max(suits, key=len)], row


def test_every_source_is_used_and_has_an_address() -> None:
    used = {key for name in NAMES for row in read_table(name) for key in row.sources}
    sources = read_sources()
    assert used <= set(sources)
    # Other files of data/ may cite a source without being a table of facts.
    rest = "".join(p.read_text(encoding="utf-8") for p in DATA.rglob("*") if p.suffix == ".yaml")
    assert [key for key in set(sources) - used if key not in rest] == []
    for source in sources.values():
        assert source.url.startswith("https://"), source
        assert source.citation.startswith(source.author)


def test_a_figure_from_memory_is_marked() -> None:
    for name in NAMES:
        for row in read_table(name):
            if re.search(
                r"from memory|not confirmed|could not be read|assumed as|no listing", row.locator
            ):
                assert row.kind == "unverified", row


def test_announced_gpus_say_so() -> None:
    table = read_table("gpus")
    for gpu in ("Rubin", "MI455X"):
        kinds = {row.kind for row in table.of(gpu).values()}
        assert kinds == {"announced"}


def test_the_licences_of_all_sources_are_listed() -> None:
    text = (DATA / "LICENSES.md").read_text(encoding="utf-8")
    for source in read_sources().values():
        assert source.licence in text, source


CLUSTERS = ("Seren", "Kalos", "Philly", "Helios", "PAI")
PAIRS = {
    "queue_mean_s": ("avg_que_time_gpu", 1),
    "queue_median_s": ("med_que_time_gpu", 1),
    "gpu_jobs": ("gpu_job_num", 1),
    "gpus_per_job_mean": ("avg_gpu_num", 1),
    "run_time_mean_s": ("avg_run_time_gpu", 1),
    "run_time_median_s": ("med_run_time_gpu", 1),
    "complete_share_of_jobs": ("complete_rate_gpu", 100),
    "cancel_share_of_jobs": ("cancel_rate_gpu", 100),
    "fail_share_of_jobs": ("fail_rate_gpu", 100),
    "complete_share_of_gpu_time": ("complete_rate_gpu_time", 100),
    "cancel_share_of_gpu_time": ("cancel_rate_gpu_time", 100),
    "fail_share_of_gpu_time": ("fail_rate_gpu_time", 100),
}


def test_the_cluster_statistics_are_those_of_the_trace(shared: Path) -> None:
    columns = read_columns(shared / "traces" / "acme" / "cluster_summary.csv")
    table = read_table("published/cluster_statistics")
    compared = 0
    for i, cluster in enumerate(columns["id"]):
        for attribute, (column, factor) in PAIRS.items():
            if columns[column][i]:
                expected = float(columns[column][i]) * factor
                assert table.row(cluster, attribute).number == pytest.approx(expected)
                compared += 1
    assert columns["id"] == CLUSTERS
    assert compared == 4 * 12 + 6


def test_the_shares_of_gpu_time_follow_from_the_times(shared: Path) -> None:
    columns = read_columns(shared / "traces" / "acme" / "cluster_summary.csv")
    table = read_table("published/cluster_statistics")
    for i, cluster in enumerate(columns["id"][:4]):
        times = [float(columns[f"{end}_gpu_time"][i]) for end in ("complete", "cancel", "fail")]
        for end, time in zip(("complete", "cancel", "fail"), times, strict=True):
            share = 100 * time / sum(times)
            assert table.row(cluster, f"{end}_share_of_gpu_time").number == pytest.approx(
                share, abs=0.06
            )


def test_the_duty_of_the_serving_fleet_is_that_of_the_trace(shared: Path) -> None:
    packed = shared / "traces" / "genai" / "pod_gpu_duty_cycle_anon.tar.gz"
    by_hour: dict[int, list[float]] = {}
    containers = set()
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed.read_bytes()))) as archive:
        member = next(item for item in archive if item.name.endswith(".csv"))
        file = archive.extractfile(member)
        assert file is not None
        for line in csv.DictReader(io.TextIOWrapper(file, encoding="utf-8")):
            hour = int(float(line["timestamp_anon"]) // 3600)
            by_hour.setdefault(hour, []).append(float(line["value"]))
            containers.add(line["container_ip"])
    values = [value for hour in by_hour.values() for value in hour]
    means = [sum(hour) / len(hour) for hour in by_hour.values()]
    rows = read_table("published/cluster_statistics").of("GenTD26")
    assert len(containers) == 143
    assert rows["gpu_duty_mean"].number == pytest.approx(sum(values) / len(values), abs=0.005)
    assert rows["gpu_duty_peak_hour"].number == pytest.approx(max(means), abs=0.05)
    night = rows["gpu_duty_night"]
    assert night.low is not None
    assert night.high is not None
    # The quietest seven of the 24 hours, which follow one another.
    assert all(night.low <= mean <= night.high + 0.05 for mean in means[-7:])
