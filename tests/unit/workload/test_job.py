"""Jobs refuse what cannot be run, and name the row."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.workload import Jobs, concatenate_jobs

GOOD = {
    "id": ["a", "b"],
    "tenant": ["x", "y"],
    "arrival_s": [3.0, 0.0],
    "pods": [1, 2],
    "gpus_per_pod": [1, 8],
    "duration_s": [10.0, 5.0],
}


@pytest.mark.parametrize(
    ("column", "values", "complaint"),
    [
        ("id", ["a", "a"], "row 1: id 'a' repeats"),
        ("arrival_s", [0.0, -1.0], "row 1, job 'b': arrival_s is -1.0"),
        ("duration_s", [0.0, 1.0], "row 0, job 'a': duration_s is 0.0"),
        ("duration_s", [1.0, np.nan], "row 1, job 'b': duration_s is nan"),
        ("duration_s", [1.0, -5.0], "row 1, job 'b': duration_s is -5.0"),
        ("estimate_s", [1.0, np.inf], "row 1, job 'b': estimate_s is inf"),
        ("pods", [0, 1], "row 0, job 'a': pods is 0"),
        ("pods", [1.5, 1], "row 0: pods is 1.5"),
        ("gpus_per_pod", [1, -8], "row 1, job 'b': gpus_per_pod is -8"),
        ("priority", [1, 2, 3], "priority has shape"),
        ("tenant", ["x"], "tenant has shape"),
        ("duration_s", ["1", "2"], "allowed are numbers"),
    ],
)
def test_a_job_that_cannot_run_is_refused_by_its_row(column, values, complaint):
    with pytest.raises(InputError, match=complaint.replace("(", r"\(")):
        Jobs(**(GOOD | {column: values}))


def test_columns_are_read_only_and_defaults_are_filled():
    jobs = Jobs(**GOOD)
    assert jobs.estimate_s.tolist() == [10.0, 5.0]
    assert jobs.priority.tolist() == [0, 0]
    with pytest.raises(ValueError, match="read-only"):
        jobs.pods[0] = 3


def test_taking_rows_and_putting_lists_together_give_the_same_jobs():
    jobs = Jobs(**GOOD)
    again = concatenate_jobs([jobs.take([0]), jobs.take([1])])
    assert again.id.tolist() == jobs.id.tolist()
    assert again.gpu_seconds.tolist() == jobs.gpu_seconds.tolist() == [10.0, 80.0]
