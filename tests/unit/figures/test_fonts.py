"""The fonts hold every character that the deck shows, in both weights, for charts and for HTML."""

from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

FONTS = Path(__file__).resolve().parents[3] / "notebooks" / "fonts"
FILES = ("deck400.ttf", "deck700.ttf", "deck400.woff2", "deck700.woff2")
FIGURE_SYMBOLS = (
    "−µ·×≤≥≈±°%‰…—–“”‘’ΣσαβλμρΔΩ√∈∞→←↑↓⇒①⑳▸▶■□●○✓✗«»"
    "₀₁₂₃₄₅₆₇₈₉ᵢₙₜ⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻，。、；：？！（）《》\u00a0\u2009\u202f"
)


@pytest.fixture(scope="module")
def fonts() -> dict[str, TTFont]:
    return {name: TTFont(FONTS / name) for name in FILES}


@pytest.mark.parametrize("name", FILES)
def test_every_character_of_every_text_is_in_the_font(fonts, root, name):
    held = set(map(chr, fonts[name].getBestCmap()))
    texts = [
        *root.glob("notebooks/text/**/*.md"),
        *root.glob("data/scenarios/*.yaml"),
    ]
    missing = {
        str(path.relative_to(root)): "".join(sorted(lacking))
        for path in texts
        if (lacking := {c for c in path.read_text(encoding="utf-8") if c.isprintable()} - held)
    }
    assert not missing, "run notebooks/fonts/subset_fonts.py, or choose another character"


@pytest.mark.parametrize("name", FILES)
def test_symbols_of_figures_are_in_the_font(fonts, name):
    held = fonts[name].getBestCmap()
    assert not [symbol for symbol in FIGURE_SYMBOLS if ord(symbol) not in held]


@pytest.mark.parametrize("name", FILES)
def test_family_and_weight_are_the_ones_that_the_stylesheet_names(fonts, name):
    font = fonts[name]
    assert font["name"].getBestFamilyName() == "Noto Sans SC"
    assert font["OS/2"].usWeightClass == int(name[4:7])
    assert "Reserved Font Name 'Source'" in font["name"].getDebugName(0)


@pytest.mark.parametrize("name", FILES)
def test_digits_and_minus_have_one_width_so_that_columns_align(fonts, name):
    cmap, widths = fonts[name].getBestCmap(), fonts[name]["hmtx"]
    assert len({widths[cmap[ord(character)]][0] for character in "0123456789−"}) == 1


def test_the_licence_travels_with_the_fonts():
    assert "SIL OPEN FONT LICENSE Version 1.1" in (FONTS / "OFL.txt").read_text(encoding="utf-8")
