"""Engines: what is refused, and what counts are."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.serving.engine import Adaptive, Engine

NAN = float("nan")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"policy": "orca"}, r"policy is 'orca'; allowed is \('static', 'dynamic'"),
        ({"policy": None}, "policy is None"),
        ({"reservation": "most"}, r"reservation is 'most'; allowed is \('max', 'pow2', 'oracle'"),
        ({"max_batch": 0}, "max_batch is 0; allowed is a whole number from 1"),
        ({"max_batch": 2.5}, "max_batch is 2.5"),
        ({"max_batch": True}, "max_batch is True"),
        ({"max_batch": 10**20}, "max_batch is 100000000000000000000"),
        ({"max_batch_tokens": -1}, "max_batch_tokens is -1"),
        ({"chunk_tokens": 0}, "chunk_tokens is 0"),
        ({"block_size": "16"}, "block_size is '16'"),
        ({"blocks": 0}, "blocks is 0"),
        ({"max_length": 0}, "max_length is 0"),
        ({"watermark": 1.0}, "watermark is 1.0; allowed is from 0 to below 1"),
        ({"watermark": NAN}, "watermark is nan"),
        ({"watermark": None}, "watermark is None"),
        ({"step_overhead_s": NAN}, "step_overhead_s is nan; allowed is 0 or above, and finite"),
        ({"step_overhead_s": "1 ms"}, "step_overhead_s is '1 ms'"),
        ({"max_delay_s": float("inf")}, "max_delay_s is inf"),
        ({"prefix_cache": "yes"}, "prefix_cache is 'yes'; allowed is True or False"),
        ({"adaptive": 0.1}, "adaptive is 0.1; allowed is None or an Adaptive"),
        ({"policy": "static", "buckets": ()}, r"buckets is \(\); allowed is a tuple of rising"),
        ({"policy": "static", "buckets": (9, 5)}, r"buckets is \(9, 5\)"),
        ({"policy": "static", "buckets": (1.5,)}, r"buckets is \(1.5,\)"),
        ({"policy": "static", "buckets": 5}, "buckets is 5"),
        ({"policy": "static", "adaptive": Adaptive(0.1)}, "adaptive with policy 'static'"),
        ({"policy": "continuous", "prefix_cache": True}, "prefix_cache with policy 'continuous'"),
        ({"policy": "paged", "buckets": (5,)}, "buckets with policy 'paged'"),
    ],
)
def test_bad_values_are_named(options: dict, told: str) -> None:
    """Field, value, and what is allowed."""
    with pytest.raises(InputError, match=told):
        Engine(**options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"objective_s": 0}, "objective_s is 0; allowed is above 0"),
        ({"objective_s": "fast"}, "objective_s is 'fast'"),
        ({"objective_s": 0.1, "increase": NAN}, "increase is nan"),
        ({"objective_s": 0.1, "decrease": 1}, "decrease is 1; allowed is above 0 and below 1"),
        ({"objective_s": 0.1, "window": 0}, "window is 0"),
        ({"objective_s": 0.1, "min_batch": 1.5}, "min_batch is 1.5"),
    ],
)
def test_bad_values_of_adaptive_are_named(options: dict, told: str) -> None:
    """Field, value, and what is allowed."""
    with pytest.raises(InputError, match=told):
        Adaptive(**options)


def test_counts_of_numpy_are_taken_as_what_they_are() -> None:
    """A sweep over an array gives the engine that a list gives."""
    told = Engine(max_batch=np.int64(4), blocks=np.int32(7))
    assert told == Engine(max_batch=4, blocks=7)
    assert type(told.blocks) is int
