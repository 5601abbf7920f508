"""Published effective training times and uptimes of large jobs, to set beside the model's."""

from __future__ import annotations

from dataclasses import dataclass

from gpudeck.tables import read_table


@dataclass(frozen=True, slots=True)
class PublishedRatio:
    """One published ratio in %, and the accelerators of the job; a bound is a least value."""

    name: str
    gpus: int
    pct: float
    bound: bool = False


def read_published_ratios() -> tuple[PublishedRatio, ...]:
    """Read effective training times (Llama 3, ByteRobust) and uptimes (HLAT, OPT-175B).

    >>> read_published_ratios()[0]
    PublishedRatio(name='llama', gpus=16384, pct=90.0, bound=True)
    """
    table = read_table("failures")

    def number(row_id: str, attribute: str) -> float:
        return table.row(row_id, attribute).number

    accelerators = int(number("hlat", "accelerators"))
    return (
        PublishedRatio(
            "llama",
            int(number("llama-3-405b", "gpus")),
            number("llama-3-405b", "effective_above"),
            bound=True,
        ),
        PublishedRatio(
            "byterobust", int(number("byterobust", "gpus")), number("byterobust", "effective")
        ),
        PublishedRatio("hlat", accelerators, number("hlat", "uptime")),
        PublishedRatio("hlat_manual", accelerators, number("hlat-manual", "uptime")),
        PublishedRatio("opt", int(number("opt-175b", "gpus")), number("opt-175b", "uptime")),
    )
