"""The tables of facts: one row a figure, with its unit, kind, source, place and date."""

import csv
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import NoReturn

from gpudeck.errors import InputError
from gpudeck.units import UNITS

KINDS = {
    "vendor-spec": "a specification, at the maker's or repeated by others: the source tells",
    "published-measurement": "measured by others and published",
    "our-measurement": "measured in this project",
    "derived": "computed from other figures",
    "announced": "of a product that is not yet sold",
    "unverified": "no source could be read: printed as such",
}
ROW_COLUMNS = (
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
SOURCE_COLUMNS = ("key", "author", "year", "title", "url", "licence")

_FOLDER_VARIABLE = "GPUDECK_DATA"
_NAME = re.compile(r"\S(?:.*\S)?")


@dataclass(frozen=True, slots=True)
class Source:
    """A document that figures come from."""

    key: str
    author: str
    year: str
    title: str
    url: str
    licence: str

    @property
    def citation(self) -> str:
        """Author, year and title, for the source line of a page.

        >>> Source("k", "NVIDIA", "2025", "MIG User Guide", "https://docs.nvidia.com", "").citation
        'NVIDIA, 2025, MIG User Guide'
        """
        return ", ".join(part for part in (self.author, self.year, self.title) if part)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: a number, a range, or a word (unit ``text``)."""

    id: str
    attribute: str
    value: float | str | None
    unit: str
    low: float | None
    high: float | None
    kind: str
    sources: tuple[str, ...]
    locator: str
    accessed: date

    @property
    def number(self) -> float:
        """The value, or the middle of the range where only a range is known.

        Raises
        ------
        InputError
            The row holds a word.
        """
        if self.value is None and self.low is not None and self.high is not None:
            return (self.low + self.high) / 2
        if not isinstance(self.value, float):
            msg = f"{self.id} {self.attribute} is {self.value!r}; a number is needed"
            raise InputError(msg)
        return self.value


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one file, found by id and attribute."""

    path: Path
    rows: tuple[Row, ...]
    _index: dict[str, dict[str, Row]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: dict[str, dict[str, Row]] = {}
        for row in self.rows:
            index.setdefault(row.id, {})[row.attribute] = row
        object.__setattr__(self, "_index", index)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id, in the order of the file."""
        return tuple(self._index)

    def of(self, row_id: str) -> dict[str, Row]:
        """Look up the rows of one id, by attribute.

        Raises
        ------
        InputError
            The table has no such id.
        """
        if row_id not in self._index:
            msg = f"id is {row_id!r}; allowed in {self.path} are {', '.join(self._index)}"
            raise InputError(msg)
        return self._index[row_id]

    def row(self, row_id: str, attribute: str) -> Row:
        """Look up one row.

        Raises
        ------
        InputError
            The table has no such id, or the id no such attribute.
        """
        rows = self.of(row_id)
        if attribute not in rows:
            msg = (
                f"attribute is {attribute!r}; allowed for {row_id} in {self.path}"
                f" are {', '.join(rows)}"
            )
            raise InputError(msg)
        return rows[attribute]


def compute_rows(
    rows: Sequence[Row], computed: Mapping[str, Callable[[], float]]
) -> dict[str, float]:
    """Compute the number of each row by the function that belongs to its id.

    Parameters
    ----------
    rows
        Rows of a table of published results.
    computed
        Functions by id.

    Raises
    ------
    InputError
        No function belongs to an id.
    """
    for row in rows:
        if row.id not in computed:
            msg = f"id is {row.id!r}; allowed are {', '.join(computed)}"
            raise InputError(msg)
    return {row.id: float(computed[row.id]()) for row in rows}


def data_dir() -> Path:
    """Find the folder of the tables: ``$GPUDECK_DATA``, else ``data`` of the source checkout.

    Raises
    ------
    InputError
        There is no such folder.
    """
    told = os.environ.get(_FOLDER_VARIABLE)
    folder = Path(told) if told else Path(__file__).resolve().parents[2] / "data"
    if not (folder / "sources.csv").is_file():
        msg = (
            f"the data folder is {folder}, which holds no sources.csv; set {_FOLDER_VARIABLE} to"
            " the folder 'data' of a checkout of the repository, or install from a checkout"
            " (pip install -e .)"
        )
        raise InputError(msg)
    return folder


def read_table(name: str, folder: Path | None = None) -> Table:
    """Read and check one table of facts.

    Parameters
    ----------
    name
        The file's name without ``.csv``, such as ``"gpus"`` or ``"published/serving"``.
    folder
        Where to look, ``data_dir()`` if not told.

    Raises
    ------
    InputError
        A file is missing, or a cell is not allowed: named by file, line and column.

    >>> read_table("gpus").row("H100-SXM", "memory_gb").value
    80.0
    """
    folder = folder or data_dir()
    return _read_table(folder / f"{name}.csv", folder)


def read_sources(folder: Path | None = None) -> dict[str, Source]:
    """Read the sources by key.

    Raises
    ------
    InputError
        The file is missing, or a cell is not allowed.
    """
    return _read_sources((folder or data_dir()) / "sources.csv")


def read_columns(path: Path) -> dict[str, tuple[str, ...]]:
    """Read a plain wide table, a header and then cells, column by column.

    Raises
    ------
    InputError
        The file is missing or empty, a column name repeats, or a line has another
        number of cells than the header.
    """
    header, lines = _read_csv(path)
    return {name: tuple(cells[i] for _, cells in lines) for i, name in enumerate(header)}


@dataclass(frozen=True, slots=True)
class _Cells:
    """One line of a file, with what an error message needs."""

    path: Path
    line: int
    cells: dict[str, str]

    def refuse(self, column: str, allowed: str) -> NoReturn:
        msg = (
            f"{self.path}, line {self.line}, column {column}: {self.cells[column]!r};"
            f" allowed is {allowed}"
        )
        raise InputError(msg)

    def name(self, column: str) -> str:
        text = self.cells[column]
        if not _NAME.fullmatch(text):
            self.refuse(column, "a text without spaces at its ends")
        return text

    def one_of(self, column: str, allowed: dict[str, object]) -> str:
        if self.cells[column] not in allowed:
            self.refuse(column, f"one of {', '.join(allowed)}")
        return self.cells[column]

    def number(self, column: str) -> float | None:
        text = self.cells[column]
        if not text:
            return None
        # Plain decimals only: float() would also take "nan", "1_000" and " 1".
        if not re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", text):
            self.refuse(column, "a decimal number or nothing")
        return float(text)

    def day(self, column: str) -> date:
        try:
            return date.fromisoformat(self.cells[column])
        except ValueError:
            self.refuse(column, "a date as 2026-11-23")


@cache
def _read_table(path: Path, folder: Path) -> Table:
    header, lines = _read_csv(path)
    _check_header(path, header, ROW_COLUMNS)
    sources = read_sources(folder)
    rows: dict[tuple[str, str], Row] = {}
    for number, cells in lines:
        line = _Cells(path, number, dict(zip(header, cells, strict=True)))
        row = _read_row(line, sources)
        if (row.id, row.attribute) in rows:
            line.refuse("attribute", f"one that {row.id} does not have yet")
        rows[row.id, row.attribute] = row
    return Table(path, tuple(rows.values()))


def _read_row(line: _Cells, sources: dict[str, Source]) -> Row:
    unit = line.one_of("unit", dict(UNITS))
    low, high = line.number("low"), line.number("high")
    if (low is None) != (high is None):
        line.refuse("low" if low is None else "high", "both low and high, or neither")
    value = line.name("value") if unit == "text" else line.number("value")
    if value is None and low is None:
        line.refuse("value", "a number, unless low and high are given")
    if low is not None and high is not None:
        middle = low if value is None else value
        if isinstance(middle, str) or not low <= middle <= high:
            line.refuse("value", f"a number from low {low} to high {high}")
    keys = tuple(line.cells["source"].split(";"))
    if unknown := [key for key in keys if key not in sources]:
        line.refuse("source", f"keys of sources.csv joined by ';', and {unknown} are not")
    return Row(
        line.name("id"),
        line.name("attribute"),
        value,
        unit,
        low,
        high,
        line.one_of("kind", dict(KINDS)),
        keys,
        line.name("locator"),
        line.day("accessed"),
    )


@cache
def _read_sources(path: Path) -> dict[str, Source]:
    header, lines = _read_csv(path)
    _check_header(path, header, SOURCE_COLUMNS)
    sources: dict[str, Source] = {}
    for number, cells in lines:
        line = _Cells(path, number, dict(zip(header, cells, strict=True)))
        key = line.name("key")
        if ";" in key or key in sources:
            line.refuse("key", "a key without ';' that no other line has")
        year = line.cells["year"]
        if year and not re.fullmatch(r"\d{4}", year):
            line.refuse("year", "a year of four digits or nothing")
        author, title, licence = (line.name(column) for column in ("author", "title", "licence"))
        sources[key] = Source(key, author, year, title, line.name("url"), licence)
    return sources


def _read_csv(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    if not path.is_file():
        msg = f"{path} is not there; allowed is a table in the data folder"
        raise InputError(msg)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            lines = [(reader.line_num, cells) for cells in reader]
        except (csv.Error, UnicodeDecodeError) as error:
            msg = f"{path}, line {reader.line_num}: {error}; allowed is CSV in UTF-8"
            raise InputError(msg) from error
    if not lines or len(set(lines[0][1])) != len(lines[0][1]):
        msg = f"{path}, line 1: {lines[0][1] if lines else 'empty'}; allowed are distinct columns"
        raise InputError(msg)
    header = lines[0][1]
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            msg = f"{path}, line {number}: {len(cells)} cells; allowed are {len(header)}"
            raise InputError(msg)
    return header, lines[1:]


def _check_header(path: Path, header: list[str], columns: tuple[str, ...]) -> None:
    if tuple(header) != columns:
        msg = f"{path}, line 1: {', '.join(header)}; allowed is {', '.join(columns)}"
        raise InputError(msg)
