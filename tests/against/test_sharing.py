"""GPU sharing against the oracle of time-slicing shares and published measurements of HAMi."""

import json

import pytest

from gpudeck.models.sharing.gpu import Tenant, share, slice_shares
from gpudeck.models.sharing.gpu.published import compute_published
from gpudeck.tables import read_table


def test_time_slicing_gives_the_oracle_s_shares(shared):
    cases = json.loads((shared / "oracles" / "scheduling.json").read_text())
    case = next(
        c for c in (cases if isinstance(cases, list) else cases["cases"]) if c["id"] == "O13"
    )
    expected, given = case["expected"], case["given"]
    assert slice_shares([1] * given["active"], given["slice_ms"])[0] == expected["share_each"]
    assert slice_shares([1] * 2, given["slice_ms"])[0] == expected["one_idle"]
    assert slice_shares([1] * 4, 2.0, 0.1)[0] == expected["with_switch_cost_0_1ms_N4"]
    assert list(slice_shares([1, 2, 1], 2.0)) == expected["weights_1_2_1"]
    tenants = [Tenant(name, kernel_ms=1.0) for name in "abcd"]
    got = share(tenants, "time_slicing", gpu_memory_gib=1, duration_s=8.4, switch_us=100)
    each = [t.work_done_ms / 8400 for t in got.tenants.values()]
    assert each == pytest.approx([expected["with_switch_cost_0_1ms_N4"]] * 4, abs=1e-12)


@pytest.mark.parametrize("row", read_table("published/sharing").rows, ids=lambda row: row.id)
def test_core_limits_split_launches_as_measured(row):
    assert row.low <= compute_published([row])[row.id] <= row.high
