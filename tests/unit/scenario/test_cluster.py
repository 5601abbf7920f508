"""Nodes and pods of a scenario: from tables, from a trace, at another size."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.hardware.node import Nodes, apportion
from gpudeck.scenario import Cluster, describe_fleet, read_scenario
from gpudeck.scenario.cluster import resize_fleet
from gpudeck.tables import read_sources


def kinds(nodes: Nodes) -> Counter[tuple[object, ...]]:
    columns = (nodes.cpu_milli, nodes.memory_mib, nodes.gpus, nodes.model)
    return Counter(zip(*(column.tolist() for column in columns), strict=True))


def write_tables(folder: Path, types: str, specs: str) -> Cluster:
    (folder / "types.csv").write_text("cpu_milli,memory_mib,gpu,model,count\n" + types)
    (folder / "specs.csv").write_text(
        "cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,count\n" + specs
    )
    changes = [f"fleet.node_types={folder}/types.csv", f"cluster.pods={folder}/specs.csv"]
    return read_scenario("default", [*changes, "fleet.nodes=4"]).cluster_tables(0)


@given(st.lists(st.integers(0, 1000), min_size=1).filter(any), st.integers(1, 5000))
def test_largest_remainder_gives_all_and_stays_within_one(counts: list[int], total: int) -> None:
    shares = apportion(counts, total)
    assert sum(shares) == total
    exact = [count * total / sum(counts) for count in counts]
    assert all(abs(share - part) < 1 for share, part in zip(shares, exact, strict=True))


def test_default_is_the_real_cluster_in_numbers() -> None:
    cluster = read_scenario("default").cluster_tables(0)
    assert (len(cluster.nodes), cluster.nodes.gpu_count, len(cluster.pods)) == (1213, 6212, 8152)
    assert cluster.origin == "resampled"
    assert cluster.source in read_sources()


def test_tables_hold_the_very_nodes_and_pods_of_the_trace(shared: Path) -> None:
    trace = [f"cluster.trace={shared}/traces/openb"]
    measured = read_scenario("default", trace).cluster_tables(0)
    resampled = read_scenario("default").cluster_tables(0)
    assert measured.origin == "measured"
    assert kinds(measured.nodes) == kinds(resampled.nodes)
    for column in ("cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec"):
        ours, theirs = getattr(resampled.pods, column), getattr(measured.pods, column)
        assert np.array_equal(np.sort(ours), np.sort(theirs)), column


def test_smaller_fleet_keeps_the_mix_and_the_pods() -> None:
    whole = read_scenario("default").cluster_tables(0)
    small = read_scenario("default", ["fleet.nodes=256"]).cluster_tables(0)
    assert len(small.nodes) == 256
    assert len(small.pods) == len(whole.pods)
    before, after = kinds(whole.nodes), kinds(small.nodes)
    assert all(abs(after[kind] - before[kind] * 256 / 1213) < 1 for kind in before)


def test_smaller_trace_is_drawn_by_seed_and_keeps_its_order(shared: Path) -> None:
    changes = [f"cluster.trace={shared}/traces/openb", "fleet.nodes=256"]
    scenario = read_scenario("default", changes)
    first, again, other = (scenario.cluster_tables(seed) for seed in (1, 1, 2))
    assert first.origin == "resampled"
    assert first.nodes.name.tolist() == again.nodes.name.tolist() == sorted(first.nodes.name)
    assert first.nodes.name.tolist() != other.nodes.name.tolist()
    tables = read_scenario("default", ["fleet.nodes=256"]).cluster_tables(0)
    assert kinds(first.nodes) == kinds(other.nodes) == kinds(tables.nodes)


def test_larger_fleet_keeps_the_mix() -> None:
    nodes = Nodes.from_types([8000, 4000], [64, 32], [8, 1], ["T4", "P100"], [3, 1])
    grown = resize_fleet(nodes, 40, seed=0)
    assert kinds(grown) == {(8000, 64, 8, "T4"): 30, (4000, 32, 1, "P100"): 10}


def test_own_tables_are_named_as_such(tmp_path: Path) -> None:
    cluster = write_tables(tmp_path, "8000,64,2,T4,1\n4000,32,1,P100,1\n", "1000,1,1,500,T4,7\n")
    assert (cluster.origin, cluster.source) == ("scenario", "types.csv, specs.csv")
    assert (len(cluster.nodes), cluster.nodes.gpu_count, len(cluster.pods)) == (4, 6, 7)


TYPES, SPECS = "8000,64,2,T4,1\n", "1000,1,1,500,T4,7\n"


@pytest.mark.parametrize(
    ("types", "specs", "words"),
    [
        ("8000,64,two,T4,1\n", SPECS, "types.csv line 2: gpu is 'two'; allowed are whole"),
        ("8000,64,2,T4,-1\n", SPECS, "types.csv line 2: count is '-1'"),
        ("8000,64,2,T4,nan\n", SPECS, "count is 'nan'"),
        ("8000,64,2,T4,99999999999999999999\n", SPECS, "count is '99"),
        ("8000,64,2,T4,999999999\n", SPECS, "the counts sum to 999999999"),
        ("8000,64,2,T4,0\n", SPECS, "the counts sum to 0"),
        ("", SPECS, "types.csv"),
        ("8000,64,2,T4\n", SPECS, "types.csv"),
        ("8000,64,0,,1\n", SPECS, "the fleet has no GPU"),
        ("8000,64,63,T4,1\n", SPECS, "gpus is 63"),
        (TYPES, "1000,1,0,0,,7\n", "no pod asks for a GPU"),
        (TYPES, "1000,1,1,1500,T4,7\n", "gpu_milli 1500"),
    ],
)
def test_wrong_table_is_named(tmp_path: Path, types: str, specs: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        write_tables(tmp_path, types, specs)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truncated_trace_is_named(tmp_path: Path, shared: Path) -> None:
    for name in ("openb_node_list_gpu_node.csv", "openb_pod_list_default.csv"):
        whole = (shared / "traces" / "openb" / name).read_bytes()
        (tmp_path / name).write_bytes(whole)
    scenario = read_scenario("default", [f"cluster.trace={tmp_path}"])
    assert len(scenario.cluster_tables(0).pods) == 8152
    for length in (0, len(whole) // 2):
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"openb_pod_list_default\.csv"):
            scenario.cluster_tables(0)


def test_cover_states_the_fleet_in_both_languages() -> None:
    scenario = read_scenario("default", ["title.en=<i>Mine</i>", "fleet.nodes=64"])
    cluster = scenario.cluster_tables(0)
    english = {fact.key: fact.value for fact in describe_fleet(scenario, cluster, "en")}
    chinese = {fact.key: fact.value for fact in describe_fleet(scenario, cluster, "zh")}
    assert english["scenario"] == "<i>Mine</i>"
    assert "合成" in str(chinese["origin"])
    assert (english["nodes"], english["gpus"]) == (64, cluster.nodes.gpu_count)
    assert {key for key in english if english[key] != chinese[key]} == {"scenario", "origin"}
