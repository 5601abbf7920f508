"""The loads that published results were measured with, and the highest rate that meets a goal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.rng import generator
from gpudeck.workload.request import RequestTable

_HALVINGS = 7  # of the logarithm of 100: the rate is found within 4 %
_QUANTILE_90 = 1.2816  # of the standard normal


@dataclass(frozen=True, slots=True)
class Lengths:
    """Log-normal lengths of prompts and outputs, by mean or median and by spread.

    Parameters
    ----------
    prompt_median, prompt_sigma, output_median, output_sigma
        Median in tokens, and standard deviation of the logarithm.
    longest
        Prompt and output together are cut to this.
    """

    prompt_median: float
    prompt_sigma: float
    output_median: float
    output_sigma: float
    longest: int


def lengths_of_means(prompt: float, output: float, longest: int, sigma: float = 1.0) -> Lengths:
    """Build lengths with the given means before the cut; the spread is an assumption.

    >>> round(lengths_of_means(161.31, 337.99, 2048).prompt_median)
    98
    """
    factor = np.exp(-(sigma**2) / 2)
    return Lengths(prompt * factor, sigma, output * factor, sigma, longest)


def lengths_of_quantiles(
    prompt: tuple[float, float], output: tuple[float, float], longest: int
) -> Lengths:
    """Build lengths with the given medians and 90th percentiles.

    >>> lengths_of_quantiles((1730, 5696), (415, 834), 8192).prompt_median
    1730
    """
    spread = [float(np.log(p90 / p50)) / _QUANTILE_90 for p50, p90 in (prompt, output)]
    return Lengths(prompt[0], spread[0], output[0], spread[1], longest)


def draw_requests(lengths: Lengths, count: int, seed: int = 0) -> RequestTable:
    """Draw requests that arrive as a Poisson process of one a second; see `RequestTable.with_rate`.

    Parameters
    ----------
    lengths
        Their lengths.
    count
        How many.
    seed
        Of the draw.
    """
    random = generator(seed, "published")
    arrival = np.cumsum(random.exponential(1.0, count))
    longest = lengths.longest
    prompts = random.lognormal(np.log(lengths.prompt_median), lengths.prompt_sigma, count)
    outputs = random.lognormal(np.log(lengths.output_median), lengths.output_sigma, count)
    prompt = np.clip(prompts.round(), 1, longest - 1).astype(np.int64)
    output = np.clip(outputs.round(), 1, longest - prompt).astype(np.int64)
    return RequestTable(arrival, prompt, output)


def saturated_tokens_s(requests: RequestTable, engine: Engine, replica: Replica) -> float:
    """Output tokens a second when all requests wait from the start."""
    result = simulate(requests.all_at_once(), engine, replica)
    return float(requests.output_tokens.sum() / result.makespan_s)


def highest_rate(
    requests: RequestTable, meets: Callable[[RequestTable], bool], top_per_s: float
) -> float:
    """Return the highest rate of arrival that meets a goal, by bisection; 0 if even 1 % does not.

    Parameters
    ----------
    requests
        Stretched to each rate tried.
    meets
        Whether the goal is met; taken to hold below the rate that is looked for and not above it.
    top_per_s
        No rate above this is tried.
    """
    low, high = top_per_s / 100, top_per_s
    if meets(requests.with_rate(high)):
        return high
    if not meets(requests.with_rate(low)):
        return 0.0
    for _ in range(_HALVINGS):
        middle = float(np.sqrt(low * high))
        if meets(requests.with_rate(middle)):
            low = middle
        else:
            high = middle
    return low
