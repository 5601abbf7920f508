"""Random streams: one seed for a scenario, and independent children for its parts."""

from collections.abc import Sequence

import numpy as np

from gpudeck.errors import InputError


def spawn_seeds(seed: int, count: int) -> list[int]:
    """Derive ``count`` independent 64-bit seeds from one seed.

    The first n seeds do not depend on ``count``, so a longer study begins with a shorter one.

    Parameters
    ----------
    seed
        The scenario's seed, 0 or above.
    count
        How many seeds, 0 or above.

    Raises
    ------
    InputError
        ``seed`` or ``count`` is negative.

    Source: NumPy, SeedSequence.spawn.

    >>> spawn_seeds(0, 3)[:2] == spawn_seeds(0, 2)
    True
    """
    if count < 0:
        msg = f"count is {count}; allowed is 0 or above"
        raise InputError(msg)
    children = _sequence(seed).spawn(count)
    return [int(child.generate_state(1, np.uint64)[0]) for child in children]


def generator(seed: int, *path: int | str) -> np.random.Generator:
    """Open the random stream that belongs to one part of a study.

    Two paths never share a stream: adding a part leaves the numbers of the others unchanged.

    Parameters
    ----------
    seed
        The scenario's seed, 0 or above.
    path
        Where the stream is used, such as ``"arrivals", 3``.

    Raises
    ------
    InputError
        ``seed`` or an integer of ``path`` is negative.

    >>> float(generator(0, "arrivals").random()) == float(generator(0, "arrivals").random())
    True
    >>> float(generator(0, "arrivals").random()) == float(generator(0, "lengths").random())
    False
    """
    return np.random.default_rng(_sequence(seed, path))


def _sequence(seed: int, path: Sequence[int | str] = ()) -> np.random.SeedSequence:
    if seed < 0 or any(isinstance(part, int) and part < 0 for part in path):
        msg = f"seed is {seed}, path is {tuple(path)}; allowed are integers of 0 or above and names"
        raise InputError(msg)
    # A tag before each part keeps the name "A" and the number 65 apart.
    words: list[int] = []
    for part in path:
        encoded = part.encode() if isinstance(part, str) else part.to_bytes(8, "little")
        words += [1 if isinstance(part, str) else 2, len(encoded), *encoded]
    return np.random.SeedSequence(seed, spawn_key=tuple(words))
