"""Published values of Erlang C and of Kubernetes' scaling rule, and what the models give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

import numpy as np

from gpudeck.errors import InputError
from gpudeck.models.resilience.autoscaling import desired_replicas
from gpudeck.models.resilience.erlang import erlang_c, largest_loads, late_share, mean_wait
from gpudeck.tables import Row

_OCCUPANCY = 0.85  # of the published example, beside its service level


def compute_published(rows: Sequence[Row]) -> dict[str, float]:
    """Compute each row ``subject@a:b:…``.

    ``erlang-wait@c:A`` is the probability to wait, ``erlang-level@c:A:s:t`` the share answered
    within t, ``erlang-answer@c:A:s`` the mean wait, ``erlang-servers@A:s:t:level`` the fewest
    servers for a level in % at an occupancy of at most 85 %, ``hpa@n:metric:target`` the replicas
    that Kubernetes' rule wishes.

    Raises
    ------
    InputError
        An id is not of one of these forms.
    """
    computed = {}
    for row in rows:
        subject, _, numbers = row.id.partition("@")
        try:
            values = [float(number) for number in numbers.split(":")]
            computed[row.id] = float(_SUBJECTS[subject](*values))
        except (KeyError, TypeError, ValueError) as error:
            msg = f"id is {row.id!r}; allowed are {', '.join(_SUBJECTS)} with their numbers"
            raise InputError(msg) from error
    return computed


def _fewest_servers(offered: float, service_s: float, wait_s: float, level_pct: float) -> int:
    loads = largest_loads(ceil(4 * offered) + 10, service_s, wait_s, 100 - level_pct)
    return max(int(np.searchsorted(loads, offered)), ceil(offered / _OCCUPANCY))


_SUBJECTS: dict[str, Callable[..., float]] = {
    "erlang-wait": lambda servers, offered: float(erlang_c(servers, offered)),
    "erlang-level": lambda servers, offered, service_s, wait_s: (
        1 - float(late_share(servers, offered, service_s, wait_s))
    ),
    "erlang-answer": lambda servers, offered, service_s: float(
        mean_wait(servers, offered, service_s)
    ),
    "erlang-servers": _fewest_servers,
    "hpa": lambda current, metric, target: desired_replicas(int(current), metric, target),
}
