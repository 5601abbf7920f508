"""What fails in a training job, how often, and whether a node has to be taken out for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

from gpudeck.errors import InputError
from gpudeck.tables import Table, read_table

RUN = "llama-3-405b"
COMPONENTS = ("gpu", "hbm", "network", "host", "software")
# assumption: after a software fault the same node goes on; after any other it is taken out
_KEEPS_NODE = frozenset({"software"})
HOUR_S, DAY_S = 3600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class FailureComponent:
    """A kind of component: failures of one GPU's share of it an hour, and what they take out."""

    name: str
    per_gpu_hour: float
    takes_node: bool

    def __post_init__(self) -> None:
        if not 0 <= self.per_gpu_hour < float("inf"):
            msg = (
                f"per_gpu_hour of {self.name} is {self.per_gpu_hour};"
                " allowed are finite numbers of 0 or above"
            )
            raise InputError(msg)


@dataclass(frozen=True, slots=True)
class FailureRates:
    """The components of a job; failures are independent Poisson processes, one a component."""

    components: tuple[FailureComponent, ...]

    def __post_init__(self) -> None:
        if not self.per_gpu_hour > 0:
            msg = f"the rates sum to {self.per_gpu_hour} an hour; allowed is a sum above 0"
            raise InputError(msg)

    @property
    def per_gpu_hour(self) -> float:
        """Failures of a GPU and its share of the rest, an hour."""
        return sum(component.per_gpu_hour for component in self.components)

    @property
    def shares(self) -> Mapping[str, float]:
        """Part of all failures by component, summing to 1."""
        total = self.per_gpu_hour
        return MappingProxyType({c.name: c.per_gpu_hour / total for c in self.components})

    @property
    def node_share(self) -> float:
        """Part of the failures after which a node has to be replaced."""
        taken = sum(c.per_gpu_hour for c in self.components if c.takes_node)
        return taken / self.per_gpu_hour

    def mtbf_s(self, gpus: int) -> float:
        """Return the mean time between failures of a job, in seconds: 1 / (GPUs · rate).

        Any failure stops a synchronous job, so that the components are in series.

        Parameters
        ----------
        gpus
            GPUs of the job, 1 or more.

        Raises
        ------
        InputError
            There is no GPU.

        >>> round(read_failure_rates().mtbf_s(16_384) / 3600, 3)
        3.093
        """
        if gpus < 1:
            msg = f"gpus is {gpus}; allowed are whole numbers of 1 or more"
            raise InputError(msg)
        return HOUR_S / (gpus * self.per_gpu_hour)

    def scaled(self, times: float) -> FailureRates:
        """Return the same mix of failures, all so many times as frequent.

        Raises
        ------
        InputError
            ``times`` is not above 0.
        """
        if not 0 < times < float("inf"):
            msg = f"times is {times}; allowed are finite numbers above 0"
            raise InputError(msg)
        changed = (replace(c, per_gpu_hour=times * c.per_gpu_hour) for c in self.components)
        return FailureRates(tuple(changed))


@dataclass(frozen=True, slots=True)
class PrintedCause:
    """A line of the published table: how many interruptions, and which share is printed beside."""

    name: str
    component: str
    count: int
    printed_pct: float


def read_causes() -> tuple[PrintedCause, ...]:
    """Read the causes of the unexpected interruptions of Llama 3 405B, as they are printed.

    Source: Llama Team, The Llama 3 Herd of Models (2024), Table 5.

    >>> cause = read_causes()[0]
    >>> cause.name, cause.count, cause.printed_pct
    ('faulty-gpu', 148, 30.1)
    """
    table = _table()
    causes = []
    for row_id in table.ids:
        run, _, name = row_id.partition("/")
        if run == RUN and name:
            rows = table.of(row_id)
            causes.append(
                PrintedCause(
                    name,
                    str(rows["component"].value),
                    int(rows["interruptions"].number),
                    rows["share_printed"].number,
                )
            )
    return tuple(causes)


@cache
def read_failure_rates() -> FailureRates:
    """Return the rates of the Llama 3 405B run: interruptions of a kind / (GPUs · hours).

    Raises
    ------
    InputError
        A cause belongs to no component.

    Source: Llama Team, The Llama 3 Herd of Models (2024), Table 5: 54 days on 16,384 GPUs.

    >>> [round(1e6 * component.per_gpu_hour, 2) for component in read_failure_rates().components]
    [9.23, 3.39, 1.98, 2.17, 2.97]
    """
    run = _table().of(RUN)
    gpu_hours = run["gpus"].number * run["days"].number * DAY_S / HOUR_S
    counts = dict.fromkeys(COMPONENTS, 0)
    for cause in read_causes():
        if cause.component not in counts:
            msg = (
                f"data/failures.csv: component of {cause.name} is {cause.component!r};"
                f" allowed are {', '.join(COMPONENTS)}"
            )
            raise InputError(msg)
        counts[cause.component] += cause.count
    return FailureRates(
        tuple(
            FailureComponent(name, counts[name] / gpu_hours, name not in _KEEPS_NODE)
            for name in COMPONENTS
        )
    )


@dataclass(frozen=True, slots=True)
class ShareArithmetic:
    """The printed shares of Table 5 against their own counts, in %."""

    unexpected: int
    count: int
    printed_pct: float
    computed_pct: float
    printed_sum_pct: float
    gpu_printed_pct: float
    gpu_printed_sum_pct: float
    gpu_computed_pct: float


# what section 3.3.4 counts as GPU issues: those of Table 5 whose category is GPU
_GPU = ("gpu", "hbm")


def check_printed_shares() -> ShareArithmetic:
    """Divide the counts of Table 5 by their sum, and add up the shares that are printed.

    Raises
    ------
    InputError
        The counts do not sum to the unexpected interruptions that the text names.

    >>> shares = check_printed_shares()
    >>> round(shares.computed_pct, 1), round(shares.printed_sum_pct, 1)
    (35.3, 94.9)
    """
    run, causes = _table().of(RUN), read_causes()
    total = sum(cause.count for cause in causes)
    if total != run["unexpected"].number:
        msg = (
            f"data/failures.csv: the causes sum to {total};"
            f" allowed are the {run['unexpected'].number:g} unexpected interruptions"
        )
        raise InputError(msg)
    first = causes[0]
    gpu = [cause for cause in causes if cause.component in _GPU]
    return ShareArithmetic(
        total,
        first.count,
        first.printed_pct,
        100 * first.count / total,
        sum(cause.printed_pct for cause in causes),
        run["gpu_share_printed"].number,
        sum(cause.printed_pct for cause in gpu),
        100 * sum(cause.count for cause in gpu) / total,
    )


def _table() -> Table:
    return read_table("failures")
