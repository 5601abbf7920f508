"""Numbers and quantities in both languages."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.units import UNITS, convert, find_unit, format_number, format_quantity


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        (0, "0", "0"),
        (8152, "8152", "8,152"),
        (9999.6, "1万", "10,000"),
        (15432, "1.5万", "15,432"),
        (99_999_999, "1亿", "99,999,999"),
        (1_000_000_000_000, "1万亿", "1,000,000,000,000"),
        (-15432, "\N{MINUS SIGN}1.5万", "\N{MINUS SIGN}15,432"),
        (0.000123, "0.00012", "0.00012"),
        (2.0, "2", "2"),
    ],
)
def test_a_number_is_written_for_its_reader(value: float, zh: str, en: str) -> None:
    assert format_number(value, "zh") == zh
    assert format_number(value, "en") == en


def test_compact_rounds_before_it_chooses_the_step() -> None:
    assert format_number(999_999, "en", scale="compact") == "1M"
    assert format_number(2_540_000_000, "en", scale="compact") == "2.5B"
    assert format_number(999, "en", scale="compact") == "999"


def test_plain_never_abbreviates() -> None:
    assert format_number(123456, "zh", scale="plain") == "123456"


def test_fixed_decimals_keep_their_zeros() -> None:
    assert format_number(3, "zh", decimals=1) == "3.0"
    assert format_number(-0.001, "en", decimals=1) == "0.0"


@pytest.mark.parametrize(
    ("value", "unit", "zh", "en"),
    [
        (95.4, "%", "95%", "95%"),
        (3350, "GB/s", "3350 GB/s", "3,350 GB/s"),
        (20000, "GB", "2万GB", "20,000 GB"),
        (1, "GPU", "1张GPU", "1 GPU"),
        (8, "GPU", "8张GPU", "8 GPUs"),
        (5, "us", "5微秒", "5 µs"),
        (1.5, "x", "1.5倍", "1.5×"),
        (-3.2, "USD", "\N{MINUS SIGN}3.2美元", "\N{MINUS SIGN}$3.2"),
        (123456, "GPU-hour", "12万GPU·时", "123,456 GPU-hours"),
    ],
)
def test_a_quantity_is_spaced_for_its_language(value: float, unit: str, zh: str, en: str) -> None:
    assert format_quantity(value, unit, "zh") == zh
    assert format_quantity(value, unit, "en") == en


@given(st.floats(-1e12, 1e12), st.sampled_from(sorted(UNITS)))
def test_chinese_types_no_space_beside_a_han_character(value: float, unit: str) -> None:
    assert not re.search(r"[一-鿿] | [一-鿿]", format_quantity(value, unit, "zh"))


@given(st.floats(1e-9, 1e15), st.integers(1, 6))
def test_english_keeps_the_significant_digits(value: float, digits: int) -> None:
    shown = float(format_number(value, "en", digits=digits).replace(",", ""))
    assert math.isclose(shown, value, rel_tol=0.5 * 10.0 ** (1 - digits) * 1.000001)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="finite"):
        format_number(value, "en")


def test_mistakes_are_named() -> None:
    with pytest.raises(InputError, match="'furlong'"):
        find_unit("furlong")
    with pytest.raises(InputError, match="lang is 'fr'"):
        format_number(1, "fr")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="scale is 'huge'"):
        format_number(1, "en", scale="huge")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="digits is 0"):
        format_number(1, "en", digits=0)
    with pytest.raises(InputError, match="fraction unit '1'"):
        format_quantity(0.5, "GB", "en", scale="percent")
    with pytest.raises(InputError, match="bytes"):
        convert(1, "GB", "s")


def test_decimal_and_binary_bytes_differ() -> None:
    assert convert(1, "GiB", "B") == 2**30
    assert convert(1, "GB", "B") == 10**9
    assert convert(400, "Gbit/s", "GB/s") == 50
