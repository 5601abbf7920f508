"""The look of every chart: type, colours with fixed roles, direct labels, SVG from matplotlib.

One unit is one pixel of the 1280 by 720 canvas: figures are `px / 72` inches at 72 dots an inch,
so that a font size of 16 is 16 px on the slide.
"""

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import matplotlib as mpl
from cycler import cycler
from matplotlib import font_manager, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import TightLayoutEngine

from gpudeck.errors import InputError
from gpudeck.figures.lettering import FAMILY, font_path
from gpudeck.figures.svg import frame

USEFUL = "#0072B2"
WASTE = "#D55E00"
WAITING = "#999999"
MEASURED = "#000000"

INK = "#1F2328"
MUTED = "#57606A"
RULE = "#D8DEE4"
PAPER = "#FFFFFF"
PANEL = "#F6F8FA"

TEXT_PX = 16
CONTRAST_MIN = 4.5


@dataclass(frozen=True)
class SeriesStyle:
    """How one further series is drawn: never by its hue alone."""

    colour: str
    linestyle: str | tuple[int, tuple[int, ...]]
    marker: str

    def line(self) -> dict[str, object]:
        """Return keyword arguments for `Axes.plot`."""
        return {"color": self.colour, "linestyle": self.linestyle, "marker": self.marker}


# The rest of Okabe and Ito's colours, less yellow (invisible on white), then dark neutrals.
SERIES = (
    SeriesStyle("#009E73", "--", "s"),
    SeriesStyle("#CC79A7", "-.", "^"),
    SeriesStyle("#E69F00", (0, (1, 1)), "D"),
    SeriesStyle("#56B4E9", (0, (6, 2, 1, 2, 1, 2)), "v"),
    SeriesStyle("#4B5563", (0, (8, 3)), "P"),
    SeriesStyle("#7A4B8C", (0, (3, 2)), "X"),
)


_RC = {
    "font.family": FAMILY,
    "font.size": TEXT_PX,
    "axes.titlesize": TEXT_PX,
    "axes.labelsize": TEXT_PX,
    "xtick.labelsize": TEXT_PX,
    "ytick.labelsize": TEXT_PX,
    "legend.fontsize": TEXT_PX,
    # Exponents of a logarithmic axis are set by mathtext: keep them in the deck's own font.
    "mathtext.fontset": "custom",
    **{f"mathtext.{face}": FAMILY for face in ("rm", "it", "sf", "tt", "cal")},
    "mathtext.bf": f"{FAMILY}:bold",
    "mathtext.default": "regular",
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": MUTED,
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 1.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.xmargin": 0.02,
    "axes.prop_cycle": cycler(color=[USEFUL, *(series.colour for series in SERIES)]),
    "grid.color": RULE,
    "grid.linewidth": 1,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 5,
    "xtick.major.width": 1.5,
    "xtick.minor.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "ytick.major.pad": 8,
    "lines.linewidth": 2,
    "lines.markersize": 7,
    "patch.linewidth": 0,
    "hatch.linewidth": 1.5,
    "hatch.color": PAPER,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "figure.dpi": 72,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
}


@dataclass(frozen=True)
class LineEnd:
    """The right end of a line, in data coordinates, and the label that it gets."""

    x: float
    y: float
    text: str
    colour: str = INK
    weight: int = 400


def contrast(colour: str, background: str = PAPER) -> float:
    """Return the contrast ratio of two colours, from 1 to 21.

    Source: Web Content Accessibility Guidelines 2.2, "contrast ratio" and "relative luminance".

    >>> round(contrast("#000000"), 1)
    21.0
    """

    def luminance(name: str) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(name)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(colour), luminance(background)))
    return (high + 0.05) / (low + 0.05)


@cache
def text_colour(colour: str, background: str = PAPER) -> str:
    """Return the colour itself, or the nearest darker one that text may have on the background.

    >>> contrast(WASTE) < 4.5 <= contrast(text_colour(WASTE))
    True
    """
    channels = to_rgb(colour)
    for step in range(100):
        darker = to_hex([channel * (1 - step / 100) for channel in channels])
        if contrast(darker, background) >= CONTRAST_MIN:
            return darker
    return "#000000"


@cache
def text_on(fill: str) -> str:
    """Return white, ink or black: the first that text on the fill can be read in.

    >>> text_on(USEFUL), text_on(WASTE)
    ('#FFFFFF', '#000000')
    """
    return next(ink for ink in (PAPER, INK, "#000000") if contrast(ink, fill) >= CONTRAST_MIN)


@cache
def tint(colour: str, strength: float = 0.12) -> str:
    """Return the colour thinned with white to a strength from 0 (white) to 1 (itself)."""
    return to_hex([1 - strength * (1 - channel) for channel in to_rgb(colour)])


def bar_style(colour: str) -> dict[str, object]:
    """Return keyword arguments for `Axes.bar`; waste is hatched, so that hue is not alone."""
    return {"color": colour, "hatch": "//" if colour == WASTE else ""}


def use_style() -> None:
    """Set matplotlib up for the deck; calling it again changes nothing."""
    mpl.use("Agg")
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    for weight in (400, 700):
        path = str(font_path(weight))
        if path not in known:
            font_manager.fontManager.addfont(path)
    mpl.rcParams.update(_RC)


def new_figure(width_px: int, height_px: int) -> Figure:
    """Return an empty figure of the slot's size; call `.subplots()` on it.

    It is unknown to pyplot, so that no notebook shows it twice and nothing stays open.
    """
    use_style()
    return Figure(
        figsize=(width_px / 72, height_px / 72), dpi=72, layout=TightLayoutEngine(pad=0.3)
    )


def _layout() -> TightLayoutEngine:
    """Return the layout that fits axes and labels into the figure; with a `rect` it runs twice."""
    return TightLayoutEngine(pad=0.3, rect=None)  # type: ignore[arg-type]  # stub lacks None


def name_axes(axes: Axes, x: str = "", y: str = "") -> None:
    """Name quantities and units: y flat above its axis, x at the right end below its own."""
    axes.set_title(y, loc="left")
    axes.set_xlabel(x, loc="right")


def spread(
    centres: Sequence[float], heights: Sequence[float], low: float, high: float
) -> list[float]:
    """Move labels by as little as possible, in least squares, so that none overlaps another.

    Centres and heights in pixels, any order; all labels stay within low and high while they fit
    there. Subtracting each label's stacked offset turns "no overlap" into "not decreasing", and
    the best non-decreasing fit is found by pooling neighbours that are out of order.

    >>> spread([10, 12], [10, 10], 0, 100)
    [6.0, 16.0]
    """
    order = sorted(range(len(centres)), key=lambda index: centres[index])
    offsets, stacked = [], 0.0
    for index in order:
        offsets.append(stacked + heights[index] / 2)
        stacked += heights[index]
    pools: list[list[float]] = []
    for index, offset in zip(order, offsets, strict=True):
        pools.append([centres[index] - offset, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, count = pools.pop()
            total = pools[-1][0] * pools[-1][1] + mean * count
            pools[-1] = [total / (pools[-1][1] + count), pools[-1][1] + count]
    fitted = [mean for mean, count in pools for _ in range(int(count))]
    ceiling = max(low, high - stacked)
    placed = [0.0] * len(centres)
    for index, offset, base in zip(order, offsets, fitted, strict=True):
        placed[index] = min(max(base, low), ceiling) + offset
    return placed


def label_line_ends(
    axes: Axes, ends: Iterable[LineEnd], size_px: float = TEXT_PX, gap_px: float = 10
) -> None:
    """Label lines at their right ends, right of the axes, without overlap.

    Call it last: the limits of the axes have to be final. Labels come in a darker shade of the
    line's colour where contrast asks for it; one that had to move is tied to its line.

    Raises
    ------
    InputError
        the labels are smaller than 16 px.
    """
    if size_px < TEXT_PX:
        msg = f"size_px = {size_px:g}: labels are at least {TEXT_PX} px"
        raise InputError(msg)
    ends = list(ends)
    right = axes.get_yaxis_transform()
    texts = [
        axes.annotate(
            end.text,
            (1, end.y),
            xycoords=right,
            xytext=(gap_px, 0),
            textcoords="offset points",
            va="center",
            fontsize=size_px,
            color=text_colour(end.colour),
            fontweight=end.weight,
            annotation_clip=False,
        )
        for end in ends
    ]
    figure = axes.get_figure(root=True)
    assert figure is not None, "axes of no figure have no pixels"
    _lay_out(figure)
    frame_box = axes.get_window_extent()
    wanted = [float(axes.transData.transform((end.x, end.y))[1]) for end in ends]
    heights = [size_px * 1.25 * (end.text.count("\n") + 1) for end in ends]
    placed = spread(wanted, heights, frame_box.y0 - size_px / 2, frame_box.y1 + 1.5 * size_px)
    for text, end, old, new in zip(texts, ends, wanted, placed, strict=True):
        text.set_position((gap_px, new - old))
        _tie(axes, end, new - old, gap_px)


def _lay_out(figure: Figure) -> None:
    """Fit the axes into the figure now, once: laying out again when saving costs a third more."""
    _layout().execute(figure)
    figure.set_layout_engine("none")


def _tie(axes: Axes, end: LineEnd, moved_px: float, gap_px: float) -> None:
    """Draw a thin line from a curve's end to its label where they are not level or close."""
    end_px = float(axes.transData.transform((end.x, end.y))[0])
    short_px = axes.get_window_extent().x1 - end_px
    if abs(moved_px) < 2 and short_px < gap_px:
        return
    axes.annotate(
        "",
        (end.x, end.y),
        xytext=(short_px + gap_px - 2, moved_px),
        textcoords="offset points",
        arrowprops={
            "arrowstyle": "-",
            "color": end.colour,
            "linewidth": 1,
            "shrinkA": 0,
            "shrinkB": 0,
        },
        annotation_clip=False,
    )


def svg_text(figure: Figure, key: str, title: str, description: str) -> str:
    """Return the figure as one line of SVG that can stand among others in an HTML page.

    The same figure gives the same bytes. Text stays text; all ids carry the key; title and
    description are read out by a screen reader.

    Raises
    ------
    InputError
        the key cannot begin an id.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with rc_context({"svg.hashsalt": key, "svg.fonttype": "none"}):
        # Not `savefig`: it draws everything once more, to nowhere.
        FigureCanvasSVG(figure).print_svg(buffer, metadata=nothing)
    width_px, height_px = (round(inches * 72) for inches in figure.get_size_inches())
    body = re.search(r"<svg[^>]*>(.*)</svg>", buffer.getvalue(), re.DOTALL)
    assert body is not None, "matplotlib wrote no <svg>"
    text = re.sub(r"<style.*?</style>", "", body[1], flags=re.DOTALL)
    text = text.replace("xlink:href", "href")
    # Two decimals are a fiftieth of a pixel, and half the bytes.
    text = re.sub(r' (?:d|x|y)="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), text)
    return frame(text, key, title, description, width_px, height_px)
