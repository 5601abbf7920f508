"""Formulas as outlines: set by matplotlib, shown without a mathematics font or a script."""

import numpy as np
from matplotlib import rc_context
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextToPath
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.figures.svg import frame, number

# Chosen by looking: the strokes of STIX are the nearest in weight to those of Noto Sans SC.
FONT_SET = "stix"
_MARGIN_PX = 2


def formula_svg(tex: str, key: str, size_px: float, title: str = "") -> str:
    r"""Return a line of TeX mathematics as SVG paths that stand on the baseline around them.

    The colour is the surrounding text's. The alternative text is the title or, without one, the
    TeX itself.

    Parameters
    ----------
    tex
        mathematics without dollar signs, in the subset that matplotlib's mathtext knows.
    key
        prefix of all ids, unique in the page.
    size_px
        font size, px.
    title
        how one would read the formula aloud.

    Raises
    ------
    InputError
        mathtext cannot read the formula, or the key cannot begin an id.

    >>> "<path" in formula_svg(r"\frac{a}{b}", "ratio", 24, "a over b")
    True
    """
    setter = TextToPath()
    font = FontProperties(size=size_px, math_fontfamily=FONT_SET)
    with rc_context({"mathtext.default": "normal"}):
        try:
            vertices, codes = setter.get_text_path(font, f"${tex}$", ismath=True)
            width, height, descent = setter.get_text_width_height_descent(
                f"${tex}$", font, ismath=True
            )
        except ValueError as error:
            msg = f"formula {key!r}: {tex!r} is not mathematics that mathtext reads: {error}"
            raise InputError(msg) from error
    scale = size_px / setter.FONT_SCALE
    baseline = height - descent + _MARGIN_PX
    outline = _path_data(np.asarray(vertices) * (scale, -scale) + (_MARGIN_PX, baseline), codes)
    return frame(
        f'<path fill="currentColor" d="{outline}"/>',
        key,
        title or tex,
        "",
        width + 2 * _MARGIN_PX,
        height + 2 * _MARGIN_PX,
        style=f"vertical-align:-{number(descent + _MARGIN_PX)}px;",
    )


def _path_data(vertices: NDArray[np.float64], codes: NDArray[np.uint8]) -> str:
    """Return a matplotlib path as the `d` of an SVG path."""
    letters = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}
    parts = []
    for points, code in Path(vertices, codes).iter_segments(simplify=False, curves=True):
        if code == Path.CLOSEPOLY:
            parts.append("Z")
        else:
            parts.append(letters[code] + " ".join(number(value) for value in points))
    return "".join(parts)
