"""An empty chart, axes drawn and lines left out: a script in the page draws them into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.figures.style import name_axes, new_figure, svg_text

_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX = 56, 190, 34, 52


@dataclass(frozen=True)
class PlotFrame:
    """Axes as SVG, and where they stand, in pixels of the SVG.

    `left_px`, `top_px`, `width_px`, `height_px` are the rectangle between the axes.
    """

    svg: str
    left_px: float
    top_px: float
    width_px: float
    height_px: float
    x_limits: tuple[float, float]
    y_limits: tuple[float, float]

    def x_px(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return the pixels of abscissae, same shape as `values`."""
        low, high = self.x_limits
        scaled = (np.asarray(values, dtype=float) - low) / (high - low)
        return np.round(self.left_px + self.width_px * scaled, 1)

    def y_px(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return the pixels of ordinates, same shape as `values`; NaN stays NaN."""
        low, high = self.y_limits
        scaled = (high - np.asarray(values, dtype=float)) / (high - low)
        return np.round(self.top_px + self.height_px * scaled, 1)


def draw_plot_frame(
    key: str,
    title: str,
    description: str,
    size_px: tuple[int, int],
    x_limits: tuple[float, float],
    y_limits: tuple[float, float],
    axis_names: tuple[str, str],
    x_ticks: Mapping[float, str] | None = None,
) -> PlotFrame:
    """Draw axes of fixed limits, with room at the right for the names of the lines.

    Parameters
    ----------
    key, title, description : str
        As for `svg_text`.
    size_px : (int, int)
        Width and height of the whole picture.
    x_limits, y_limits : (float, float)
        Data limits of the axes.
    axis_names : (str, str)
        Quantity and unit of x and y.
    x_ticks : mapping of float to str, optional
        Words of the ticks of x by their place, where numbers would not do.
    """
    width_px, height_px = size_px
    figure = new_figure(width_px, height_px)
    figure.set_layout_engine("none")
    inner = (width_px - _LEFT_PX - _RIGHT_PX, height_px - _TOP_PX - _BOTTOM_PX)
    axes = figure.add_axes(
        (
            _LEFT_PX / width_px,
            _BOTTOM_PX / height_px,
            inner[0] / width_px,
            inner[1] / height_px,
        )
    )
    if x_ticks is not None:
        axes.set_xticks(list(x_ticks), list(x_ticks.values()))
    axes.set(xlim=x_limits, ylim=y_limits)
    name_axes(axes, *axis_names)
    return PlotFrame(
        svg_text(figure, key, title, description), _LEFT_PX, _TOP_PX, *inner, x_limits, y_limits
    )
