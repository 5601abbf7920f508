"""GPUs: what is read, what is found, and what a wrong name is told."""

from pathlib import Path

import pytest

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import Gpu, find_gpu, read_gpus

CANONICAL = """
    A100-40G-SXM A100-80G-SXM A100-80G-PCIe H100-SXM H100-PCIe H200 H20 H800-SXM GH200 B200 GB200
    B300 GB300 T4 V100-32G-SXM A10 A30 L4 L40S MI300X MI325X MI355X Rubin MI455X RTX-4090
    RTX-PRO-6000
"""


def test_the_canonical_gpus_are_there() -> None:
    assert sorted(read_gpus()) == sorted(CANONICAL.split())


def test_a_gpu_is_typed_and_traced() -> None:
    gpu = find_gpu("H100-SXM")
    assert (gpu.sm_count, gpu.mig_max_instances, gpu.pcie) == (132, 7, "5.0x16")
    assert gpu.bf16_tflops == 989.5
    assert gpu.rows["bf16_tflops"].sources == ("mle", "aiconfigurator")
    assert not gpu.announced
    assert gpu.unverified == frozenset()


def test_a_range_keeps_its_chosen_value() -> None:
    row = find_gpu("B200").rows["memory_bandwidth_gb_s"]
    assert (row.low, row.value, row.high) == (7700, 8000, 8000)


def test_older_gpus_count_in_float16() -> None:
    assert find_gpu("V100-32G-SXM").half_tflops == 125
    assert find_gpu("T4").bf16_tflops is None
    with pytest.raises(InputError, match="has no bf16_tflops and no fp16_tflops"):
        _ = Gpu("X", "Maker", 1, 1, 0, 0).half_tflops


def test_announced_and_unverified_figures_are_told() -> None:
    assert {gpu.id for gpu in read_gpus().values() if gpu.announced} == {"Rubin", "MI455X"}
    assert "pcie" in find_gpu("H800-SXM").unverified


@pytest.mark.parametrize(
    ("wrong", "near"), [("H100", "H100-SXM"), ("a100-80g-sxm", "A100-80G-SXM"), ("B20", "B200")]
)
def test_a_wrong_name_is_told_what_is_close(wrong: str, near: str) -> None:
    with pytest.raises(InputError, match=f"gpu is '{wrong}'; close to it: .*{near}"):
        find_gpu(wrong)


def test_a_name_like_none_is_told_all() -> None:
    with pytest.raises(InputError, match=r"gpu is '§§§'; allowed in data/gpus\.csv are T4"):
        find_gpu("§§§")


@pytest.mark.parametrize(
    ("attribute", "told"), [("memory_gigabytes", "unexpected keyword"), ("tdp_w", "missing")]
)
def test_a_table_with_another_attribute_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attribute: str, told: str
) -> None:
    (tmp_path / "sources.csv").write_text(
        "key,author,year,title,url,licence\nm,M,2026,S,https://example.org,free\n"
    )
    (tmp_path / "gpus.csv").write_text(
        "id,attribute,value,unit,low,high,kind,source,locator,accessed\n"
        f"X,{attribute},8,W,,,vendor-spec,m,p. 1,2026-11-23\n"
    )
    monkeypatch.setenv("GPUDECK_DATA", str(tmp_path))
    read_gpus.cache_clear()
    try:
        with pytest.raises(InputError, match=f"X in data/gpus.csv: .*{told}"):
            read_gpus()
    finally:
        read_gpus.cache_clear()
