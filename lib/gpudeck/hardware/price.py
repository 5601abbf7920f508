"""What a GPU-hour costs: dated ranges, never a price without its date."""

from dataclasses import dataclass
from functools import cache

from gpudeck.errors import InputError
from gpudeck.tables import Row, read_table


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per GPU-hour of one GPU, on one market, at one time (year, month or day)."""

    gpu: str
    market: str
    when: str
    low_usd: float
    high_usd: float
    row: Row


@cache
def read_prices() -> tuple[Price, ...]:
    """Read every price of ``data/prices.csv``, in the order of the file.

    Raises
    ------
    InputError
        An attribute is not written ``market@date``.

    >>> read_prices()[0].market
    'hyperscaler'
    """
    prices = []
    for row in read_table("prices"):
        market, at, when = row.attribute.partition("@")
        if not (market and at and when):
            msg = f"{row.id} in data/prices.csv: {row.attribute!r}; allowed is market@2026-05"
            raise InputError(msg)
        low = row.number if row.low is None else row.low
        high = row.number if row.high is None else row.high
        prices.append(Price(row.id, market, when, low, high, row))
    return tuple(prices)
