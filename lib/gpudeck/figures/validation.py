"""The pictures of the appendix: published results beside what the models compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from gpudeck.figures.caption import Captioned
from gpudeck.figures.sheet import table_sheet
from gpudeck.units import format_number


class Compared(Protocol):
    """One published result beside the model's: id `policy@arrived`, numbers in one unit."""

    @property
    def id(self) -> str:
        """What is compared."""

    @property
    def published(self) -> float:
        """The published number."""

    @property
    def computed(self) -> float:
        """The model's number."""

    @property
    def error(self) -> float:
        """Computed − published."""

    @property
    def tolerance(self) -> float:
        """The largest error that passes."""

    @property
    def kind(self) -> Literal["target", "bound"]:
        """Whether the published number is to be met, or only bounds the computed one."""

    @property
    def unit(self) -> str:
        """Unit of all numbers."""

    @property
    def ok(self) -> bool:
        """Whether the published result is met."""


def draw_packing_validation(
    results: Sequence[Compared], page: Captioned, arrived_pct: int = 130
) -> str:
    """Set the published and the computed allocation of each policy side by side, best first."""
    shown = [result for result in results if result.id.endswith(f"@{arrived_pct}")]
    rows = [
        (
            page.label(result.id.partition("@")[0]),
            *(
                format_number(value, page.lang, decimals=2)
                for value in (result.published, result.computed, result.error, result.tolerance)
            ),
        )
        for result in sorted(shown, key=lambda result: -result.published)
    ]
    header = ("policy", "published", "computed", "error", "tolerance")
    return table_sheet(page.title, [page.label(name) for name in header], rows, marked=0)


def draw_serving_validation(results: Sequence[Compared], page: Captioned) -> str:
    """Set published and computed numbers of any units side by side; what is not met says so."""
    rows = [
        (
            page.label(result.id),
            _write_range(result, page.lang),
            _write(result.computed, result.unit, page.lang),
            _write(result.error, result.unit, page.lang),
            page.label("met" if result.ok else "missed"),
        )
        for result in results
    ]
    header = ("what", "published", "computed", "error", "verdict")
    return table_sheet(page.title, [page.label(name) for name in header], rows)


def _write(number: float, unit: str, lang: str) -> str:
    if unit == "token":
        return f"{number:,.0f}".replace("-", "−")
    text = format_number(number, lang, decimals=1 if unit == "%" else 2)
    return text + {"%": " %", "x": "×"}.get(unit, "")


def _write_range(result: Compared, lang: str) -> str:
    published = _write(result.published, result.unit, lang)
    if result.kind == "bound":
        return f"≤ {published}"
    return f"{published} ± {_write(result.tolerance, result.unit, lang)}"
