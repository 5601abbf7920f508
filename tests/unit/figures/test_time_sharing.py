"""What the pictures of page 7 take from the model's results."""

import pytest

from gpudeck.figures.time_sharing import busy_window
from gpudeck.models.sharing.gpu import Tenant, share


def test_the_window_is_where_most_tenants_take_turns():
    tenants = [
        Tenant("always", kernel_ms=1.0, kernels=5),
        Tenant("rarely", kernel_ms=1.0, kernels=8, pause_ms=300.0),
    ]
    got = share(
        tenants, "time_slicing", gpu_memory_gib=1, duration_s=2, switch_us=0, log_entries=500
    )
    start = busy_window(got, 40)
    inside = [run for run in got.runs if start <= run.start_ms < start + 40]
    assert {run.tenant for run in inside} == {"always", "rarely"}
    first = next(run for run in got.runs if run.tenant == "rarely")
    assert start + 40 > first.start_ms


@pytest.mark.parametrize("entries", [0, 1])
def test_a_log_with_next_to_nothing_has_a_window(entries):
    got = share(
        [Tenant("a", kernel_ms=1.0)], "time_slicing", gpu_memory_gib=1, duration_s=0.05,
        log_entries=entries,
    )  # fmt: skip
    assert busy_window(got, 100) == 0.0
