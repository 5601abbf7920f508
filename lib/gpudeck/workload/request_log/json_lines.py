"""Logs with one JSON object a line: Mooncake's traces, and what an engine or a gateway writes."""

import json
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.workload.request_log.lines import MOST_S, MOST_TOKENS, Lines, Records

MOONCAKE = ("timestamp", "input_length", "output_length", "hash_ids")
MOONCAKE_BLOCK_TOKENS = 512
# The first of these keys that a line has is taken; a dot goes into the object of that name.
ARRIVAL = {
    "arrival_s": 1.0,
    "arrival_time": 1.0,
    "arrived_at": 1.0,
    "timestamp": 1.0,
    "created": 1.0,
    "created_at": 1.0,
    "start_time": 1.0,
    "arrival_ms": 1e-3,
    "timestamp_ms": 1e-3,
    "arrival_ns": 1e-9,
}
_COUNT_PROMPT = ("prompt_tokens", "input_tokens")
_COUNT_OUTPUT = ("completion_tokens", "output_tokens")
_WITHIN = ("usage.", "response.usage.", "response.body.usage.", "")
PROMPT = (
    *(place + name for place in _WITHIN for name in _COUNT_PROMPT),
    "num_prompt_tokens",
    "input_length",
    "prompt_len",
)
OUTPUT = (
    *(place + name for place in _WITHIN for name in _COUNT_OUTPUT),
    "num_generation_tokens",
    "output_length",
    "output_len",
)
# 10¹¹ s after 1970 is the year 5138: a larger clock counts milliseconds.
_MILLISECONDS_FROM = 1e11


def read_mooncake(path: Path) -> Records:
    """Read ``timestamp`` (ms), ``input_length``, ``output_length``, ``hash_ids`` (512 tokens each).

    Times are kept as they are, quantised to 3 s in the trace of conversations.

    Source: Mooncake, FAST'25 trace release.
    """
    lines, objects = read_objects(path)
    arrival, prompt, output, hashes = [], [], [], []
    for row, one in enumerate(objects):
        when, sent, got, ids = (_need(lines, row, one, name) for name in MOONCAKE)
        arrival.append(_seconds(lines, row, "timestamp", when, 1e-3))
        prompt.append(_tokens(lines, row, "input_length", sent))
        output.append(_tokens(lines, row, "output_length", got))
        hashes.append(_hashes(lines, row, ids, prompt[-1]))
    return Records(
        np.array(arrival, dtype=np.float64),
        np.array(prompt, dtype=np.int64),
        np.array(output, dtype=np.int64),
        hashes,
        MOONCAKE_BLOCK_TOKENS,
    )


def read_request_log(path: Path) -> Records:
    """Read the log of an OpenAI-style service such as vLLM.

    A line has one of the keys of `ARRIVAL`, a number of seconds (of milliseconds from 10¹¹ on) or a
    time in UTC, one of `PROMPT` and one of `OUTPUT`. Times count from the earliest.
    """
    lines, objects = read_objects(path)
    prompt = [_tokens(lines, r, *_first(lines, r, one, PROMPT)) for r, one in enumerate(objects)]
    output = [_tokens(lines, r, *_first(lines, r, one, OUTPUT)) for r, one in enumerate(objects)]
    times = [_first(lines, row, one, tuple(ARRIVAL)) for row, one in enumerate(objects)]
    arrival = _arrivals(lines, times)
    return Records(arrival, np.array(prompt, dtype=np.int64), np.array(output, dtype=np.int64))


def read_objects(path: Path, most: int | None = None) -> tuple[Lines, list[dict[str, Any]]]:
    """Read one object a line, at most so many; blank lines are left out.

    Raises
    ------
    InputError
        A line is no JSON object, or not in UTF-8: named by file and line.
    """
    numbers: list[int] = []
    objects: list[dict[str, Any]] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if len(objects) == most:
                break
            if not line.strip():
                continue
            try:
                one = json.loads(line.decode("utf-8-sig"))
            except (ValueError, RecursionError) as error:
                msg = f"{path}, line {number}: {error}; allowed is one JSON object a line, in UTF-8"
                raise InputError(msg) from error
            if not isinstance(one, dict):
                msg = f"{path}, line {number}: {type(one).__name__}; allowed is a JSON object"
                raise InputError(msg)
            numbers.append(number)
            objects.append(one)
    return Lines(path, numbers), objects


def find(one: dict[str, Any], name: str) -> Any:
    """Look up a key, into objects where it has dots; None if there is nothing."""
    value: Any = one
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _need(lines: Lines, row: int, one: dict[str, Any], name: str) -> Any:
    if name not in one:
        lines.refuse(row, name, None, f"a line with {', '.join(MOONCAKE)}")
    return one[name]


def _first(lines: Lines, row: int, one: dict[str, Any], names: Sequence[str]) -> tuple[str, Any]:
    found = next((name for name in names if find(one, name) is not None), None)
    if found is None:
        lines.refuse(row, names[0], None, f"one of the keys {', '.join(names)}")
    return found, find(one, found)


def _tokens(lines: Lines, row: int, name: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MOST_TOKENS:
        lines.refuse(row, name, value, f"a whole number from 0 to {MOST_TOKENS}")
    return value


def _seconds(lines: Lines, row: int, name: str, value: Any, unit_s: float) -> float:
    if type(value) not in {int, float} or not (0 <= value <= MOST_S / unit_s and isfinite(value)):
        lines.refuse(row, name, value, f"a number from 0 to {MOST_S / unit_s:g}")
    return float(value * unit_s)


def _hashes(lines: Lines, row: int, ids: Any, prompt: int) -> NDArray[np.int64]:
    most = -(-prompt // MOONCAKE_BLOCK_TOKENS)
    right = isinstance(ids, list) and all(type(i) is int and -(2**63) <= i < 2**63 for i in ids)
    if not right or len(ids) > most:
        shown = f"{len(ids)} hashes" if right else ids
        lines.refuse(row, "hash_ids", shown, f"a list of whole numbers, at most {most}")
    if len(set(ids)) < len(ids):
        lines.refuse(row, "hash_ids", ids, "a list of distinct numbers, one a block")
    return np.array(ids, dtype=np.int64)


def _arrivals(lines: Lines, times: Sequence[tuple[str, Any]]) -> NDArray[np.float64]:
    """Read numbers or texts, not both in one log: their clocks need not agree."""
    if times and isinstance(times[0][1], str):
        for row, (name, value) in enumerate(times):
            if not isinstance(value, str):
                lines.refuse(row, name, value, "a text, as on the first line")
        return lines.instants(times[0][0], [value for _, value in times])
    clock = np.array([_clock(lines, row, *time) for row, time in enumerate(times)])
    return clock - clock.min() if len(clock) else clock


def _clock(lines: Lines, row: int, name: str, value: Any) -> float:
    unit_s = ARRIVAL[name]
    if unit_s == 1.0 and type(value) in {int, float} and value >= _MILLISECONDS_FROM:
        unit_s = 1e-3
    return _seconds(lines, row, name, value, unit_s)
