"""Sheets of HTML that stand where a figure would: formulas with their reading, and tables."""

from __future__ import annotations

import html
from collections.abc import Sequence

from gpudeck.figures.formula import formula_svg

FORMULA_PX = 25


def formula_sheet(key: str, rows: Sequence[tuple[str, str]]) -> str:
    """Return formulas one below the other, each beside what it says.

    Parameters
    ----------
    key : str
        Prefix of all ids.
    rows : sequence of (str, str)
        What the formula says, and the formula in TeX; the words are its alternative text too.
    """
    cells = "".join(
        f"<dt>{html.escape(words)}</dt>"
        f"<dd>{formula_svg(tex, f'{key}-{number}', FORMULA_PX, words)}</dd>"
        for number, (words, tex) in enumerate(rows, start=1)
    )
    return f'<dl class="dk-formulas">{cells}</dl>'


def table_sheet(
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    marked: int | None = None,
    *,
    words: bool = False,
) -> str:
    """Return a table: the first column are names, the others numbers, aligned right.

    Parameters
    ----------
    title : str
        What the table shows, for those who cannot see it.
    header : sequence of str
        Names of the columns, units included.
    rows : sequence of sequences of str
        The cells, formatted; at most seven rows are read from the back of a room.
    marked : int, optional
        Index of the row that matters.
    words : bool
        The other columns hold words, aligned left.
    """
    side = "" if words else ' class="n"'

    def cells(values: Sequence[str], tag: str) -> str:
        first, *rest = (html.escape(value) for value in values)
        numbers = "".join(f"<{tag}{side}>{value}</{tag}>" for value in rest)
        return f"<{tag}>{first}</{tag}>{numbers}"

    body = "".join(
        f"<tr{' class=dk-mark' if number == marked else ''}>{cells(row, 'td')}</tr>"
        for number, row in enumerate(rows)
    )
    return (
        f'<table aria-label="{html.escape(title)}"><thead><tr>{cells(header, "th")}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )
