"""Published figures that contradict their own paper: what is printed, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from gpudeck.fact import Fact, function_name
from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.training.flops import megatron_model_flop, selective_flop
from gpudeck.models.training.runs import find_run
from gpudeck.models.training.utilisation import utilisation_pct
from gpudeck.tables import read_table

PEAK_GPU = "A100-80G-SXM"  # Ampere GPUs, says section 6; their bf16 peak makes the other rows agree
SUSPECT = "megascale-12288"
V1 = "llama3-v1-128k"
ROWS = {
    "megascale": SUSPECT,
    "megatron512": "megatron-lm-512",
    "megatron1024": "megatron-lm-1024",
}


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
    table, peak = read_table("printed_tables"), find_gpu(PEAK_GPU).half_tflops
    found = []
    for row_id in table.ids:
        number = {name: row.number for name, row in table.of(row_id).items()}
        if row_id.rpartition("-")[0] == system and number.get("batch_sequences") == batch:
            found.append(
                PrintedRow(
                    row_id, int(number["gpus"]), number["mfu"], number["aggregate_pflops"],
                    number["tokens_per_s"], peak,
                )
            )  # fmt: skip
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A printed figure, and what the same paper's other figures or words make it, in `unit`."""

    id: str
    printed: float
    follows: float
    unit: str
    decimals: int
    source: str


def find_contradictions() -> tuple[Contradiction, ...]:
    """Return published figures that do not follow from their own paper.

    `megascale`, `megatron512`, `megatron1024`: MFU of a row against its own total rate.
    `selective`: HFU of the 22B model with one more forward pass of attention, as the text says;
    equation 8 adds three.
    `llama3`: GPUs of the long-context stage against the product of its degrees in version 1.

    Source: Jiang et al., NSDI 2024, table 2; Korthikanti et al., 2022, table 5 and appendix A;
    Llama Team, 2024, table 4.

    >>> [round(one.follows, 1) for one in find_contradictions()]
    [56.5, 48.6, 41.3, 42.4, 8192]
    """
    by_id = {row.id: row for row in (*read_printed(), *read_printed("megatron-lm", 768))}
    job, _ = find_run("selective-22b")
    model = job.model
    sizes = job.batch_sequences, job.sequence_tokens, model.layers, model.hidden
    published = read_table("published/training")
    flop = megatron_model_flop(*sizes, model.vocabulary) + selective_flop(*sizes)
    seconds = published.row("seconds@selective-22b", "target").number
    hfu = float(utilisation_pct(flop, seconds, job.gpus, job.peak_flop_s))
    printed_hfu = published.row("hfu@selective-22b", "target").number
    llama = {name: int(r.number) for name, r in read_table("printed_tables").of(V1).items()}
    product = llama["tensor"] * llama["context"] * llama["pipeline"] * llama["data"]
    mfus = (
        Contradiction(
            name, by_id[key].mfu_pct, by_id[key].from_aggregate_pct, "%", 1, "megascale-nsdi24"
        )
        for name, key in ROWS.items()
    )
    return (
        *mfus,
        Contradiction("selective", printed_hfu, hfu, "%", 1, "korthikanti-2023"),
        Contradiction("llama3", llama["gpus"], product, "count", 0, "llama3"),
    )


def report_contradictions(found: tuple[Contradiction, ...]) -> tuple[Fact, ...]:
    """Return `<id>_printed` and `<id>_follows` of each, and how many there are (`claims`)."""
    by = function_name(find_contradictions)
    facts = [Fact("claims", len(found), "count", "derived", found[0].source, by, decimals=0)]
    for one in found:
        kind, digits = "published-measurement", one.decimals
        facts += [
            Fact(f"{one.id}_printed", one.printed, one.unit, kind, one.source, by, decimals=digits),
            Fact(f"{one.id}_follows", one.follows, one.unit, "derived", one.source, by,
                 decimals=digits),
        ]  # fmt: skip
    llama = found[-1]
    facts.append(
        Fact("llama3_ratio", llama.printed / llama.follows, "x", "derived", llama.source, by)
    )
    return tuple(facts)


def compare_printed() -> tuple[PrintedRow, ...]:
    """Return the rows of both systems at the larger batch, without the baseline's smallest."""
    return (*read_printed("megatron-lm")[1:], *read_printed())


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
