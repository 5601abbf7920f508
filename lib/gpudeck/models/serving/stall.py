"""Two real runs side by side: prompts that arrive while others decode, whole and in chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.fact import Fact, function_name
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.result import ServingResult
from gpudeck.models.serving.simulate import simulate
from gpudeck.scenario import Scenario
from gpudeck.scenario.serving import report_requests
from gpudeck.workload.request import RequestTable

MODEL = "model:serving"
# the situation that is shown, an assumption: a dozen answers under way, two long prompts at once
DECODES, SHORT_PROMPT, PROMPTS, PROMPT_TOKENS = 12, 128, 2, 2000
# decoding iterations shown before the prompts arrive, and after the slower run has computed them
BEFORE, AFTER = 5, 4


@dataclass(frozen=True, slots=True, eq=False)
class StallTrace:
    """Runs of one situation: prompts computed whole (`whole`) and in chunks (`chunked`).

    `arrival_s` is when the long prompts come, `start_s` and `end_s` bound what is worth showing.
    """

    whole: ServingResult
    chunked: ServingResult
    decodes: int
    arrival_s: float
    start_s: float
    end_s: float

    def gaps_s(self, run: ServingResult) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return start and end of each gap between tokens of a decoding request in the window."""
        times = run.token_times(0)
        inside = (times >= self.start_s - 1e-12) & (times <= self.end_s + 1e-12)
        shown = times[inside]
        return shown[:-1], shown[1:]

    def longest_s(self, run: ServingResult) -> float:
        """Return the longest of these gaps."""
        start, end = self.gaps_s(run)
        return float((end - start).max())

    def chunks(self, run: ServingResult) -> NDArray[np.int64]:
        """Return prompt tokens of each iteration that computes some of the long prompts."""
        late = (run.prefill_tokens > 0) & (run.start_s >= self.arrival_s - 1e-12)
        return run.prefill_tokens[late].astype(np.int64)


def trace_stall(
    replica: Replica,
    engine: Engine,
    *,
    decodes: int = DECODES,
    prompts: int = PROMPTS,
    prompt_tokens: int = PROMPT_TOKENS,
) -> StallTrace:
    """Let prompts arrive while requests decode, and serve them whole and in chunks.

    Both runs see the same requests on the same replica; "whole" computes prompts first, several
    in one iteration, as vLLM's first engine did.

    Parameters
    ----------
    replica, engine
        The engine gives the token budget and all else but the policy.
    decodes, prompts, prompt_tokens
        Requests that decode, prompts that arrive together, and their length.
    """
    warm = BEFORE + 3
    short = np.full(decodes, SHORT_PROMPT)
    quick = RequestTable(np.zeros(decodes), short, np.full(decodes, warm + 1))
    arrival_s = max(
        float(simulate(quick, replace(engine, policy=policy), replica).end_s[-1])
        for policy in ("paged", "chunked")
    )
    output = 40 + 4 * prompts * prompt_tokens // engine.chunk_tokens
    requests = RequestTable(
        np.r_[np.zeros(decodes), np.full(prompts, arrival_s)],
        np.r_[short, np.full(prompts, prompt_tokens)],
        np.full(decodes + prompts, output),
    )
    whole, chunked = (
        simulate(requests, replace(engine, policy=policy), replica)
        for policy in ("paged", "chunked")
    )
    last_s = max(float(run.first_token_s.max()) for run in (whole, chunked))
    step_s = float(np.median((whole.end_s - whole.start_s)[whole.decodes == decodes]))
    return StallTrace(
        whole, chunked, decodes, arrival_s, arrival_s - BEFORE * step_s, last_s + AFTER * step_s
    )


def report_stall(
    trace: StallTrace, scenario: Scenario, tables: Sequence[RequestTable]
) -> tuple[Fact, ...]:
    """Return the longest gap and the last first token of both runs, and the chunks.

    Parameters
    ----------
    trace
        From `trace_stall`.
    scenario
        What the engine and the replica are from.
    tables
        The scenario's requests, to say how long these prompts are among them.

    Returns
    -------
    tuple of Fact
        `stall_whole`, `stall_chunked` (ms); `ttft_whole`, `ttft_chunked` (ms);
        `iterations_chunked`; `running`, `prompts`, `prompt_tokens`; `longer` (requests with a
        shorter prompt, %); the scenario's `budget`; and those of `report_requests`.
    """
    by = function_name(trace_stall)
    facts = []
    for name, run in (("whole", trace.whole), ("chunked", trace.chunked)):
        for key, value in (("stall", trace.longest_s(run)), ("ttft", float(run.ttft_s.max()))):
            facts.append(
                Fact(f"{key}_{name}", 1e3 * value, "ms", "simulated", MODEL, by, decimals=0)
            )
    requests = trace.whole.table
    length = int(requests.prompt_tokens[-1])
    shorter = np.concatenate([table.prompt_tokens for table in tables]) < length
    counts = (
        ("iterations_chunked", len(trace.chunks(trace.chunked)), "count", "simulated"),
        ("running", trace.decodes, "request", "simulated"),
        ("prompts", len(requests) - trace.decodes, "count", "simulated"),
        ("prompt_tokens", length, "token", "simulated"),
        ("longer", 100 * float(shorter.mean()), "%", "simulated"),
    )
    facts += [Fact(key, value, unit, kind, MODEL, by) for key, value, unit, kind in counts]
    budget = trace.chunked.engine.chunk_tokens
    facts.append(Fact("budget", budget, "token", "scenario", scenario.id, by))
    return (*facts, *report_requests(scenario.serving))
