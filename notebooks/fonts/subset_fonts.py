"""Make the deck's fonts: Noto Sans SC 400 and 700, cut to the characters that the deck can show.

    python notebooks/fonts/subset_fonts.py            # fetches the npm package with `npm pack`
    python notebooks/fonts/subset_fonts.py FOLDER     # takes an unpacked package, no network

Run it again whenever tests/unit/figures/test_fonts.py names a character that is not in the fonts.

Licence: SIL Open Font License 1.1 (OFL.txt beside this file). Its Reserved Font Name is 'Source';
a modified font may therefore keep the family name "Noto Sans SC", which does not contain it.
Modified here: cut to a subset, and given the glyphs of `COMPOSITES`, `SPACES_EM` and ⌊ ⌋ ⌈ ⌉, which
Noto Sans SC lacks (it has, for one, no subscript digits).
"""

import argparse
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import (
    UNSCALED_COMPONENT_OFFSET,
    Glyph,
    GlyphComponent,
)

PACKAGE = "@expo-google-fonts/noto-sans-sc@0.4.3"
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TEXTS = ("notebooks/text/**/*.md", "data/scenarios/*.yaml", "README*.md")
WEIGHTS = {
    400: "400Regular/NotoSansSC_400Regular.ttf",
    700: "700Bold/NotoSansSC_700Bold.ttf",
}

RANGES = (
    (0x20, 0x7E),  # ASCII
    (0xA0, 0xFF),  # Latin-1
    (0x391, 0x3A1),  # Greek capitals, up to the gap at 0x3A2
    (0x3A3, 0x3A9),
    (0x3B1, 0x3C9),  # Greek small letters
    (0x2190, 0x2199),  # arrows
    (0x2460, 0x2473),  # ① to ⑳
    (0x3000, 0x3017),  # Chinese punctuation
    (0xFF01, 0xFF5E),  # full-width forms
)
SYMBOLS = "–—‘’“”•…‰′″€−×·≤≥≈≠≡∈∑√∞∏∂∫∝∩∪∧∨⇒⇔■□▲△▼▽◆◇●○◎★☆✓℃™"
# Beyond level 1 of GB 2312, yet words of this field: threshold, entropy, twin, buffer, herd …
TECHNICAL = "阈熵弈孪赝黏坍瓴鲸噪榫耦拮掣踵攫冗羁缜骤瞬刹砝码仲楔缱钳"


@dataclass(frozen=True)
class Composite:
    """A glyph made of another one: scaled about the origin, then moved up.

    `rise` and `bearing` are thousandths of an em. A bearing puts so much space on both sides in
    place of the base's own.
    """

    base: str
    scale: float = 1
    rise: int = 0
    bearing: int | None = None


SUBSCRIPT = {
    character: Composite(base, 0.62, -140)
    for character, base in zip("₀₁₂₃₄₅₆₇₈₉ᵢⱼₖₘₙₚₛₜₓ", "0123456789ijkmnpstx", strict=True)
}
# Also ¹ ² ³, which the font has: beside ours they would stand higher and bolder than the rest.
SUPERSCRIPT = {
    character: Composite(base, 0.62, 330)
    for character, base in zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+−", strict=True)
}
# In Noto Sans SC these are as wide as a Chinese character: "2×" and "GPU·h" would fall apart.
NARROW = {sign: Composite(sign, bearing=60) for sign in "×±÷·"}
MARKS = {"▸": Composite("▶", 0.6, 150), "✗": Composite("×", 1.3, -90)}
COMPOSITES = SUBSCRIPT | SUPERSCRIPT | NARROW | MARKS
SPACES_EM = {"\u2006": 1 / 6, "\u2009": 1 / 5, "\u200a": 1 / 10, "\u202f": 1 / 5}


def gb2312_level_1() -> set[str]:
    """The 3755 most frequent Chinese characters: rows 16 to 55 of GB 2312."""
    cells = (bytes((0xA0 + row, 0xA0 + cell)) for row in range(16, 56) for cell in range(1, 95))
    return set("".join(cell.decode("gb2312", errors="ignore") for cell in cells))


def characters_of_texts(root: Path) -> set[str]:
    """Every printable character of the deck's texts and scenarios."""
    files = chain.from_iterable(root.glob(pattern) for pattern in TEXTS)
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    return {character for character in text if character.isprintable()}


def wanted_characters(root: Path) -> set[str]:
    """All characters that the fonts have to hold."""
    ranges = {chr(code) for first, last in RANGES for code in range(first, last + 1)}
    return ranges | set(SYMBOLS + TECHNICAL) | gb2312_level_1() | characters_of_texts(root)


def add_composites(font: TTFont) -> None:
    """Add the glyphs that Noto Sans SC lacks, each built from one that it has."""
    names, glyphs, widths = font.getBestCmap(), font["glyf"], font["hmtx"]
    em = font["head"].unitsPerEm
    additions = {}
    for character, composite in COMPOSITES.items():
        name, scale = names[ord(composite.base)], composite.scale
        advance, bearing = (round(value * scale) for value in widths[name])
        part = GlyphComponent()
        part.glyphName = name
        part.x, part.y = 0, round(composite.rise * em / 1000)
        part.transform = [[scale, 0], [0, scale]]
        part.flags = UNSCALED_COMPONENT_OFFSET
        if composite.bearing is not None:
            side = round(composite.bearing * em / 1000)
            ink = round((glyphs[name].xMax - glyphs[name].xMin) * scale)
            part.x, advance, bearing = side - bearing, ink + 2 * side, side
        glyph = Glyph()
        glyph.numberOfContours = -1
        glyph.components = [part]
        additions[character] = (glyph, advance, bearing)
    for character, width_em in SPACES_EM.items():
        additions[character] = (Glyph(), round(width_em * em), 0)
    for character, (glyph, advance, bearing) in additions.items():
        add_glyph(font, character, glyph, advance, bearing)
    font.setGlyphOrder(glyphs.glyphOrder)


def add_floor_and_ceiling(font: TTFont) -> None:
    """Draw ⌊ ⌋ ⌈ ⌉: as high as [ and as thick as |."""
    names, glyphs = font.getBestCmap(), font["glyf"]
    square, bar = glyphs[names[ord("[")]], glyphs[names[ord("|")]]
    thick, (low, high) = bar.xMax - bar.xMin, (square.yMin, square.yMax)
    left, right = square.xMin, square.xMax
    for character in "⌊⌋⌈⌉":
        stem = left if character in "⌊⌈" else right - thick
        foot = low if character in "⌊⌋" else high - thick
        pen = TTGlyphPen(None)
        for x0, y0, x1, y1 in ((stem, low, stem + thick, high), (left, foot, right, foot + thick)):
            pen.moveTo((x0, y0))
            for corner in ((x0, y1), (x1, y1), (x1, y0)):
                pen.lineTo(corner)
            pen.closePath()
        add_glyph(font, character, pen.glyph(), right + left, left)
    font.setGlyphOrder(glyphs.glyphOrder)


def add_glyph(font: TTFont, character: str, glyph: Glyph, advance: int, bearing: int) -> None:
    """Put one glyph into the font under a name of its own."""
    name = f"deck{ord(character):04X}"
    font["glyf"][name] = glyph
    font["hmtx"][name] = (advance, bearing)
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap[ord(character)] = name


def subset(source: Path, characters: set[str]) -> TTFont:
    """Cut one weight to the characters, keeping kerning and half-width punctuation."""
    font = TTFont(source, recalcTimestamp=False)
    options = Options()
    # `pwid` has the narrow quotation marks of English text (font-variant-east-asian:
    # proportional-width). There is no `tnum`, and no need: all ten digits have one width.
    options.layout_features = ["kern", "mark", "ccmp", "liga", "halt", "palt", "pwid"]
    options.drop_tables += ["vhea", "vmtx", "BASE", "STAT"]
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.hinting = False
    options.notdef_outline = True
    options.glyph_names = False
    subsetter = Subsetter(options)
    bases = {composite.base for composite in COMPOSITES.values()}
    subsetter.populate(text="".join(sorted(characters | bases)))
    subsetter.subset(font)
    add_composites(font)
    add_floor_and_ceiling(font)
    return font


def save(font: TTFont, weight: int, folder: Path) -> None:
    """Write one weight as TrueType (for matplotlib) and as woff2 (for the browser)."""
    for flavor, suffix in ((None, "ttf"), ("woff2", "woff2")):
        font.flavor = flavor
        path = folder / f"deck{weight}.{suffix}"
        font.save(path, reorderTables=False)
        print(f"{path.name}: {len(font.getBestCmap())} characters, {path.stat().st_size:,} bytes")


def fetch(folder: Path) -> Path:
    """Fetch and unpack the package with npm; returns its folder."""
    npm = shutil.which("npm")
    if npm is None:
        msg = f"npm is not installed: unpack {PACKAGE} by other means and name its folder"
        raise SystemExit(msg)
    subprocess.run([npm, "pack", "--silent", PACKAGE], cwd=folder, check=True)
    archive = next(folder.glob("*.tgz"))
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / "package"


def main() -> None:
    """Make the four font files and copy the licence."""
    parser = argparse.ArgumentParser(description="Make the deck's fonts.")
    parser.add_argument("package", type=Path, nargs="?", help="unpacked npm package")
    package = parser.parse_args().package
    with tempfile.TemporaryDirectory() as scratch:
        package = package or fetch(Path(scratch))
        characters = wanted_characters(ROOT)
        for weight, name in WEIGHTS.items():
            font = subset(package / name, characters)
            missing = characters - set(map(chr, font.getBestCmap()))
            if missing:
                print(f"not in Noto Sans SC: {' '.join(sorted(missing))}")
            save(font, weight, HERE)
        shutil.copyfile(package / "LICENSE_FONT", HERE / "OFL.txt")


if __name__ == "__main__":
    main()
