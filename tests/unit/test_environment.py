"""The three lists of dependencies (pyproject.toml, environment.yml, requirements.lock) agree."""

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# conda-forge has no extras: what an extra brings is named there by itself
BROUGHT_BY_EXTRAS = {"brotli", "zopfli"}


@pytest.fixture(scope="module")
def wanted(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    listed = project["dependencies"] + project["optional-dependencies"]["dev"]
    requirements = [Requirement(text) for text in listed]
    assert len(requirements) > 30
    return {canonicalize_name(each.name): each.specifier for each in requirements}


def test_environment_has_the_same_names_and_ranges(root, wanted):
    dependencies = yaml.safe_load((root / "environment.yml").read_text())["dependencies"]
    requirements = [Requirement(text) for text in dependencies if isinstance(text, str)]
    found = {canonicalize_name(each.name): each.specifier for each in requirements}
    python = found.pop("python")
    assert str(python) == ">=3.11"
    assert found.keys() - wanted.keys() == BROUGHT_BY_EXTRAS | {"pip"}
    assert {name: found.get(name) for name in wanted} == wanted


def test_lock_pins_every_dependency_within_its_range(root, wanted):
    lock = (root / "requirements.lock").read_text()
    pinned = {}
    for name, version in re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)", lock, re.M):
        pinned.setdefault(canonicalize_name(name), []).append(version)
    unmet = {
        name: pinned.get(name)
        for name, ranges in wanted.items()
        if name not in pinned or not all(ranges.contains(version) for version in pinned[name])
    }
    assert not unmet


def test_lock_has_a_hash_for_each_pin_and_names_no_host(root):
    lock = (root / "requirements.lock").read_text()
    blocks = re.split(r"\n(?=\S)", lock.strip())
    assert all("--hash=sha256:" in block for block in blocks), "a pin without a hash"
    for trace in ("://", "index-url", "find-links", "@ "):
        assert trace not in lock
