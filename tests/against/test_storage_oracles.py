"""Storage against worked examples."""

import json

import pytest

from gpudeck.models.storage import Lustre, read_bandwidth


def test_bandwidth_of_one_striped_file(shared):
    cases = json.loads((shared / "oracles" / "infrastructure.json").read_text())
    case = next(one for one in cases if one["id"] == "O14")
    given, also = case["inputs"], case["inputs"]["also"]
    for stripe, ost, network, expected in (
        (given["stripe"], given["ost_GBps"], given["client_net_GBps"], case["expected"]["GBps"]),
        (also["stripe"], also["ost"], also["net"], case["expected"]["GBps_also"]),
    ):
        # the example takes the whole of a port, and no other limit
        system = Lustre(
            8, 1, ost, ost, 1e3, 1e3, 1e3, network, 1e3, 1, 1e5, 2e5, 1e-3, 8, network_share=1.0
        )
        assert read_bandwidth(system, 1, stripe).gb_s == pytest.approx(expected, rel=1e-6)
