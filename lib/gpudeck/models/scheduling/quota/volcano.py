"""Volcano's binpack score: the fuller a node would be in what the task asks, the better."""

from __future__ import annotations

from gpudeck.models.scheduling.quota.amounts import Amounts, check_amount, check_amounts

_MOST = 100


def binpack_score(
    request: Amounts, allocatable: Amounts, used: Amounts, weights: Amounts, weight: float = 1
) -> float:
    """Return the score of a node for a task.

    Parameters
    ----------
    request, allocatable, used
        What the task asks, what the node has, and what is taken of it.
    weights
        Weights of resources; a resource without one is left out.
    weight
        Weight of the plug-in.

    Raises
    ------
    InputError
        A negative amount or NaN.

    Formula: 100 · weight · Σ w_r s_r / Σ w_r over the resources asked, with s_r = (used + request)
    / has, 0 where the node has none; the score is 0 where the task does not fit what there is.
    Source: volcano-sh/volcano, pkg/scheduler/plugins/binpack (Apache-2.0).

    >>> binpack_score({"gpu": 2}, {"gpu": 8}, {"gpu": 4}, {"gpu": 7})
    75.0
    """
    for name, amounts in (("request", request), ("allocatable", allocatable), ("used", used)):
        check_amounts(name, amounts)
    check_amounts("weights", weights)
    check_amount("weight", weight)
    score = total = 0.0
    for resource, asked in request.items():
        if asked == 0 or resource not in weights:
            continue
        total += weights[resource]
        has, taken = allocatable.get(resource, 0), used.get(resource, 0) + asked
        if taken > has > 0:
            return 0.0
        if has > 0:
            score += weights[resource] * taken / has
    return _MOST * weight * score / total if total else 0.0
