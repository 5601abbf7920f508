"""Forecasts of load: what the next minutes bring, and how sure that is."""

from gpudeck.models.resilience.forecast.estimated import estimate_smoothing
from gpudeck.models.resilience.forecast.forecast import (
    METHODS,
    Forecast,
    Smoothing,
    fit_smoothing,
    forecast_load,
    holt_winters,
    last_value,
    seasonal_naive,
    start_smoothing,
)

__all__ = [
    "METHODS",
    "Forecast",
    "Smoothing",
    "estimate_smoothing",
    "fit_smoothing",
    "forecast_load",
    "holt_winters",
    "last_value",
    "seasonal_naive",
    "start_smoothing",
]
