"""The reader of the tables: what it accepts, and how it names what it refuses."""

from pathlib import Path

import pytest

from gpudeck.errors import InputError
from gpudeck.tables import (
    ROW_COLUMNS,
    compute_rows,
    data_dir,
    read_columns,
    read_sources,
    read_table,
)

SOURCES = "key,author,year,title,url,licence\nmaker,Maker,2026,Sheet,https://example.org,free\n"
GOOD = "X,memory_gb,80,GB,,,vendor-spec,maker,Table 1,2026-11-23"


def write(folder: Path, *lines: str, sources: str = SOURCES) -> Path:
    (folder / "sources.csv").write_text(sources, encoding="utf-8")
    text = "\n".join([",".join(ROW_COLUMNS), *lines, ""])
    (folder / "things.csv").write_text(text, encoding="utf-8")
    return folder


def test_a_row_is_typed(tmp_path: Path) -> None:
    row = read_table("things", write(tmp_path, GOOD)).row("X", "memory_gb")
    assert (row.value, row.number, row.sources, row.accessed.year) == (80.0, 80.0, ("maker",), 2026)


def test_a_range_without_a_value_has_its_middle(tmp_path: Path) -> None:
    line = "X,price,,USD/GPU-hour,2,4,published-measurement,maker,May 2026,2026-11-23"
    row = read_table("things", write(tmp_path, line)).row("X", "price")
    assert (row.value, row.low, row.high, row.number) == (None, 2.0, 4.0, 3.0)


def test_a_word_is_kept_as_it_is(tmp_path: Path) -> None:
    line = "X,starts,0 2 4,text,,,vendor-spec,maker,p. 1,2026-11-23"
    row = read_table("things", write(tmp_path, line)).row("X", "starts")
    assert row.value == "0 2 4"
    with pytest.raises(InputError, match="a number is needed"):
        _ = row.number


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (",80,", ",eighty,", r"line 2, column value: 'eighty'; allowed is a decimal number"),
        (",80,", ",nan,", "column value: 'nan'"),
        (",80,", ",1_000,", "column value: '1_000'"),
        (",80,", ",,", "column value: ''; allowed is a number, unless low and high"),
        (",GB,", ",Gb,", r"column unit: 'Gb'; allowed is one of .*GiB"),
        (",,,", ",70,,", "column high: ''; allowed is both low and high"),
        (",,,", ",81,90,", "column value: '80'; allowed is a number from low 81"),
        ("vendor-spec", "rumour", r"column kind: 'rumour'; allowed is one of vendor-spec"),
        ("maker", "maker;friend", r"column source: 'maker;friend'.*\['friend'\]"),
        ("Table 1", "", "column locator: ''"),
        ("2026-11-23", "23.11.2026", r"column accessed: '23.11.2026'; allowed is a date"),
        ("X,", " X,", "column id: ' X'"),
        ("2026-11-23", "2026-11-23,more", "line 2: 11 cells; allowed are 10"),
    ],
)
def test_a_wrong_cell_is_named(tmp_path: Path, old: str, new: str, told: str) -> None:
    folder = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(InputError, match=told) as caught:
        read_table("things", folder)
    assert str(folder / "things.csv") in str(caught.value)


def test_a_figure_cannot_stand_twice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 3, column attribute: 'memory_gb'"):
        read_table("things", write(tmp_path, GOOD, GOOD.replace("80", "81")))


def test_a_header_must_be_the_one(tmp_path: Path) -> None:
    folder = write(tmp_path, GOOD)
    (folder / "things.csv").write_text("id,value\nX,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 1: id, value; allowed is id, attribute"):
        read_table("things", folder)


def test_a_missing_table_and_a_missing_row_are_named(tmp_path: Path) -> None:
    table = read_table("things", write(tmp_path, GOOD))
    with pytest.raises(InputError, match=r"id is 'Y'; allowed in .* are X"):
        table.of("Y")
    with pytest.raises(InputError, match="attribute is 'tdp_w'; allowed for X"):
        table.row("X", "tdp_w")
    with pytest.raises(InputError, match=r"nothing\.csv is not there"):
        read_table("nothing", tmp_path)


def test_sources_are_checked(tmp_path: Path) -> None:
    write(tmp_path, sources=SOURCES + SOURCES.splitlines()[1] + "\n")
    with pytest.raises(InputError, match="line 3, column key"):
        read_sources(tmp_path)


def test_a_source_is_cited_by_author_year_and_title(tmp_path: Path) -> None:
    source = read_sources(write(tmp_path))["maker"]
    assert source.citation == "Maker, 2026, Sheet"


def test_the_folder_can_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUDECK_DATA", str(tmp_path))
    with pytest.raises(InputError, match="set GPUDECK_DATA"):
        data_dir()
    write(tmp_path, GOOD)
    assert data_dir() == tmp_path
    assert read_table("things").ids == ("X",)


def test_the_folder_is_that_of_the_checkout(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPUDECK_DATA", raising=False)
    assert data_dir() == root / "data"


def test_a_wide_table_is_read_by_columns(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("node,gpus\na,8\nb,4\n", encoding="utf-8")
    assert read_columns(path) == {"node": ("a", "b"), "gpus": ("8", "4")}
    path.write_text("node,node\na,8\n", encoding="utf-8")
    with pytest.raises(InputError, match="distinct columns"):
        read_columns(path)


def test_each_published_row_has_its_function() -> None:
    row = read_table("published/packing").rows[0]
    assert compute_rows([row], {row.id: lambda: 3}) == {row.id: 3.0}
    with pytest.raises(InputError, match=f"id is '{row.id}'; allowed are other"):
        compute_rows([row], {"other": lambda: 3.0})
