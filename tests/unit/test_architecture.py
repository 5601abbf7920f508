"""Imports run down only: what pyproject.toml says of the rooms holds for the code."""

import pytest
from importlinter.cli import lint_imports


@pytest.fixture
def judge(root, monkeypatch, capsys):
    def lint(config):
        monkeypatch.chdir(root)
        status = lint_imports(config_filename=str(config), no_cache=True, no_logo=True)
        return status, capsys.readouterr().out

    return lint


def test_rooms_import_downwards_only(root, judge):
    status, printed = judge(root / "pyproject.toml")
    assert status == 0, printed


def test_an_import_upwards_is_found(root, judge, tmp_path):
    """With two rooms exchanged the same code breaks the contract: the check is not blind."""
    rules = (root / "pyproject.toml").read_text()
    lower = tmp_path / "pyproject.toml"
    lower.write_text(rules.replace('"errors",\n]', "]").replace('"(cli)",', '"errors",\n"(cli)",'))
    status, printed = judge(lower)
    assert status == 1
    assert "gpudeck.fact -> gpudeck.errors" in printed
