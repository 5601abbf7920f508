"""What a run writes down while it goes on: iterations, and stretches in which sequences decode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.serving.kernel import (
    ITERATION,
    LOGGED,
    MORE_LOG,
    NOTHING,
    PARTS,
    PUSHED,
    SEGMENT,
)
from gpudeck.models.serving.result import Segments

# iterations of a run: a guess, for what is too long costs nothing until it is written to
_TOKENS_AN_ITERATION = 8
_MOST_AT_FIRST = 4_000_000
# more room each time: twice as much, or a sixteenth of what is large, of which little is left empty
# and, where pages are remapped, little copied
_DOUBLED = 65_536
_GROWTH = 16


class RunLog:
    """Iterations and segments of a run, with room that grows in place.

    Parameters
    ----------
    requests, tokens
        Requests of the run, and the tokens that they want.
    together
        How many of them may end in one iteration, at most.
    pushed
        Requests that replicas have before the run.
    """

    def __init__(self, requests: int, tokens: int, together: int, pushed: int = 0) -> None:
        guess = min(tokens // _TOKENS_AN_ITERATION + 2 * requests + 64, _MOST_AT_FIRST)
        self._iterations = np.empty(guess, ITERATION)
        self._parts = np.empty(requests + together, SEGMENT)
        self._reached = np.zeros(4, np.int64)
        self._reached[PUSHED] = pushed

    def fill(self, run: Callable[[NDArray, NDArray, NDArray], int], more: int = 0) -> None:
        """Call a compiled loop again and again, with more room each time, until it wants none.

        Parameters
        ----------
        run
            Takes iterations, segments and how much of each is used; returns what is too short.
        more
            Iterations that it may want at once.
        """
        while True:
            want = run(self._iterations, self._parts, self._reached)
            if want == NOTHING:
                break
            array = self._iterations if want == MORE_LOG else self._parts
            # in place: no second copy, however long a run is
            room = max(min(array.size, _DOUBLED), array.size // _GROWTH) + more
            array.resize(array.size + room, refcheck=False)
        self._iterations.resize(self._reached[LOGGED], refcheck=False)
        self._parts.resize(self._reached[PARTS], refcheck=False)

    def columns(self) -> dict[str, Any]:
        """Columns of all iterations, by name, and the segments."""
        columns: dict[str, Any] = {name: self._iterations[name] for name in ITERATION.names or ()}
        parts = self._parts
        columns["segments"] = Segments(
            parts["row"],
            parts["joined_s"],
            parts["after_d"],
            parts["to_d"],
            parts["replica"],
        )
        return columns
