"""Links, storage, regions, prices and MIG profiles: found by name, and wrong names told."""

import pytest

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import read_gpus
from gpudeck.hardware.link import find_link, find_node_fabric, read_links
from gpudeck.hardware.mig import enumerate_configurations, enumerate_placements, find_mig_profiles
from gpudeck.hardware.price import read_prices
from gpudeck.hardware.region import find_region, read_regions
from gpudeck.hardware.storage_device import find_storage_device


def test_links_are_read_with_their_latency() -> None:
    assert find_link("IB-HDR").latency_us == 0.6
    assert find_link("IB-NDR").latency_us is None
    assert find_link("NVLink-6").kind == "announced"
    assert "NCCL-ring" not in read_links()


def test_a_cloud_region_knows_its_country() -> None:
    region = find_region("gcp/europe-west9")
    assert (region.name, region.country) == ("Paris", "FRA")
    assert region.grid_gco2e_per_kwh == 34
    for known in read_regions().values():
        assert 0 < known.grid_gco2e_per_kwh < 1000


def test_prices_carry_their_date_and_a_known_gpu() -> None:
    prices = read_prices()
    for price in prices:
        assert price.gpu in read_gpus()
        assert price.when[:2] == "20"
        assert 0 < price.low_usd <= price.high_usd < 20
    median = next(price for price in prices if price.market == "median")
    assert (median.low_usd, median.high_usd, median.when) == (2.95, 2.95, "2026-05")


def test_a_storage_figure_is_in_the_unit_of_its_name() -> None:
    assert find_storage_device("Lustre-production").number("oss_write_gb_s") == 15
    tcp = find_storage_device("NVMe-oF-TCP").rows["added_latency_us"]
    assert (tcp.low, tcp.high) == (5, 100)


def test_media_profiles_add_a_choice_but_only_once() -> None:
    profiles = find_mig_profiles("A30")
    for placements in enumerate_placements(profiles):
        names = [placement.profile for placement in placements]
        assert names.count("1g.6gb+me") <= 1
    assert len(enumerate_configurations(profiles)) > 5
    assert enumerate_configurations([]) == [()]


def test_a_gpu_is_no_smaller_if_only_small_profiles_are_to_be_placed() -> None:
    small = [p for p in find_mig_profiles("A100-80G") if p.name in ("1g.10gb", "2g.20gb")]
    largest = max(enumerate_placements(small), key=len)
    assert [placement.start for placement in largest] == list(range(7))


@pytest.mark.parametrize(
    ("find", "told"),
    [
        (find_link, "link is 'X'; allowed in data/network"),
        (find_node_fabric, "node fabric is 'X'; allowed .* are DGX-H100"),
        (find_region, "region is 'X'"),
        (find_storage_device, "storage is 'X'; allowed"),
        (find_mig_profiles, "MIG geometry is 'X'; allowed .* are A100-40G"),
        (find_storage_device("DGX-2").number, "attribute is 'X'; allowed for DGX-2"),
    ],
)
def test_a_wrong_name_is_told_what_is_allowed(find: object, told: str) -> None:
    assert callable(find)
    with pytest.raises(InputError, match=told):
        find("X")
