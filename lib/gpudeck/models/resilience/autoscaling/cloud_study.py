"""Where the service's GPUs are rented, hour by hour of the counted days."""

from __future__ import annotations

import numpy as np

from gpudeck.models.resilience.autoscaling.scaling import DAY_MIN
from gpudeck.models.resilience.autoscaling.study import Elasticity
from gpudeck.models.resilience.cloud_mix import CloudMix, Offer, mix_clouds
from gpudeck.scenario.schema import Autoscaling


def plan_clouds(study: Elasticity, section: Autoscaling) -> CloudMix:
    """Find the cheapest mix for what the predictive policy pays for, in the first run.

    The demand of an hour is its busiest minute, in GPUs.

    Parameters
    ----------
    study
        From `study_elasticity`.
    section
        Of the scenario: offers, and what a preemption costs.

    Raises
    ------
    InputError
        The offers do not suffice.
    """
    series = study.calm["predictive"].series
    assert series is not None, "the study keeps its series"
    paid = (series.ready + series.starting + series.pooled)[0, study.history_days * DAY_MIN :]
    hours = paid[: len(paid) // 60 * 60].reshape(-1, 60).max(axis=1) * study.service.gpus
    offers = [
        Offer(o.cloud, o.kind, o.usd_per_gpu_h, float(o.limit_gpus), o.preemptions_per_h)
        for o in section.offers
    ]
    return mix_clouds(
        np.asarray(hours),
        offers,
        stall_s=section.stall_s,
        recovery_s=study.start.cold_s,
        spot_share_pct=section.spot_share_pct,
    )
