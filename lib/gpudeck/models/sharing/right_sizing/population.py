"""A population of pods in several runs: how a scenario's numbers become simulated use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpudeck.errors import InputError
from gpudeck.models.sharing.right_sizing.usage import Usage, UsageShape, draw_pods, simulate_usage
from gpudeck.scenario.schema import RightSizing
from gpudeck.workload.pod import Pods


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Use of pods in independent runs; the first `profile_days` are what a request is sized on."""

    runs: tuple[Usage, ...]
    profile_days: int
    seeds: tuple[int, ...]

    @property
    def profile_steps(self) -> int:
        """Samples of each pod that are profiled."""
        return self.profile_days * self.runs[0].steps_per_day

    @property
    def pod_days(self) -> float:
        """Pod-days of one run after the profile."""
        usage = self.runs[0]
        steps = usage.memory.shape[1] - self.profile_steps
        return len(usage) * steps / usage.steps_per_day


def usage_shape(settings: RightSizing) -> UsageShape:
    """Return how pods use what they declared, as a scenario's section says it in per cent.

    Parameters
    ----------
    settings : RightSizing
        The section `right_sizing` of a scenario.
    """
    return UsageShape(
        days=settings.profile_days + settings.days,
        sample_min=settings.sample_minutes,
        use=settings.use_pct / 100,
        diurnal=settings.diurnal_pct / 100,
        noise=settings.noise_pct / 100,
        compute_noise=settings.compute_noise_pct / 100,
        growth=settings.growth_pct / 100,
        jumps=settings.jumps_per_week,
        jump=settings.jump_pct / 100,
    )


def simulate_population(
    pods: Pods, shape: UsageShape, *, count: int, profile_days: int, seeds: Sequence[int]
) -> Population:
    """Draw pods and simulate what they use, once for each seed.

    Parameters
    ----------
    pods : Pods
        The workload; pods without a GPU are left out.
    shape : UsageShape
        How pods use what they declared.
    count : int
        Pods drawn in each run.
    profile_days : int
        Days on which requests are sized, 1 or above and fewer than the days simulated.
    seeds : sequence of int
        One for each run.

    Raises
    ------
    InputError
        A number is out of range, or no seed is given.
    """
    if not 1 <= profile_days < shape.days:
        msg = f"profile_days is {profile_days}; allowed is 1 to {shape.days - 1}, one day less"
        raise InputError(msg)
    if not seeds:
        msg = "there are 0 seeds; allowed is one or more"
        raise InputError(msg)
    runs = tuple(simulate_usage(shape, *draw_pods(pods, count, seed), seed) for seed in seeds)
    return Population(runs, profile_days, tuple(seeds))
