"""When spot pays, page 23: efficiency over the preemption rate against the ratio of prices."""

from __future__ import annotations

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import MEASURED, USEFUL, name_axes, new_figure, svg_text, tint
from gpudeck.models.resilience.cloud_mix import CloudMix, spot_efficiency

_RATES = np.geomspace(0.01, 10, 60)


def draw_spot(mix: CloudMix, stall_s: float, recovery_s: float, page: Captioned) -> str:
    """Draw the spot efficiency over preemptions an hour, and each cloud's price ratio as a point.

    Parameters
    ----------
    mix
        Its offers are the points.
    stall_s, recovery_s
        Of a save, and of a replacement.
    page
        The slide that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    share = np.array([100 * spot_efficiency(rate, stall_s, recovery_s) for rate in _RATES])
    axes.fill_between(_RATES, share, color=tint(USEFUL, 0.12), lw=0)
    axes.plot(_RATES, share, color=USEFUL, linewidth=3)
    prices = {o.cloud: o.usd_per_gpu_h for o in mix.offers if o.kind == "on_demand"}
    for offer in mix.offers:
        if offer.kind != "spot" or offer.cloud not in prices or not offer.preemptions_per_h:
            continue
        ratio = 100 * offer.usd_per_gpu_h / prices[offer.cloud]
        axes.plot(offer.preemptions_per_h, ratio, "o", color=MEASURED, markersize=10, zorder=5)
        axes.annotate(
            f"{offer.cloud}  {ratio:.0f}%", (offer.preemptions_per_h, ratio), (14, 0),
            textcoords="offset points", va="center", color=MEASURED,
        )  # fmt: skip
    for name, x, y in (("pays", 0.02, 0.12), ("not", 0.86, 0.86)):
        axes.text(x, y, page.label(name), transform=axes.transAxes, fontsize=18)
    middle = len(_RATES) // 3
    axes.annotate(
        page.label("eta"), (_RATES[middle], share[middle]), (0, -30),
        textcoords="offset points", color=USEFUL,
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
    axes.set(xlim=(_RATES[0], _RATES[-1]), ylim=(0, 105))
    name_axes(axes, page.label("x"), page.label("y"))
    return svg_text(figure, page.key, page.title, page.alt)
