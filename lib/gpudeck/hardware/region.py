"""Countries and cloud regions with the carbon intensity of their grid."""

import difflib
from dataclasses import dataclass
from functools import cache

from gpudeck.errors import InputError
from gpudeck.tables import Row, read_table


@dataclass(frozen=True, slots=True)
class Region:
    """A place where GPUs run: a country (``FRA``) or a cloud region (``gcp/europe-west9``)."""

    id: str
    name: str
    country: str
    grid_gco2e_per_kwh: float
    row: Row


@cache
def read_regions() -> dict[str, Region]:
    """Read every region of ``data/carbon_intensity.csv``, by id.

    A country's figure is the mean of one year, a cloud region's is its provider's.

    >>> read_regions()["gcp/europe-west9"].country
    'FRA'
    """
    table = read_table("carbon_intensity")
    regions = {}
    for region_id in table.ids:
        rows = table.of(region_id)
        country = str(rows["country"].value) if "country" in rows else region_id
        row = rows["grid_intensity"]
        regions[region_id] = Region(region_id, str(rows["name"].value), country, row.number, row)
    return regions


def find_region(region_id: str) -> Region:
    """Look one region up.

    Raises
    ------
    InputError
        There is no such region; the message lists those with a similar id.

    >>> find_region("SWE").grid_gco2e_per_kwh
    40.695
    """
    regions = read_regions()
    if region_id not in regions:
        close = difflib.get_close_matches(region_id, regions, n=4, cutoff=0.4)
        near = f"; close to it: {', '.join(close)}" if close else ""
        msg = (
            f"region is {region_id!r}{near}; allowed in data/carbon_intensity.csv are"
            f" {', '.join(regions)}"
        )
        raise InputError(msg)
    return regions[region_id]
