# noqa: INP001 - a script beside the tables that it makes
"""Count prefix hits on the Mooncake conversation trace; writes prefix_hits.csv.

    python data/derive_prefix.py conversation_trace.jsonl

The trace is not kept here: https://github.com/kvcache-ai/Mooncake (Apache-2.0).
"""

import csv
import json
import sys
from pathlib import Path

from gpudeck.models.serving.prefix_study import TRACE, count_hits

CAPACITIES = tuple(2**power for power in range(4, 18))
HEADER = (
    "id",
    "attribute",
    "value",
    "unit",
    "low",
    "high",
    "kind",
    "source",
    "locator",
    "accessed",
)
LOCATOR = "conversation_trace.jsonl, hash_ids, leading run, LRU from the leaves"


def main(trace: Path) -> None:
    """Read the trace, count, write the table beside this script."""
    lines = trace.read_text(encoding="utf-8").splitlines()
    requests = [json.loads(line) for line in lines]
    requests.sort(key=lambda request: request["timestamp"])
    prompts = [request["hash_ids"] for request in requests]
    blocks = sum(map(len, prompts))
    rows = [("requests", len(prompts), "count"), ("block_tokens", 512, "token")]
    rows.append(("hit_unbounded", round(100 * sum(count_hits(prompts)) / blocks, 3), "%"))
    for size in CAPACITIES:
        hit_pct = 100 * sum(count_hits(prompts, size)) / blocks
        rows += [(f"hit@{size}", round(hit_pct, 3), "%")]
    with (Path(__file__).parent / "prefix_hits.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(HEADER)
        for name, value, unit in rows:
            row = (TRACE, name, value, unit, "", "", "derived", "mooncake", LOCATOR, "2026-11-24")
            writer.writerow(row)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
