"""A fact: one number that a page shows, with all that is needed to trace it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from gpudeck.errors import InputError
from gpudeck.interval import Interval, interval_of

KINDS = (
    "simulated",
    "computed",
    "scenario",
    "published-measurement",
    "our-measurement",
    "vendor-spec",
    "derived",
    "announced",
    "unverified",
)


@dataclass(frozen=True)
class Fact:
    """One number or name on a page.

    Parameters
    ----------
    key : str
        Name by which a text's placeholder asks for it; unique on its page.
    value : float, int or str
        The value in `unit`.
    unit : str
        Unit id of `gpudeck.units`; "text" for a name, "count" for a count.
    kind : str
        One of `KINDS`: how the value came to be.
    source : str
        Key of a row of `data/sources.csv`, or `model:<name>` for a computed value.
    function : str
        Dotted name of the function that made it.
    interval : Interval, optional
        Uncertainty of `value`, in the same unit.
    decimals : int, optional
        Digits after the point when shown; without it two significant digits.
    """

    key: str
    value: float | int | str
    unit: str
    kind: str
    source: str
    function: str
    interval: Interval | None = None
    decimals: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            msg = f"fact {self.key!r}: kind {self.kind!r} is not one of {', '.join(KINDS)}"
            raise InputError(msg)
        if not self.source or not self.function:
            msg = f"fact {self.key!r} names no {'function' if self.source else 'source'}"
            raise InputError(msg)
        if isinstance(self.value, float) and not abs(self.value) < float("inf"):
            msg = f"fact {self.key!r} is {self.value}: a fact must be a finite number"
            raise InputError(msg)

    def plain(self) -> str:
        """Return one line of text, rounded so that it is the same on every machine."""
        text = f"{self.key} = {_plain_number(self.value)} {self.unit}".rstrip()
        if self.interval is not None:
            low, high = _plain_number(self.interval.low), _plain_number(self.interval.high)
            text += f" [{low}, {high}]"
        return f"{text} ({self.kind})"

    def to_dict(self) -> dict[str, Any]:
        """Return the fact as a JSON-able dictionary, the way facts.json holds it."""
        row = {
            "key": self.key,
            "value": _stable(self.value),
            "unit": self.unit,
            "kind": self.kind,
            "source": self.source,
            "function": self.function,
        }
        if self.interval is not None:
            row |= {
                "low": _stable(self.interval.low),
                "high": _stable(self.interval.high),
                "level": self.interval.level,
            }
        return row


def function_name(function: Callable[..., object]) -> str:
    """Return the dotted name under which a function can be imported."""
    return f"{function.__module__}.{function.__qualname__}"


def mean_fact(
    key: str,
    samples: ArrayLike,
    unit: str,
    source: str,
    function: str,
    *,
    decimals: int | None = 1,
) -> Fact:
    """Return the mean of simulated samples, one a seed, with its 95 % interval.

    Parameters
    ----------
    key, unit, source, function, decimals
        As of a `Fact`.
    samples
        One value a seed, shape (seeds,), two or more.
    """
    interval = interval_of(samples)
    return Fact(key, interval.mean, unit, "simulated", source, function, interval, decimals)


def index_facts(facts: tuple[Fact, ...]) -> dict[str, Fact]:
    """Return the facts by key; refuse two facts with one key.

    Raises
    ------
    InputError
        When two facts have the same key.
    """
    by_key = {fact.key: fact for fact in facts}
    if len(by_key) != len(facts):
        keys = [fact.key for fact in facts]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        msg = f"facts with the same key: {', '.join(twice)}; each key names one fact of a page"
        raise InputError(msg)
    return by_key


def _plain_number(value: float | int | str) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _stable(value: float | int | str) -> float | int | str:
    # twelve digits: floating-point noise of another machine must not change facts.json
    return float(f"{value:.12g}") if isinstance(value, float) else value
