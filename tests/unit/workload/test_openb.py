"""The reader of the Alibaba trace: every file of it, and every mistake a file can hold."""

from pathlib import Path

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.workload import openb_nodes, openb_pods, read_openb_nodes, read_openb_pods

NODES = "sn,cpu_milli,memory_mib,gpu,model\nn0,64000,262144,2,P100\nn1,32000,262144,0,\n"
PODS = "name,cpu_milli,memory_mib,num_gpu,gpu_milli\nb,1000,10,1,460\na,2000,20,0,0\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "list.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_nodes_keep_the_order_of_the_file(tmp_path: Path) -> None:
    nodes = read_openb_nodes(write(tmp_path, NODES))
    assert nodes.name.tolist() == ["n0", "n1"]
    assert (nodes.gpus.tolist(), nodes.model.tolist()) == ([2, 0], ["P100", ""])


def test_pods_are_sorted_and_need_no_types_and_times(tmp_path: Path) -> None:
    pods = read_openb_pods(write(tmp_path, PODS))
    assert (pods.name.tolist(), pods.cpu_milli.tolist()) == (["a", "b"], [2000, 1000])
    assert pods.gpu_spec.tolist() == ["", ""]
    assert pods.creation_s is pods.deletion_s is None


def test_times_go_with_their_pods(tmp_path: Path) -> None:
    header, *rows = PODS.splitlines()
    text = "\n".join([f"{header},creation_time,deletion_time", f"{rows[0]},5,9", f"{rows[1]},0,3"])
    pods = read_openb_pods(write(tmp_path, text))
    assert (pods.creation_s.tolist(), pods.deletion_s.tolist()) == ([0, 5], [3, 9])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1000,10", "-1000,10", "line 2, column cpu_milli: '-1000'; allowed is a whole number"),
        ("1000,10", "nan,10", "line 2, column cpu_milli: 'nan'"),
        ("1000,10", ",10", "line 2, column cpu_milli: ''"),
        ("20,0,0", "20.5,0,0", "line 3, column memory_mib: '20.5'"),
        ("460", "1460", "line 2, column gpu_milli: '1460'; allowed is 0 GPUs"),
        ("1,460", "2,460", "line 2, column gpu_milli: '460'.*num_gpu is 2"),
        ("b,1", "a,1", "line 3, column name: 'a'; allowed is a name that line 2 does not have"),
        ("b,1", ",1", "line 2, column name: ''"),
        ("20,0,0\n", "20", "line 3: 3 cells; allowed are 5"),
        ("gpu_milli", "share", "line 1: no column gpu_milli"),
    ],
)
def test_a_wrong_cell_is_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in PODS
    with pytest.raises(InputError, match=message) as caught:
        read_openb_pods(write(tmp_path, PODS.replace(old, new, 1)))
    assert str(tmp_path / "list.csv") in str(caught.value)


def test_a_pod_that_leaves_before_it_comes_is_named(tmp_path: Path) -> None:
    text = PODS.splitlines()[0] + ",creation_time,deletion_time\na,1,1,0,0,5,4\n"
    with pytest.raises(InputError, match="line 2, column deletion_time: '4'; allowed is 5"):
        read_openb_pods(write(tmp_path, text))


def test_a_node_with_too_many_gpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 2, column gpu: '99'; allowed is 0 to 62"):
        read_openb_nodes(write(tmp_path, NODES.replace(",2,P100", ",99,P100")))


@pytest.mark.parametrize("text", ["", "sn,cpu_milli,memory_mib,gpu,model\n"])
def test_an_empty_list_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 1"):
        read_openb_nodes(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv is not there"):
        read_openb_pods(tmp_path / "none.csv")


def test_every_list_of_the_trace(shared: Path) -> None:
    folder = shared / "traces/openb"
    lists = sorted(folder.glob("openb_pod_list_*.csv"))
    assert len(lists) == 23
    for path in lists:
        pods = read_openb_pods(path)
        assert len(pods) == len(path.read_text().splitlines()) - 1
        assert pods.name.tolist() == sorted(pods.name.tolist())
        assert (pods.creation_s is None) == ("multigpu" in path.name)
        assert (pods.gpu_spec != "").any() == ("gpuspec" in path.name)
    assert len(read_openb_nodes(folder / "openb_node_list_all_node.csv")) == 1523
    nodes = read_openb_nodes(folder / "openb_node_list_gpu_node.csv")
    assert (len(nodes), nodes.gpu_count) == (1213, 6212)


def test_the_embedded_tables() -> None:
    nodes, pods = openb_nodes(), openb_pods()
    assert (len(nodes), nodes.gpu_count, len(pods)) == (1213, 6212, 8152)
    assert pods.gpu_demand_milli.sum() == 6_086_800
    few = openb_pods(1000)
    assert abs(few.gpu_demand_milli.mean() / pods.gpu_demand_milli.mean() - 1) < 0.02
    assert np.mean(few.num_gpu == 0) == pytest.approx(np.mean(pods.num_gpu == 0), abs=0.005)
