"""Model dimensions against an independent worked example of decoding."""

import json
from pathlib import Path

import pytest

from gpudeck.workload.model import find_model


def test_llama_3_8b_is_that_of_the_worked_example(shared: Path) -> None:
    cases = json.loads((shared / "oracles" / "serving.json").read_text(encoding="utf-8"))
    spec = next(case["spec"] for case in cases if case["id"] == "O10")
    model, said = find_model("llama-3-8b"), spec["model"]
    names = {
        "L": "layers", "h": "hidden", "f": "intermediate", "q": "heads", "kv": "kv_heads",
        "hd": "head_dim", "V": "vocabulary",
    }  # fmt: skip
    assert {key: getattr(model, name) for key, name in names.items()} == said
    assert model.kv_bytes_per_token("bf16") == spec["kv_bytes_per_token"]
    # The example leaves out norms: two for each layer, and the last.
    norms = (2 * model.layers + 1) * model.hidden
    assert model.parameters - norms == pytest.approx(spec["params_total"], abs=0)
