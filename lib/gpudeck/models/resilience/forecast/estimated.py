"""Holt–Winters of one service with parameters estimated by statsmodels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gpudeck.errors import InputError
from gpudeck.models.resilience.forecast.forecast import Smoothing, start_smoothing


def estimate_smoothing(values: ArrayLike, period: int) -> Smoothing:
    """Estimate α, β and γ of one series by least squares of the next value, with statsmodels.

    The first state is that of `start_smoothing`. This looks one step ahead, as the textbooks do;
    `fit_smoothing` looks as far ahead as a replica takes to start.

    Parameters
    ----------
    values
        History, shape (steps,), two seasons or more.
    period
        Steps of a season, 2 or above.

    Raises
    ------
    InputError
        The history is too short or holds a number that is not finite.

    Source: statsmodels, ``tsa.holtwinters.ExponentialSmoothing``.
    """
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    series = np.asarray(values, dtype=np.float64)
    if series.ndim != 1:
        msg = f"values has shape {series.shape}; allowed is one series"
        raise InputError(msg)
    start = start_smoothing(series[None], period)
    model = ExponentialSmoothing(
        series,
        trend="add",
        seasonal="add",
        seasonal_periods=period,
        initialization_method="known",
        initial_level=start.level[0],
        initial_trend=0.0,
        initial_seasonal=start.seasonal[0],
    )
    found = model.fit().params
    names = ("smoothing_level", "smoothing_trend", "smoothing_seasonal")
    # statsmodels fits γ/(1 − α) and β/α within bounds and returns the products
    alpha, beta, gamma = (np.array([float(found[name])]) for name in names)
    return Smoothing(alpha, beta, gamma, start.level, start.trend, start.seasonal)
