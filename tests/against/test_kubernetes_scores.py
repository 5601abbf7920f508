"""Kubernetes' scores against the cases of its own tests."""

import json
from pathlib import Path

import pytest

from gpudeck.errors import InputError
from gpudeck.models.scheduling.kubernetes import (
    balanced_allocation,
    broken_linear,
    least_allocated,
    most_allocated,
    requested_to_capacity_ratio,
)


def score(case: dict, node: dict) -> int:
    amounts = node["allocatable"], node["requested_by_existing"], case["pod_request"]
    match case["strategy"]:
        case "LeastAllocated":
            return least_allocated(*amounts, case["weights"])
        case "MostAllocated":
            return most_allocated(*amounts, case["weights"])
        case "RequestedToCapacityRatio":
            return requested_to_capacity_ratio(*amounts, case["weights"], case["shape"])
        case "NodeResourcesBalancedAllocation":
            return balanced_allocation(*amounts, list(case["weights"]))
        case other:
            raise AssertionError(other)


def test_every_score_case(shared: Path) -> None:
    cases = json.loads((shared / "oracles/kubernetes_scores.json").read_text())["score_cases"]
    assert len(cases) == 17
    for case in cases:
        scores = {node["name"]: score(case, node) for node in case["nodes"]}
        assert scores == case["expected"], case["name"]


def test_every_broken_line(shared: Path) -> None:
    lines = json.loads((shared / "oracles/kubernetes_scores.json").read_text())["broken_linear"]
    assert len(lines) == 2
    for line in lines:
        values = {x: broken_linear(line["points"], int(x)) for x in line["f"]}
        assert values == line["f"]


def test_over_capacity_least_is_0_and_most_is_100() -> None:
    has, used, weights = {"cpu": 1000}, {"cpu": 900}, {"cpu": 1}
    assert least_allocated(has, used, {"cpu": 200}, weights) == 0
    assert most_allocated(has, used, {"cpu": 200}, weights) == 100


@pytest.mark.parametrize("shape", [[], [(50, 1), (50, 2)], [(60, 1), (50, 2)]])
def test_a_shape_whose_use_does_not_ascend_is_refused(shape: list) -> None:
    with pytest.raises(InputError, match="ascending use"):
        broken_linear(shape, 10)
