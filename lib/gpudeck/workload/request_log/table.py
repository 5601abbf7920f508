"""Logs that are CSV tables: Azure's, BurstGPT's, and those of 300 ShareGPT conversations."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.workload.request_log.lines import Lines, Records

AZURE = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
BURSTGPT = ("Timestamp", "Request tokens", "Response tokens")
SHAREGPT = ("arrival_ns", "input_toks", "output_toks")


def read_azure(path: Path) -> Records:
    """Read ``TIMESTAMP, ContextTokens, GeneratedTokens`` of 2023 or 2024.

    Times count from the earliest.

    Source: Azure, AzureLLMInferenceDataset2023 and 2024.
    """
    lines, (when, prompt, output) = _columns(path, AZURE)
    return _records(lines, AZURE, lines.instants(AZURE[0], when), prompt, output)


def read_burstgpt(path: Path) -> Records:
    """Read ``Timestamp, Model, Request tokens, Response tokens, Total tokens, Log Type``.

    Times are seconds, as they stand in the file; other columns are not looked at.

    Source: Wang et al., 2024, BurstGPT.
    """
    lines, (when, prompt, output) = _columns(path, BURSTGPT)
    return _records(lines, BURSTGPT, lines.seconds(BURSTGPT[0], when, 1.0), prompt, output)


def read_sharegpt(path: Path) -> Records:
    """Read ``arrival_ns, input_toks, output_toks``; times as they stand in the file.

    Source: CASYS Lab at KAIST, LLMServingSim workloads.
    """
    lines, (when, prompt, output) = _columns(path, SHAREGPT)
    return _records(lines, SHAREGPT, lines.seconds(SHAREGPT[0], when, 1e-9), prompt, output)


def _records(
    lines: Lines,
    names: Sequence[str],
    arrival_s: NDArray[np.float64],
    prompt: Sequence[str],
    output: Sequence[str],
) -> Records:
    return Records(arrival_s, lines.tokens(names[1], prompt), lines.tokens(names[2], output))


def _columns(path: Path, needed: Sequence[str]) -> tuple[Lines, list[tuple[str, ...]]]:
    """Read the needed columns; lines without any cell are left out."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            rows = [(reader.line_num, cells) for cells in reader if cells]
        except (csv.Error, UnicodeDecodeError) as error:
            msg = f"{path}, line {reader.line_num + 1}: {error}; allowed is CSV in UTF-8"
            raise InputError(msg) from error
    header = [name.strip() for name in rows[0][1]] if rows else []
    if missing := [name for name in needed if name not in header]:
        msg = f"{path}, line 1: no column {', '.join(missing)}; allowed is {', '.join(needed)}"
        raise InputError(msg)
    for number, cells in rows[1:]:
        if len(cells) != len(header):
            msg = f"{path}, line {number}: {len(cells)} cells; allowed are {len(header)}"
            raise InputError(msg)
    table = list(zip(*(cells for _, cells in rows[1:]), strict=True)) or [()] * len(header)
    return Lines(path, [number for number, _ in rows[1:]]), [table[header.index(n)] for n in needed]
