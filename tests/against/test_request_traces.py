"""Public traces of requests, read and summed up, against the figures that are known of them."""

import filecmp
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpudeck.tables import read_table
from gpudeck.workload.prefix import prefix_reuse, recorded_curve, reuse_curve
from gpudeck.workload.request_log import read_requests
from gpudeck.workload.request_resample import resample_requests

FILES = {
    "azure-conversation-2023": ("azure", "azure/AzureLLMInferenceTrace_conv.csv"),
    "azure-code-2023": ("azure", "azure/AzureLLMInferenceTrace_code.csv"),
    "mooncake-conversation": ("mooncake", "mooncake/conversation_trace.jsonl"),
    "mooncake-synthetic": ("mooncake", "mooncake/synthetic_trace.jsonl"),
    "sharegpt-llama-3.1-8b": (
        "sharegpt",
        "sharegpt300/workload_sharegpt-llama-3.1-8b-300-sps10.csv",
    ),
}
# rows; mean, p50, p90, p99 of prompt and of answer; requests a second
KNOWN = {
    "azure-conversation-2023": (19_366, (1154.7, 1020, 2734, 4142), (211.1, 129, 424, 601), 5.53),
    "azure-code-2023": (8_819, (2047.8, 1469, 5188, 7436), (27.9, 13, 55, 251), 2.57),
    "mooncake-conversation": (
        12_031,
        (12_035, 6_909, 27_367, 85_400),
        (342.6, 350, 597, 1_119),
        3.40,
    ),
    "mooncake-synthetic": (3_993, (15_325, 11_587, 38_611, 66_456), (149.1, 69, 389, 768), 3.91),
    "sharegpt-llama-3.1-8b": (300, (857, 732, 1460, 2765), (652.5, 632, 770, 784), 10.3),
}
VARIATION = {"azure-conversation-2023": 1.09, "azure-code-2023": 13.2}
SPAN_S = {"azure-conversation-2023": 3502}
# share of blocks and of tokens in %, as printed
REUSE = {"mooncake-conversation": ("36.64", "37.4"), "mooncake-synthetic": ("63.96", "65.1")}
MEAN_TOLERANCE, QUANTILE_TOLERANCE = 0.03, 0.015
each_trace = pytest.mark.parametrize("workload", FILES)
each_hashed = pytest.mark.parametrize("workload", REUSE)


def summary(tokens: np.ndarray) -> np.ndarray:
    return np.array([tokens.mean(), *np.percentile(tokens, (50, 90, 99))])


@each_trace
def test_a_trace_has_the_rows_lengths_and_rate_that_are_known(shared: Path, workload: str) -> None:
    name, file = FILES[workload]
    log = read_requests(shared / "traces" / file)
    rows, prompt, output, rate = KNOWN[workload]
    assert (log.format, log.dropped, len(log.requests)) == (name, 0, rows)
    # as printed: a mean to its decimals, a quantile to whole tokens
    assert summary(log.requests.prompt_tokens) == pytest.approx(np.array(prompt), abs=0.65)
    assert summary(log.requests.output_tokens) == pytest.approx(np.array(output), abs=0.65)
    assert log.requests.rate_per_s == pytest.approx(rate, rel=0.005)


@pytest.mark.parametrize("workload", VARIATION)
def test_gaps_vary_as_is_known(shared: Path, workload: str) -> None:
    requests = read_requests(shared / "traces" / FILES[workload][1]).requests
    gaps = np.diff(np.sort(requests.arrival_s))
    assert gaps.std() / gaps.mean() == pytest.approx(VARIATION[workload], rel=0.005)
    if workload in SPAN_S:
        assert round(requests.duration_s) == SPAN_S[workload]


def test_times_of_conversations_stay_quantised(shared: Path) -> None:
    requests = read_requests(shared / "traces" / FILES["mooncake-conversation"][1]).requests
    times = np.unique(requests.arrival_s)
    assert np.median(np.diff(times)) == pytest.approx(3.0)
    assert len(times) < len(requests) / 10


@each_hashed
def test_prefix_reuse_is_the_one_that_is_known(shared: Path, workload: str) -> None:
    found = prefix_reuse(read_requests(shared / "traces" / FILES[workload][1]).requests)
    blocks, tokens = REUSE[workload]
    assert f"{100 * found.block_share:.2f}" == blocks
    assert f"{100 * found.token_share:.1f}" == tokens


@each_hashed
def test_the_recorded_reuse_needs_no_trace(workload: str) -> None:
    table, curve = read_table("request_lengths"), recorded_curve(workload)
    blocks, tokens = (
        table.row(workload, f"reused_{what}_share").number for what in ("block", "token")
    )
    assert (f"{100 * blocks:.2f}", f"{100 * tokens:.1f}") == REUSE[workload]
    assert curve.token_share[-1] == pytest.approx(tokens)
    assert curve.block_share[-1] == pytest.approx(blocks)
    assert (np.diff(curve.token_share) >= 0).all()


@each_hashed
def test_the_recorded_curve_is_that_of_the_trace(shared: Path, workload: str) -> None:
    requests = read_requests(shared / "traces" / FILES[workload][1]).requests
    recorded = recorded_curve(workload)
    curve = reuse_curve(requests, recorded.capacity_tokens[::4].tolist())
    assert curve.token_share == pytest.approx(recorded.token_share[::4], abs=1e-5)
    assert curve.block_share == pytest.approx(recorded.block_share[::4], abs=1e-5)


@each_trace
def test_a_resample_is_like_the_known_figures(workload: str) -> None:
    drawn = resample_requests(workload, 200_000, seed=5)
    _, prompt, output, _ = KNOWN[workload]
    for tokens, known in ((drawn.prompt_tokens, prompt), (drawn.output_tokens, output)):
        found = summary(tokens)
        assert found[0] == pytest.approx(known[0], rel=MEAN_TOLERANCE)
        assert found[1:] == pytest.approx(np.array(known[1:]), rel=QUANTILE_TOLERANCE)


def test_the_tables_are_what_the_script_makes_of_the_traces(
    shared: Path, root: Path, tmp_path: Path
) -> None:
    names = ("request_lengths.csv", "prefix_reuse.csv")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path;"
        "from derive_requests import write_tables;"
        "write_tables(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])"
    )
    day = next(iter(read_table("request_lengths"))).accessed.isoformat()
    told = [str(root / "data"), str(shared / "traces"), str(tmp_path), day]
    subprocess.run([sys.executable, "-c", code, *told], check=True)
    same, _, _ = filecmp.cmpfiles(root / "data", tmp_path, names, shallow=False)
    assert sorted(same) == sorted(names)
