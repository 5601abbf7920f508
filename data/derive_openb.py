# noqa: INP001 - a script beside the tables that it makes
"""Derive the tables ``openb_node_types.csv`` and ``openb_pod_specs.csv`` from the trace.

Run ``python data/derive_openb.py FOLDER`` with the folder that holds the lists of nodes and pods of
cluster-trace-gpu-v2023. Rows that are equal but for name and time are counted; node types come in
the order of their first node, pod specifications by falling count. A random order of arrivals and
of node ranks does not depend on the order of the rows, so the tables replace the lists there; an
order that is given by index needs the lists themselves.
"""

import csv
import sys
from collections import Counter
from datetime import date
from pathlib import Path

SOURCE = "Alibaba, 2023, cluster-trace-gpu-v2023 (Apache-2.0)"
TABLES = {
    "openb_node_types.csv": (
        "openb_node_list_gpu_node.csv",
        ("cpu_milli", "memory_mib", "gpu", "model"),
    ),
    "openb_pod_specs.csv": (
        "openb_pod_list_default.csv",
        ("cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec"),
    ),
}


def count_rows(path: Path, columns: tuple[str, ...]) -> list[tuple[tuple[str, ...], int]]:
    """Count the rows of a list that are equal in ``columns``, in the order of the first one."""
    with path.open(encoding="utf-8", newline="") as file:
        counts = Counter(tuple(row[c] for c in columns) for row in csv.DictReader(file))
    return list(counts.items())


def write_table(name: str, folder: Path, target: Path, accessed: str) -> None:
    """Write one table of counts beside its source."""
    trace, columns = TABLES[name]
    rows = count_rows(folder / trace, columns)
    if name == "openb_pod_specs.csv":
        rows.sort(key=lambda row: (-row[1], [int(c) for c in row[0][:-1]], row[0][-1]))
    with (target / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*columns, "count", "kind", "source", "locator", "accessed"])
        for cells, count in rows:
            locator = f"{trace}, rows counted"
            writer.writerow([*cells, count, "derived", SOURCE, locator, accessed])


if __name__ == "__main__":
    if len(sys.argv) not in {2, 3}:
        sys.exit("usage: python data/derive_openb.py FOLDER [DATE OF ACCESS]")
    when = sys.argv[2] if len(sys.argv) > 2 else date.today().isoformat()
    for table in TABLES:
        write_table(table, Path(sys.argv[1]), Path(__file__).parent, when)
