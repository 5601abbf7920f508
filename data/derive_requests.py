# noqa: INP001 - a script beside the tables that it makes
"""Derive the tables ``request_lengths.csv`` and ``prefix_reuse.csv`` from traces of requests.

Run ``python data/derive_requests.py FOLDER`` with the folder that holds ``azure``, ``mooncake`` and
``sharegpt300``. A workload's rows are the quantiles of its prompts and answers, how the two go
together, when requests arrive, and where prompts have block hashes what a prefix cache finds.
"""

import csv
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from gpudeck.tables import ROW_COLUMNS
from gpudeck.workload.prefix import prefix_reuse, reuse_curve
from gpudeck.workload.request import RequestTable
from gpudeck.workload.request_log import read_requests
from gpudeck.workload.request_resample import PERCENTS, attribute_of

TRACES = {
    "azure-conversation-2023": ("azure/AzureLLMInferenceTrace_conv.csv", "azure-llm-2023"),
    "azure-code-2023": ("azure/AzureLLMInferenceTrace_code.csv", "azure-llm-2023"),
    "mooncake-conversation": ("mooncake/conversation_trace.jsonl", "mooncake-traces"),
    "mooncake-synthetic": ("mooncake/synthetic_trace.jsonl", "mooncake-traces"),
    "sharegpt-llama-3.1-8b": (
        "sharegpt300/workload_sharegpt-llama-3.1-8b-300-sps10.csv",
        "llmservingsim",
    ),
}
QUANTISED = {"mooncake-conversation": ", with times quantised to 3 s by the publisher"}
CAPACITIES_TOKENS = (
    *(tenth * 10**power for power in (3, 4, 5, 6) for tenth in (10, 15, 20, 30, 40, 60, 80)),
    10**8,
    2 * 10**8,
)


def summarise(workload: str, requests: RequestTable) -> Iterator[tuple[str, float, str, str]]:
    """Give attribute, value, unit and what it is of one workload."""
    gaps = np.diff(np.sort(requests.arrival_s))
    yield "rows", len(requests), "request", "rows counted"
    how = f"gaps counted over the time from first to last{QUANTISED.get(workload, '')}"
    yield "rate_per_s", requests.rate_per_s, "request/s", how
    how = f"standard deviation over mean of the gaps{QUANTISED.get(workload, '')}"
    yield "gap_cv", gaps.std() / gaps.mean(), "1", how
    rank = spearmanr(requests.prompt_tokens, requests.output_tokens).statistic
    yield "rank_correlation", rank, "1", "Spearman's, of prompt and answer"
    for name in ("prompt", "output"):
        tokens = getattr(requests, f"{name}_tokens")
        yield f"{name}_mean", tokens.mean(), "token", "mean"
        for percent, value in zip(PERCENTS, np.percentile(tokens, PERCENTS), strict=True):
            how = f"{percent:g} % quantile, linear between order statistics"
            yield attribute_of(name, percent), value, "token", how
    if requests.block_hashes is not None:
        found = prefix_reuse(requests)
        how = "longest leading run of hash_ids seen before, unbounded cache"
        yield "reused_block_share", found.block_share, "1", f"{how}, of all blocks"
        yield "reused_token_share", found.token_share, "1", f"{how}, of all prompt tokens"


def trace_curve(requests: RequestTable) -> Iterator[tuple[str, float, str, str]]:
    """Give the shares that caches of several capacities find."""
    curve = reuse_curve(requests, CAPACITIES_TOKENS)
    for name, what in (("token", "prompt tokens"), ("block", "blocks")):
        shares = getattr(curve, f"{name}_share")
        for capacity, share in zip(curve.capacity_tokens, shares, strict=True):
            how = f"share of {what} found by an LRU cache of {capacity} tokens, leaf first"
            yield f"{name}_share@{capacity}", share, "1", how


def write_tables(folder: Path, target: Path, accessed: str) -> None:
    """Write both tables."""
    lengths, reuse = [], []
    for workload, (name, source) in TRACES.items():
        requests = read_requests(folder / name).requests
        trace = Path(name).name
        lengths += [(workload, source, trace, *row) for row in summarise(workload, requests)]
        if requests.block_hashes is not None:
            reuse += [(workload, source, trace, *row) for row in trace_curve(requests)]
    for file_name, rows in (("request_lengths.csv", lengths), ("prefix_reuse.csv", reuse)):
        with (target / file_name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(ROW_COLUMNS)
            for workload, source, trace, attribute, value, unit, how in rows:
                number = np.format_float_positional(round(float(value), 5), trim="-")
                locator = f"{trace}: {how}"
                writer.writerow(
                    [
                        workload,
                        attribute,
                        number,
                        unit,
                        "",
                        "",
                        "derived",
                        source,
                        locator,
                        accessed,
                    ]
                )


if __name__ == "__main__":
    if len(sys.argv) not in {2, 3}:
        sys.exit("usage: python data/derive_requests.py FOLDER [DATE OF ACCESS]")
    when = sys.argv[2] if len(sys.argv) > 2 else date.today().isoformat()
    write_tables(Path(sys.argv[1]), Path(__file__).parent, when)
