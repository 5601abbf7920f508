"""Language models: the table, what follows from it, and what a wrong name is told."""

from pathlib import Path

import pytest

from gpudeck.errors import InputError
from gpudeck.workload.model import bytes_per_value, find_model, read_models


@pytest.mark.parametrize(
    ("model", "kib"),
    [("llama-2-7b", 512), ("llama-3-8b", 128), ("qwen2.5-0.5b", 12), ("qwen2.5-7b", 56)],
)
def test_a_token_takes_the_known_bytes_of_cache(model: str, kib: float) -> None:
    assert find_model(model).kv_bytes_per_token("fp16") == kib * 1024
    assert find_model(model).kv_bytes_per_token("fp8") == kib * 512


def test_parameters_follow_from_the_dimensions() -> None:
    printed = [m for m in read_models().values() if m.parameters_printed is not None]
    assert len(printed) >= 5
    for model in printed:
        assert model.parameters == pytest.approx(model.parameters_printed, rel=0.01)
    # as the checkpoints have them, to the last one
    assert find_model("llama-2-7b").parameters == 6_738_415_616
    assert find_model("qwen2.5-7b").parameters == 7_615_616_512
    assert find_model("qwen3-8b").parameters == 8_190_735_360


def test_dimensions_hang_together() -> None:
    for model in read_models().values():
        assert model.heads % model.kv_heads == 0
        assert {model.tied_embeddings, model.qkv_bias, model.qk_norm} <= {0, 1}
        if not model.id.startswith(("qwen3", "deepseek")):
            assert model.heads * model.head_dim == model.hidden


def test_a_wrong_name_is_told_what_is_close() -> None:
    with pytest.raises(InputError, match=r"model is 'llama3-8b'; close to it: .*llama-3-8b"):
        find_model("llama3-8b")
    with pytest.raises(InputError, match=r"model is '§'; allowed in data/models\.csv are qwen2"):
        find_model("§")


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="precision is 'FP16'; allowed are fp32, fp16"):
        bytes_per_value("FP16")


def test_a_table_with_another_attribute_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sources.csv").write_text(
        "key,author,year,title,url,licence\nm,M,2026,S,https://example.org,free\n"
    )
    (tmp_path / "models.csv").write_text(
        "id,attribute,value,unit,low,high,kind,source,locator,accessed\n"
        "X,depth,8,count,,,vendor-spec,m,p. 1,2026-11-24\n"
    )
    monkeypatch.setenv("GPUDECK_DATA", str(tmp_path))
    read_models.cache_clear()
    try:
        with pytest.raises(InputError, match=r"X in data/models\.csv: .*depth"):
            read_models()
    finally:
        read_models.cache_clear()
