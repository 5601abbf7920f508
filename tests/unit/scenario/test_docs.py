"""The guide to scenarios names every field of the schema, in the schema's own words."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from pydantic import BaseModel

from gpudeck.scenario import Scenario, read_scenario
from gpudeck.scenario.schema import Bilingual
from gpudeck.scenario.template import allowed_values


def rows_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        inner = next((part for part in get_args(kind)), kind)
        if inner is Bilingual:
            words = allowed_values(Bilingual.model_fields["zh"])
            yield f"| `{prefix}{name}.zh`, `.en` | {field.description} | {words} |"
        elif isinstance(inner, type) and issubclass(inner, BaseModel):
            index = ".0" if inner is not kind else ""
            yield from rows_of(inner, f"{prefix}{name}{index}.")
        else:
            yield f"| `{prefix}{name}` | {field.description} | {allowed_values(field)} |"


def test_guide_has_a_row_for_every_field(root: Path) -> None:
    guide = (root / "docs" / "scenario.md").read_text(encoding="utf-8").split("\n")
    table = [line for line in guide if line.startswith("| `")]
    assert table == list(rows_of(Scenario))


def test_example_of_the_guide_is_right(root: Path, tmp_path: Path) -> None:
    guide = (root / "docs" / "scenario.md").read_text(encoding="utf-8")
    sets = [word for line in guide.split("\n") if "--set" in line for word in line.split()]
    changes = [sets[i + 1] for i, word in enumerate(sets) if word == "--set"]
    assert changes
    usable = [change for change in changes if not change.startswith("cluster.trace")]
    assert read_scenario("default", usable)
