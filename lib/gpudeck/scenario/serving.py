"""The requests of a scenario's language model, at any rate."""

from functools import cache
from pathlib import Path

import numpy as np

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name
from gpudeck.rng import generator, spawn_seeds
from gpudeck.scenario.schema import Scenario, Serving
from gpudeck.tables import read_table
from gpudeck.workload.request import RequestTable
from gpudeck.workload.request_log import read_requests
from gpudeck.workload.request_resample import resample_requests


def read_serving_requests(
    scenario: Scenario, rate_per_s: float | None = None, seed: int = 0
) -> RequestTable:
    """Draw a run's requests, or take a stretch of the scenario's own log.

    Parameters
    ----------
    scenario
        Its ``serving`` section says what they are like, and how many.
    rate_per_s
        Mean rate; that of the trace or log if not told.
    seed
        Seed of the draws; with a log, of where the stretch begins. A log of no more requests than
        a run has is taken whole: then the stretch goes on at the log's start, so that seeds differ
        in where it begins.

    Raises
    ------
    InputError
        The rate is not above 0, or the log is broken or has fewer than 2 requests.

    >>> from gpudeck.scenario import read_scenario
    >>> requests = read_serving_requests(read_scenario("default"), 4.0, seed=1)
    >>> len(requests), round(requests.rate_per_s)
    (2000, 4)
    """
    serving = scenario.serving
    if serving.trace is None:
        return resample_requests(
            serving.requests, serving.count, rate_per_s, serving.arrivals, seed
        )
    whole = _read_own_log(serving.trace)
    spare = len(whole) - serving.count
    last = spare if spare > 0 else len(whole) - 1
    start = int(generator(seed, "serving", "stretch").integers(0, last + 1))
    part = whole.take(np.arange(start, start + serving.count)) if spare > 0 else _turn(whole, start)
    if rate_per_s is None:
        return part.at_times(part.arrival_s - part.arrival_s[0])
    return part.with_rate(rate_per_s)


def _turn(log: RequestTable, start: int) -> RequestTable:
    """Return a log from a row on, then its rows before that; a mean gap joins end and start."""
    count = len(log)
    order = (start + np.arange(count)) % count
    again_s = log.duration_s * count / (count - 1)
    later = np.where(order < start, again_s, 0.0)
    return log.take(order).at_times(log.arrival_s[order] + later)


def _read_own_log(trace: str) -> RequestTable:
    path = Path(trace)
    whole = _read_log(path, path.stat().st_mtime_ns if path.is_file() else 0)
    if len(whole) < 2:
        msg = f"serving.trace is {trace}, of {len(whole)} request; allowed are 2 or more"
        raise InputError(msg)
    return whole


@cache
def _read_log(path: Path, _modified_ns: int) -> RequestTable:
    return read_requests(path).requests.sorted_by_arrival()


def read_serving_runs(
    scenario: Scenario,
    count: int,
    seed: int = 0,
    *,
    runs: int | None = None,
    rate_per_s: float | None = None,
) -> tuple[RequestTable, ...]:
    """Return the first requests of several runs, each with a seed of its own.

    Parameters
    ----------
    scenario, rate_per_s
        As in `read_serving_requests`.
    count
        Requests of a run at most.
    seed
        Seed from which the runs' seeds are spawned.
    runs
        How many; the scenario's number of runs if not told.

    >>> from gpudeck.scenario import read_scenario
    >>> [len(run) for run in read_serving_runs(read_scenario("default"), 100, runs=2)]
    [100, 100]
    """
    seeds = spawn_seeds(seed, scenario.runs if runs is None else runs)
    return tuple(
        read_serving_requests(scenario, rate_per_s, own).take(slice(0, count)) for own in seeds
    )


def report_requests(serving: Serving) -> tuple[Fact, ...]:
    """Return where a scenario's requests come from, as facts that a page's source line cites.

    Parameters
    ----------
    serving
        The scenario's section.

    Returns
    -------
    tuple of Fact
        Of the trace whose lengths are resampled, or of the scenario's own log: `trace_name`,
        `trace_requests`, and mean tokens `trace_prompt` and `trace_output`. Their source is that
        of the trace in ``data/request_lengths.csv``, or the name of the log's file.

    Raises
    ------
    InputError
        The log is broken or has fewer than 2 requests.

    >>> from gpudeck.scenario import read_scenario
    >>> facts = report_requests(read_scenario("default").serving)
    >>> [(fact.key, fact.source) for fact in facts][1]
    ('trace_requests', 'azure-llm-2023')
    """
    by = function_name(report_requests)
    if serving.trace is None:
        rows = read_table("request_lengths").of(serving.requests)
        first, name = rows["rows"], str(serving.requests)
        kind, source, count = first.kind, first.sources[0], round(first.number)
        prompt, output = rows["prompt_mean"].number, rows["output_mean"].number
    else:
        log = _read_own_log(serving.trace)
        kind, source, name = "scenario", Path(serving.trace).name, Path(serving.trace).stem
        count = len(log)
        prompt, output = float(log.prompt_tokens.mean()), float(log.output_tokens.mean())
    return (
        Fact("trace_name", name, "text", kind, source, by),
        Fact("trace_requests", count, "request", kind, source, by, decimals=0),
        Fact("trace_prompt", prompt, "token", kind, source, by, decimals=0),
        Fact("trace_output", output, "token", kind, source, by, decimals=0),
    )
