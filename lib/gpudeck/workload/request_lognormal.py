"""Requests with log-normal lengths: what is drawn where a source prints a mean or two quantiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpudeck.errors import InputError
from gpudeck.rng import generator
from gpudeck.workload.request import RequestTable

_QUANTILE_90 = 1.2816  # of the standard normal


@dataclass(frozen=True, slots=True)
class Lengths:
    """Log-normal lengths of prompts and outputs, by median and by spread.

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


def sigma_of(spread: float) -> float:
    """Return the standard deviation of the logarithm: σ = √ln(1 + s²), s deviation over mean.

    Raises
    ------
    InputError
        The spread is negative or not finite.

    >>> sigma_of(0.0)
    0.0
    """
    if not 0 <= spread < float("inf"):
        msg = f"spread is {spread}; allowed is 0 or above, and finite"
        raise InputError(msg)
    return float(np.sqrt(np.log1p(spread**2)))


def draw_requests(lengths: Lengths, count: int, seed: int = 0) -> RequestTable:
    """Draw requests that arrive as a Poisson process of one a second; see `RequestTable.with_rate`.

    The same normal draws whatever the lengths: tables of one seed differ in nothing else.

    Parameters
    ----------
    lengths
        Their lengths.
    count
        How many.
    seed
        Of the draw.
    """
    random = generator(seed, "published")  # the stream that published rows are computed with
    arrival = np.cumsum(random.exponential(1.0, count))
    longest = lengths.longest
    prompts = random.lognormal(np.log(lengths.prompt_median), lengths.prompt_sigma, count)
    outputs = random.lognormal(np.log(lengths.output_median), lengths.output_sigma, count)
    prompt = np.clip(prompts.round(), 1, longest - 1).astype(np.int64)
    output = np.clip(outputs.round(), 1, longest - prompt).astype(np.int64)
    return RequestTable(arrival, prompt, output)
