"""Pipelines: the bubble against a simulated schedule."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.training.batch import trade_batch
from gpudeck.models.training.pipeline import bubble_ratio, bubble_share, in_flight


def makespan(stages, microbatches):
    """Time of 1F1B with forward 1 and backward 2, by the order of each stage."""
    done = {}
    orders = []
    for stage in range(stages):
        warm = min(stages - stage - 1, microbatches)
        order = [("F", k) for k in range(warm)]
        for k in range(microbatches - warm):
            order += [("F", warm + k), ("B", k)]
        order += [("B", k) for k in range(microbatches - warm, microbatches)]
        orders.append(order)
    clock, place = [0.0] * stages, [0] * stages
    while any(place[s] < len(orders[s]) for s in range(stages)):
        for stage in range(stages):
            if place[stage] == len(orders[stage]):
                continue
            kind, k = orders[stage][place[stage]]
            before = (kind, stage - 1 if kind == "F" else stage + 1, k)
            first = before[1] < 0 or before[1] == stages
            if not first and before not in done:
                continue
            start = max(clock[stage], 0.0 if first else done[before])
            clock[stage] = start + (1 if kind == "F" else 2)
            done[kind, stage, k] = clock[stage]
            place[stage] += 1
    return max(clock)


@pytest.mark.parametrize(("stages", "microbatches"), [(1, 4), (2, 2), (4, 8), (3, 7)])
def test_the_bubble_is_that_of_the_schedule(stages, microbatches):
    busy = 3.0 * microbatches
    idle = makespan(stages, microbatches) - busy
    assert float(bubble_ratio(stages, microbatches)) == pytest.approx(idle / busy)


def test_shares_and_ratios_agree():
    ratio, share = bubble_ratio([4, 8], [8, 8], 2), bubble_share([4, 8], [8, 8], 2)
    assert share == pytest.approx(ratio / (1 + ratio))


def test_in_flight_is_bounded_by_what_there_is():
    assert float(in_flight(8, 3, 4)) == 3
    assert float(in_flight(1, 5)) == 1


@pytest.mark.parametrize("values", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_counts_below_one_are_refused(values):
    with pytest.raises(InputError, match="from 1"):
        bubble_ratio(*values)


def test_a_larger_batch_takes_fewer_steps_and_more_examples():
    trade = trade_batch(np.geomspace(1, 1e4, 20), 100)
    assert (np.diff(trade.steps) < 0).all()
    assert (np.diff(trade.examples) > 0).all()
    # steps and examples of one batch: the product is fixed by the two least values
    assert (1 / trade.steps + 1 / trade.examples) == pytest.approx(np.ones(20))


@pytest.mark.parametrize(("batch", "critical"), [(0, 1), (1, 0), (1, float("nan"))])
def test_batches_are_above_zero(batch, critical):
    with pytest.raises(InputError, match="above 0"):
        trade_batch(batch, critical)
