"""The guide to the serving model runs as it is printed."""

import doctest
from pathlib import Path


def test_examples_of_the_guide_give_what_they_print(root: Path) -> None:
    found = doctest.testfile(str(root / "docs" / "serving.md"), module_relative=False)
    assert found.attempted > 5
    assert found.failed == 0
