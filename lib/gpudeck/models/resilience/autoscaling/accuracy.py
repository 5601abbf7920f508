"""How good the forecasts are, by how far they look ahead."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.resilience.autoscaling.scaling import DAY_MIN, predict
from gpudeck.models.resilience.autoscaling.study import Elasticity
from gpudeck.models.resilience.forecast import METHODS

LEADS_MIN = (1, 5, 15, 60, 120)


@dataclass(frozen=True, slots=True, eq=False)
class Accuracy:
    """Errors of each method, shape (leads, runs): Σ|error| over Σ load, in %.

    `covered_pct` is the share of minutes whose load lies below forecast + z·σ, shape (runs,), of
    the rule's own method and lead.
    """

    leads_min: tuple[int, ...]
    error_pct: dict[str, NDArray[np.float64]]
    covered_pct: NDArray[np.float64]


def measure_accuracy(study: Elasticity, leads_min: tuple[int, ...] = LEADS_MIN) -> Accuracy:
    """Measure the forecasts against what was counted later, after the history only.

    Parameters
    ----------
    study
        From `study_elasticity`.
    leads_min
        Minutes ahead, 1 or above.
    """
    first = study.history_days * DAY_MIN
    seen = study.calm_demand.observed
    errors = {}
    for method in METHODS:
        rows = []
        for lead in leads_min:
            rule = replace(study.rule, method=method, lead_s=60.0 * (lead - 1))
            mean = predict(seen, study.service, rule, study.history_days).mean
            ahead = seen[:, first + lead - 1 :]
            off = np.abs(mean[:, first : seen.shape[1] - lead + 1] - ahead).sum(axis=1)
            rows.append(100 * off / np.maximum(ahead.sum(axis=1), 1e-12))
        errors[method] = np.array(rows)
    made = study.forecasts[study.rule.method]
    lag = made.ahead - 1
    upper = made.upper(study.rule.z)[:, first : seen.shape[1] - lag]
    covered = 100 * (seen[:, first + lag :] <= upper).mean(axis=1)
    return Accuracy(leads_min, errors, covered)
