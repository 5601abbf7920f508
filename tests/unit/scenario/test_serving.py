"""The requests of a scenario: drawn from a trace's summary, or a stretch of one's own log."""

from pathlib import Path

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.scenario import read_scenario
from gpudeck.scenario.serving import read_serving_requests, report_requests
from gpudeck.tables import read_table
from gpudeck.workload.request_resample import (
    find_lengths,
    request_workloads,
    resample_requests,
)

LOG_ROWS = 250


@pytest.fixture
def log(tmp_path: Path) -> Path:
    lines = [f"{row * row * 1_000_000},{row + 1},{row + 2}" for row in range(LOG_ROWS)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["arrival_ns,input_toks,output_toks", *lines]), encoding="utf-8")
    return path


def test_requests_are_drawn_as_the_section_says() -> None:
    scenario = read_scenario(
        "default", ["serving.requests=mooncake-conversation", "serving.arrivals=gamma"]
    )
    drawn = read_serving_requests(scenario, 3.0, seed=7)
    same = resample_requests("mooncake-conversation", scenario.serving.count, 3.0, "gamma", 7)
    assert drawn.arrival_s.tolist() == same.arrival_s.tolist()
    assert drawn.prompt_tokens.tolist() == same.prompt_tokens.tolist()


def test_every_workload_of_the_table_may_be_chosen() -> None:
    for workload in request_workloads():
        chosen = read_scenario("small", [f"serving.requests={workload}"])
        assert chosen.serving.requests == workload


def test_a_log_gives_a_stretch_that_the_seed_chooses(log: Path) -> None:
    scenario = read_scenario("small", [f"serving.trace={log}", "serving.count=100"])
    one, same, other = (read_serving_requests(scenario, 4.0, seed=seed) for seed in (1, 1, 2))
    assert len(one) == 100
    assert one.rate_per_s == pytest.approx(4.0)
    assert one.arrival_s[0] == 0
    assert (np.diff(one.prompt_tokens) == 1).all()
    assert one.prompt_tokens.tolist() == same.prompt_tokens.tolist()
    assert one.prompt_tokens.tolist() != other.prompt_tokens.tolist()


def test_a_short_log_is_taken_whole_from_a_row_that_the_seed_chooses(log: Path) -> None:
    scenario = read_scenario("small", [f"serving.trace={log}"])
    one, other = (read_serving_requests(scenario, seed=seed) for seed in (1, 2))
    assert one.prompt_tokens.tolist() != other.prompt_tokens.tolist()
    assert sorted(one.prompt_tokens) == list(range(1, LOG_ROWS + 1))
    assert (one.output_tokens - one.prompt_tokens == 1).all()
    own = np.arange(LOG_ROWS) ** 2 / 1000
    start = int(one.prompt_tokens[0]) - 1
    joined = own[-1] / (LOG_ROWS - 1)
    gaps = np.concatenate([np.diff(own[start:]), [joined], np.diff(own[:start])])
    assert one.arrival_s[0] == 0
    assert np.diff(one.arrival_s) == pytest.approx(gaps)


def test_a_short_log_keeps_its_rate(log: Path) -> None:
    scenario = read_scenario("small", [f"serving.trace={log}"])
    assert read_serving_requests(scenario, 4.0, seed=3).rate_per_s == pytest.approx(4.0)


def test_a_log_has_two_requests_or_more(log: Path) -> None:
    log.write_text("arrival_ns,input_toks,output_toks\n1,1,1\n", encoding="utf-8")
    scenario = read_scenario("small", [f"serving.trace={log}"])
    with pytest.raises(InputError, match=r"log.csv, of 1 request; allowed are 2 or more"):
        read_serving_requests(scenario)


def test_the_trace_behind_the_requests_is_reported_with_its_source() -> None:
    for name, source in (
        ("azure-conversation-2023", "azure-llm-2023"),
        ("mooncake-synthetic", "mooncake-traces"),
    ):
        serving = read_scenario("default", [f"serving.requests={name}"]).serving
        facts = {fact.key: fact for fact in report_requests(serving)}
        lengths = find_lengths(name)
        assert facts["trace_name"].value == name
        assert facts["trace_requests"].value == lengths.rows
        assert facts["trace_prompt"].value == lengths.prompt_mean
        assert facts["trace_output"].value == lengths.output_mean
        assert {(fact.kind, fact.source) for fact in facts.values()} == {("derived", source)}


def test_a_log_is_reported_by_the_name_of_its_file(log: Path) -> None:
    serving = read_scenario("small", [f"serving.trace={log}"]).serving
    facts = {fact.key: fact for fact in report_requests(serving)}
    assert facts["trace_requests"].value == LOG_ROWS
    assert facts["trace_prompt"].value == (LOG_ROWS + 1) / 2
    assert facts["trace_output"].value == (LOG_ROWS + 3) / 2
    assert {(fact.kind, fact.source) for fact in facts.values()} == {("scenario", "log.csv")}


def test_a_path_in_a_file_is_relative_to_the_file(log: Path) -> None:
    head, _, tail = read_scenario("small").to_yaml().partition("serving:")
    mine = log.parent / "mine.yaml"
    mine.write_text(head + "serving:" + tail.replace("trace: null", "trace: log.csv", 1))
    assert Path(str(read_scenario(mine).serving.trace)) == log


def test_a_scenario_without_the_section_is_refused(tmp_path: Path) -> None:
    head, _, tail = read_scenario("small").to_yaml().partition("\nserving:")
    path = tmp_path / "old.yaml"
    path.write_text(head + "\n\n" + tail[tail.index("\ntenants:") :], encoding="utf-8")
    with pytest.raises(InputError, match=r"old.yaml.*: serving is missing"):
        read_scenario(path)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("serving.model=llama-3-8", "did you mean llama-3-8b"),
        ("serving.model=unheard-of", "allowed is an id of data/models.csv"),
        ("serving.gpu=H100-SMX", "did you mean H100-SXM"),
        ("serving.requests=chat", "allowed is azure-conversation-2023"),
        ("serving.trace=nowhere.csv", "there is no such file; allowed is a log of requests"),
        ("serving.arrivals=diurnal", "poisson, gamma"),
        ("serving.count=99", "a whole number from 100 to 1000000"),
        ("serving.tensor_parallel=0", "a whole number from 1 to 64"),
        ("serving.precision=int3", "fp32, fp16, bf16"),
        ("serving.ttft_objective_s=0", "a number above 0 to 3600"),
        ("serving.tbt_objective_s=.nan", "a number above 0 to 3600"),
        ("serving.objective_percentile=100", "a number from 50 below 100"),
        ("serving.step_overhead_ms=-1", "a number from 0 to 1000"),
    ],
)
def test_a_wrong_field_is_named(override: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_scenario("default", [override])
    message = str(caught.value)
    assert message.startswith("--set serving.")
    assert words in message


def test_what_the_scenarios_name_is_in_the_tables() -> None:
    for name in ("default", "small"):
        serving = read_scenario(name).serving
        assert serving.model in read_table("models").ids
        assert serving.gpu in read_table("gpus").ids
