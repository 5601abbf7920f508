"""The table of page 14 has the metrics that orchestration changes, and no empty cell."""

import numpy as np

from gpudeck.figures import stage2
from gpudeck.interval import Interval, interval_of
from slide import Slide


class Effect:
    """Measures that all rise from 1 to 2."""

    def samples(self, measure: str) -> tuple[np.ndarray, np.ndarray]:
        return np.array([1.0, 1.1]), np.array([2.0, 2.2])

    def change_pct(self, measure: str) -> Interval:
        before, after = self.samples(measure)
        return interval_of(100 * (after / before - 1))


def test_every_metric_has_its_numbers_and_the_dollar_is_marked() -> None:
    table = stage2.tabulate_metrics(Effect(), Slide())
    rows = table.split("<tr")[2:]
    assert len(rows) == 6
    assert all("+100.0%" in row for row in rows)
    assert [row for row in rows if "dk-mark" in row] == [row for row in rows if "per usd" in row]
