"""Random streams: repeatable, and independent of one another."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.rng import generator, spawn_seeds


def test_a_longer_study_begins_with_the_shorter_one() -> None:
    assert spawn_seeds(7, 10)[:4] == spawn_seeds(7, 4)
    assert len(set(spawn_seeds(7, 1000))) == 1000
    assert spawn_seeds(7, 0) == []


def test_two_scenario_seeds_share_nothing() -> None:
    assert not set(spawn_seeds(0, 100)) & set(spawn_seeds(1, 100))


PATHS = [
    (),
    ("A",),
    (65,),
    ("A", 1),
    ("A1",),
    (1, "A"),
    ("A", "B"),
    ("AB",),
    (0,),
    (0, 0),
]


def test_every_path_has_its_own_stream() -> None:
    first = [tuple(generator(0, *path).integers(0, 2**62, size=4)) for path in PATHS]
    assert len(set(first)) == len(PATHS)


def test_a_stream_can_be_opened_again() -> None:
    assert np.array_equal(generator(3, "a", 2).random(8), generator(3, "a", 2).random(8))


def test_mistakes_are_named() -> None:
    with pytest.raises(InputError, match="seed is -1"):
        spawn_seeds(-1, 2)
    with pytest.raises(InputError, match="count is -2"):
        spawn_seeds(0, -2)
    with pytest.raises(InputError, match="path is"):
        generator(0, -3)
