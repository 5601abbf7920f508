"""Compiled Holt–Winters over many series, with the error of its own forecasts."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def smooth(values, level, trend, seasonal, alpha, beta, gamma, ahead, memory, floor):
    """Run the recursion over each series and forecast at every step.

    values (series, steps); level, trend, alpha, beta, gamma, floor (series,); seasonal (series,
    period). Column t of the results is made before value t is seen, for step t + ahead - 1: the
    forecast, and its standard error as a share of the forecast.
    """
    count, steps = values.shape
    period = seasonal.shape[1]
    made, spread = np.empty((count, steps)), np.empty((count, steps))
    state = np.empty((count, 2))
    ring = np.empty(ahead)
    for row in range(count):
        season = seasonal[row].copy()
        l, b = level[row], trend[row]  # noqa: E741 - the names of the formula
        a, be, g = alpha[row], beta[row], gamma[row]
        square, weight = 0.0, 0.0
        place = 0
        for step in range(steps):
            value = values[row, step]
            aim = place + ahead - 1
            forecast = l + ahead * b + season[aim % period]
            made[row, step] = forecast
            spread[row, step] = np.sqrt(square / weight) if weight > 0.0 else 0.0
            ring[step % ahead] = forecast
            if step >= ahead - 1:
                before = ring[(step - ahead + 1) % ahead]
                error = (value - before) / max(before, floor[row])
                square = (1.0 - memory) * square + memory * error * error
                weight = (1.0 - memory) * weight + memory
            last = l + b
            l = a * (value - season[place]) + (1.0 - a) * last  # noqa: E741
            b_new = be * (l - (last - b)) + (1.0 - be) * b
            season[place] = g * (value - last) + (1.0 - g) * season[place]
            b = b_new
            place += 1
            if place == period:
                place = 0
        state[row, 0], state[row, 1] = l, b
    return made, spread, state


@njit(cache=True, nogil=True)
def squared_error(values, level, seasonal, alpha, gamma, ahead, skip):
    """Sum the squared errors `ahead` steps ahead of one pair of parameters, without a trend."""
    count, steps = values.shape
    period = seasonal.shape[1]
    total = np.zeros(count)
    ring = np.empty(ahead)
    for row in range(count):
        season = seasonal[row].copy()
        l = level[row]  # noqa: E741
        place = 0
        for step in range(steps):
            value = values[row, step]
            ring[step % ahead] = l + season[(place + ahead - 1) % period]
            if step >= skip and step >= ahead - 1:
                error = value - ring[(step - ahead + 1) % ahead]
                total[row] += error * error
            fresh = alpha * (value - season[place]) + (1.0 - alpha) * l
            season[place] = gamma * (value - l) + (1.0 - gamma) * season[place]
            l = fresh  # noqa: E741
            place += 1
            if place == period:
                place = 0
    return total


@njit(cache=True, nogil=True)
def errors_of(values, made, ahead, memory, floor):
    """Give the running standard error, as a share, of forecasts made `ahead` - 1 steps before."""
    count, steps = values.shape
    spread = np.empty((count, steps))
    for row in range(count):
        square, weight = 0.0, 0.0
        for step in range(steps):
            spread[row, step] = np.sqrt(square / weight) if weight > 0.0 else 0.0
            if step >= ahead - 1:
                before = made[row, step - ahead + 1]
                error = (values[row, step] - before) / max(before, floor[row])
                square = (1.0 - memory) * square + memory * error * error
                weight = (1.0 - memory) * weight + memory
    return spread
