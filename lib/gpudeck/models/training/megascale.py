"""A published table that contradicts itself: its utilisation against its own total rate."""

from __future__ import annotations

from dataclasses import dataclass

from gpudeck.fact import Fact, function_name
from gpudeck.hardware.gpu import find_gpu
from gpudeck.tables import read_table

PEAK_GPU = "A100-80G-SXM"  # Ampere GPUs, says section 6; their bf16 peak makes the other rows agree
SUSPECT = "megascale-12288"


@dataclass(frozen=True, slots=True)
class PrintedRow:
    """A row of the table: what it prints, and what follows from it.

    `from_aggregate_pct` is the printed total rate over GPUs and peak; `token_tflop` the total rate
    over the printed tokens a second, which is the same in all rows of one model.
    """

    id: str
    gpus: int
    mfu_pct: float
    aggregate_pflops: float
    tokens_s: float
    peak_tflops: float

    @property
    def from_aggregate_pct(self) -> float:
        """MFU by the printed total rate, %."""
        return 100 * self.aggregate_pflops * 1e3 / (self.gpus * self.peak_tflops)

    @property
    def aggregate_from_mfu(self) -> float:
        """Total rate by the printed MFU, PFLOP/s."""
        return self.mfu_pct / 100 * self.gpus * self.peak_tflops / 1e3

    @property
    def token_tflop(self) -> float:
        """FLOP of a token by the printed total rate, in 10¹²."""
        return self.aggregate_pflops * 1e3 / self.tokens_s


def read_printed(system: str = "megascale", batch: int = 6144) -> tuple[PrintedRow, ...]:
    """Read the rows of one system and batch.

    Source: Jiang et al., NSDI 2024, table 2.

    >>> [round(row.from_aggregate_pct, 1) for row in read_printed()]
    [59.1, 57.3, 54.8, 56.5]
    """
    table, peak = read_table("megascale"), find_gpu(PEAK_GPU).half_tflops
    found = []
    for row_id in table.ids:
        number = {name: row.number for name, row in table.of(row_id).items()}
        if row_id.rpartition("-")[0] == system and number["batch_sequences"] == batch:
            found.append(
                PrintedRow(
                    row_id, int(number["gpus"]), number["mfu"], number["aggregate_pflops"],
                    number["tokens_per_s"], peak,
                )
            )  # fmt: skip
    return tuple(found)


def report_printed(rows: tuple[PrintedRow, ...]) -> tuple[Fact, ...]:
    """Return what the suspect row prints and implies, and how far apart the others are."""
    by, source = function_name(read_printed), "megascale-nsdi24"
    suspect = next(row for row in rows if row.id == SUSPECT)
    others = [row for row in rows if row.id != SUSPECT]
    off = max(abs(row.from_aggregate_pct - row.mfu_pct) for row in others)
    printed = (
        ("trap_gpus", suspect.gpus, "GPU", 0),
        ("trap_mfu", suspect.mfu_pct, "%", 1),
        ("trap_aggregate", suspect.aggregate_pflops, "PFLOP/s", 1),
    )
    derived = (
        ("trap_implied", suspect.from_aggregate_pct, "%", 1),
        ("trap_expected", suspect.aggregate_from_mfu, "PFLOP/s", 1),
        ("trap_gap", suspect.from_aggregate_pct - suspect.mfu_pct, "point", 1),
        ("trap_others", off, "point", 2),
    )
    facts = [
        Fact(key, value, unit, "published-measurement", source, by, decimals=digits)
        for key, value, unit, digits in printed
    ]
    facts += [
        Fact(key, value, unit, "derived", source, by, decimals=digits)
        for key, value, unit, digits in derived
    ]
    return tuple(facts)
