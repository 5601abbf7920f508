"""Requests whose prompt was computed elsewhere."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.models.serving.step_time import StepTime
from gpudeck.workload.request import RequestTable

# 10 ms a step and 1 ms for each sequence that samples
STEP = StepTime(np.array([0.0, 0.01, 0.01]), np.arange(3) * 0.001)
REPLICA = Replica("H100-SXM", "llama-2-7b", step_time=STEP)


@pytest.mark.parametrize("policy", ["continuous", "paged", "chunked"])
def test_a_given_request_decodes_in_the_next_iteration(policy: str) -> None:
    """It takes no time but that of its own tokens."""
    engine = Engine(policy, step_overhead_s=0.0)
    table = RequestTable([1.0], [100], [3])
    run = simulate(table, engine, REPLICA, given_first_s=np.array([0.5]))
    assert np.allclose(run.token_times(0), [0.5, 1.011, 1.022])
    assert run.prefill_tokens.sum() == 0


@pytest.mark.parametrize("policy", ["continuous", "paged", "chunked"])
def test_a_given_request_joins_those_that_decode(policy: str) -> None:
    """It waits for the iteration that runs when it arrives, not for one more."""
    engine = Engine(policy, step_overhead_s=0.0)
    table = RequestTable([0.0, 0.005], [100, 100], [4, 3])
    run = simulate(table, engine, REPLICA, given_first_s=np.array([0.0, 0.001]))
    assert np.allclose(run.token_times(1), [0.001, 0.023, 0.035])
    assert np.allclose(run.token_times(0), [0.0, 0.011, 0.023, 0.035])


def test_a_given_request_behind_a_prompt_does_not_sample() -> None:
    """Its first token has been made; only the prompt before it samples."""
    table = RequestTable([0.0, 0.0], [2, 100], [1, 2])
    run = simulate(
        table, Engine(step_overhead_s=0.0), REPLICA, given_first_s=np.array([np.nan, 0.0])
    )
    assert np.isclose(run.end_s[0], 0.011)
    assert np.allclose(run.finish_s, [0.011, 0.022])


def test_a_given_request_that_is_preempted_is_recomputed() -> None:
    """Its cache is lost here, so the prompt and what it made are computed again."""
    engine = Engine("chunked", blocks=7, watermark=0.0, step_overhead_s=0.0)
    table = RequestTable([0.0, 0.0], [40, 40], [50, 50])
    run = simulate(table, engine, REPLICA, given_first_s=np.array([0.0, 0.0]))
    assert run.preemptions.tolist() == [0, 1]
    assert run.prefill_tokens.sum() > 40
    for row in range(2):
        times = run.token_times(row)
        assert len(times) == 50
        assert (np.diff(times) > 0).all()
    values, counts = run.gaps()
    assert counts.sum() == 98
    assert np.isclose(values @ counts, run.finish_s.sum())


def test_many_preemptions_keep_every_token() -> None:
    """Each row has all its tokens when most are stopped many times and others end at once."""
    rng = np.random.default_rng(0)
    count = 300
    table = RequestTable(
        np.sort(rng.uniform(0, 0.2, count)),
        rng.integers(1, 60, count),
        np.where(rng.random(count) < 0.5, 2, 120),
    )
    run = simulate(table, Engine("chunked", blocks=40, watermark=0.0), REPLICA)
    assert run.preemptions.sum() > 200
    tokens = [len(run.token_times(row)) for row in range(count)]
    assert tokens == table.output_tokens.tolist()


@pytest.mark.parametrize(
    ("given", "told"),
    [([2.0], "row 0: given_first_s is 2.0"), ([-1.0], "row 0"), ([0.0, 0.0], r"shape \(2,\)")],
)
def test_a_first_token_after_its_arrival_is_refused(given: list[float], told: str) -> None:
    """The cache cannot come before it was made."""
    with pytest.raises(InputError, match=told):
        simulate(RequestTable([1.0], [9], [2]), Engine(), REPLICA, given_first_s=np.array(given))


def test_a_given_request_needs_a_second_token() -> None:
    """One of a single token has ended where it began."""
    with pytest.raises(InputError, match="only token"):
        simulate(RequestTable([1.0], [9], [1]), Engine(), REPLICA, given_first_s=np.array([0.5]))


def test_batches_run_to_their_end_take_no_given_request() -> None:
    """A static engine has no way to admit one."""
    with pytest.raises(InputError, match="static"):
        simulate(
            RequestTable([1.0], [9], [2]), Engine("static"), REPLICA, given_first_s=np.array([0.5])
        )
