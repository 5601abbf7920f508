"""Goodput of prefill and decode apart: every split is served, and a slow link costs goodput."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.serving import Engine, Replica, RequestTable, StepTime
from gpudeck.models.serving.disaggregation_study import (
    Objectives,
    compare_splits,
    report_splits,
    split_grid,
)

# 20 µs a token and 5 ms a step
REPLICA = Replica(
    "H100-SXM",
    "llama-2-7b",
    step_time=StepTime(
        linear_s=np.r_[0.0, 0.005 + 2e-5 * np.arange(1, 1025)],
        head_s=np.zeros(2),
        prefill_chunk_s=0.0,
        prefill_work_s=0.0,
        decode_step_s=0.0,
        decode_request_s=0.0,
        decode_token_s=0.0,
        low=0.9,
        high=1.1,
        provenance="by hand",
    ),
)


def spaced(count, gap_s, prompt=1000, output=20):
    return RequestTable(gap_s * np.arange(count), [prompt] * count, [output] * count)


def test_an_idle_system_serves_all_within_lenient_objectives():
    requests = spaced(20, 1.0)
    study = compare_splits([requests] * 2, Engine("paged"), REPLICA, Objectives(10, 1), replicas=3)
    every = 20 / requests.duration_s / 3
    assert study.apart.shape == (2, 2)
    assert np.allclose(study.apart, every)
    assert np.allclose(study.together, every)
    assert np.allclose(study.gain_pct(), 0)
    facts = {fact.key: fact.value for fact in report_splits(study)}
    assert facts["prefill_replicas"] + facts["decode_replicas"] == 3


def test_a_slow_link_misses_the_time_per_token():
    grid = split_grid(
        spaced(20, 1.0), Engine("paged"), REPLICA, Objectives(10, 0.02), [1.0], [0.1, 100.0],
        replicas=2,
    )  # fmt: skip
    # half a gigabyte of cache takes 5 s at 0.1 GB/s, far more than 19 gaps of 20 ms
    assert grid.studies[1.0, 0.1].apart.max() == 0
    assert grid.studies[1.0, 100.0].apart.min() > 0


def test_what_cannot_be_asked():
    with pytest.raises(InputError, match="1 replicas"):
        compare_splits([spaced(2, 1.0)], Engine("paged"), REPLICA, Objectives(1, 1), replicas=1)
    with pytest.raises(InputError, match="tpot_s is 0"):
        Objectives(1, 0)
