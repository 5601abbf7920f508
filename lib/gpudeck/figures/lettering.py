"""Measured text: how wide a line is in the deck's own font, and where it may break."""

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from matplotlib.ft2font import FT2Font, LoadFlags

from gpudeck.errors import InputError

FAMILY = "Noto Sans SC"
TEXT_MIN_PX = 16
LINE_HEIGHT = 1.3
# Above the baseline, in ems: the middle of capitals, digits and Chinese characters alike.
MIDDLE_EM = 0.365

_NO_LINE_START = set("，。、；：？！）》〉」』】〕”’…—·％%℃,.;:?!)]}°")
_NO_LINE_END = tuple("（《〈「『【〔“‘([{")
_PAUSES = tuple("，、；：。,;:")
_CHINESE = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[0-9A-Za-z]")
_TOKEN = re.compile(
    r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60\u3000-\u303f“”‘’…—]|[^\S\n]+|"
    r"[^\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60\u3000-\u303f“”‘’…—]+"
)


@dataclass(frozen=True)
class Fitted:
    """Text that fits: its lines and the size they are set in."""

    lines: tuple[str, ...]
    size_px: float

    @property
    def height_px(self) -> float:
        """Height of the block of lines."""
        return len(self.lines) * self.size_px * LINE_HEIGHT


def font_path(weight: int) -> Path:
    """Return the deck's font file of one weight, 400 or 700.

    Raises
    ------
    InputError
        the file is not there.
    """
    path = Path(__file__).resolve().parents[3] / "notebooks" / "fonts" / f"deck{weight}.ttf"
    if not path.is_file():
        msg = f"font {path} is missing: work in a checkout of the repository, weights 400 and 700"
        raise InputError(msg)
    return path


@cache
def _font(weight: int) -> FT2Font:
    return FT2Font(str(font_path(weight)))


@cache
def _advance_em(character: str, weight: int) -> float:
    font = _font(weight)
    if not font.get_char_index(ord(character)):
        msg = (
            f"character {character!r} (U+{ord(character):04X}) is not in the deck's fonts: "
            "choose another, or add it in notebooks/fonts/subset_fonts.py and run that"
        )
        raise InputError(msg)
    return font.load_char(ord(character), LoadFlags.NO_SCALE).horiAdvance / font.units_per_EM


def text_width_px(text: str, size_px: float, weight: int = 400) -> float:
    """Return the width of one line in px, thin gaps between Chinese and Latin included.

    >>> text_width_px("算力", 20)
    40.0
    """
    gaps = sum(
        bool((_CHINESE.match(a) and _LATIN.match(b)) or (_LATIN.match(a) and _CHINESE.match(b)))
        for a, b in pairwise(text)
    )
    return size_px * (sum(_advance_em(c, weight) for c in text) + gaps / 8)


def _pieces(paragraph: str) -> list[str]:
    """Return the unbreakable pieces of a paragraph, punctuation tied to what it belongs to."""
    pieces: list[str] = []
    for token in _TOKEN.findall(paragraph):
        closes = token[0] in _NO_LINE_START
        # A space before closing punctuation is no place to break either.
        gap = pieces.pop() if closes and len(pieces) > 1 and pieces[-1].isspace() else ""
        if pieces and (closes or pieces[-1].rstrip()[-1:] in _NO_LINE_END):
            pieces[-1] += gap + token
        else:
            pieces.append(token)
    return pieces


def _break_lines(pieces: list[str], width_px: float, size_px: float, weight: int) -> list[str]:
    """Break into the fewest lines; of the ways to do so, evenly and rather after a comma.

    Every line costs 10, plus the square of the share that it leaves empty, less 0.3 where it ends
    with punctuation; the cheapest way to each piece follows from those to the pieces before it.
    """
    cheapest: list[tuple[float, int, str]] = [(0.0, 0, "")]
    for end in range(1, len(pieces) + 1):
        options = []
        for start in range(end - 1, -1, -1):
            line = "".join(pieces[start:end]).strip()
            width = text_width_px(line, size_px, weight)
            if width > width_px and start < end - 1:
                break
            cost = cheapest[start][0] + 10 + max(0.0, 1 - width / width_px) ** 2
            rests = line[-1:] in _PAUSES and end < len(pieces)
            options.append((cost - 0.3 * rests, start, line))
        cheapest.append(min(options))
    lines, end = [], len(pieces)
    while end:
        _, start, line = cheapest[end]
        lines.append(line)
        end = start
    return lines[::-1]


def wrap(text: str, width_px: float, size_px: float, weight: int = 400) -> tuple[str, ...]:
    r"""Break text into as few lines as the width allows, about equally long.

    Breaks between any two Chinese characters and at Latin spaces; no line begins with closing
    punctuation or ends with an opening one. "\n" breaks always.

    Raises
    ------
    InputError
        a word is wider than the line.

    >>> wrap("集群调度，公平控制。", 88, 16)
    ('集群调度，', '公平控制。')
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        pieces = _pieces(paragraph)
        lines += _break_lines(pieces, width_px, size_px, weight)
    for line in lines:
        if text_width_px(line, size_px, weight) > width_px + 0.01:
            msg = f"text {line!r} is wider than {width_px:g} px at {size_px:g} px: shorten or widen"
            raise InputError(msg)
    return tuple(lines)


def fit(text: str, width_px: float, height_px: float, size_px: float, weight: int = 400) -> Fitted:
    """Wrap text into a rectangle, set smaller where it must be, never below 16 px.

    Raises
    ------
    InputError
        it does not fit even at 16 px.
    """
    size = max(size_px, TEXT_MIN_PX)
    while size >= TEXT_MIN_PX:
        try:
            fitted = Fitted(wrap(text, width_px, size, weight), size)
        except InputError:
            fitted = None
        if fitted and fitted.height_px <= height_px + 0.01:
            return fitted
        size -= 1
    msg = (
        f"text {text!r} does not fit {width_px:g} by {height_px:g} px at {TEXT_MIN_PX} px: "
        "shorten it or make its box larger"
    )
    raise InputError(msg)
