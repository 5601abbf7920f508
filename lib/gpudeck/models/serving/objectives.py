"""What a service promises: time to first token, time between tokens, and how often both hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from gpudeck.errors import InputError
from gpudeck.models.serving.goodput import (
    Served,
    gap_percentile,
    meets_objectives,
    require_objectives,
    require_percentile,
    ttft_percentile,
)

Judge = Literal["gaps", "requests"]


@dataclass(frozen=True, slots=True)
class Objectives:
    """What a run has to meet.

    ``by="requests"``: that percentage of the requests meets both, each judged by its TTFT and its
    mean gap (TPOT). ``by="gaps"``: the percentile of TTFT, and that of all gaps between tokens,
    pooled, are within their objectives. Of answers of some hundred tokens the first gap is less
    than 1 % of the gaps, so the pooled 99th percentile does not see a wait between prefill and
    decoding: compare disaggregated fleets by requests.

    Raises
    ------
    InputError
        A value is out of range.
    """

    ttft_s: float
    tbt_s: float
    percentile: float = 99
    by: Judge = "requests"

    def __post_init__(self) -> None:
        require_objectives(self.ttft_s, self.tbt_s)
        require_percentile(self.percentile)
        if self.by not in get_args(Judge):
            msg = f"by is {self.by!r}; allowed are {', '.join(get_args(Judge))}"
            raise InputError(msg)

    def are_met(self, result: Served) -> bool:
        """Tell whether a run meets them."""
        if self.by == "requests":
            met = meets_objectives(result, self.ttft_s, self.tbt_s)
            return bool(met.mean() * 100 >= self.percentile * (1 - 1e-12))
        if ttft_percentile(result, self.percentile) > self.ttft_s:
            return False
        return gap_percentile(result, self.percentile) <= self.tbt_s
