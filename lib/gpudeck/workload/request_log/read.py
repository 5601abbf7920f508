"""One door for all formats: the format is seen from the head of the file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gpudeck.errors import InputError
from gpudeck.workload.request import BlockHashes, RequestTable
from gpudeck.workload.request_log import json_lines, table
from gpudeck.workload.request_log.lines import Records

FORMATS: dict[str, Callable[[Path], Records]] = {
    "azure": table.read_azure,
    "burstgpt": table.read_burstgpt,
    "sharegpt": table.read_sharegpt,
    "mooncake": json_lines.read_mooncake,
    "openai": json_lines.read_request_log,
}
_TABLES = {"azure": table.AZURE, "burstgpt": table.BURSTGPT, "sharegpt": table.SHAREGPT}
_HEAD_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class RequestLog:
    """What a log holds.

    Parameters
    ----------
    requests
        Its requests, in the order of the file.
    format
        Name of the format, a key of `FORMATS`.
    dropped
        Rows left out because the prompt or the answer has no token, as failed requests have.
    """

    requests: RequestTable
    format: str
    dropped: int


def read_requests(path: str | Path, format: str | None = None) -> RequestLog:  # noqa: A002
    r"""Read a log of requests.

    Rows without a prompt or answer token, as failed requests have, are left out and counted.

    Parameters
    ----------
    path
        A file in one of these formats. ``azure``: CSV with TIMESTAMP, ContextTokens and
        GeneratedTokens; ``burstgpt``: CSV with Timestamp (s), Request tokens and Response tokens;
        ``sharegpt``: CSV with arrival_ns, input_toks and output_toks; ``mooncake``: JSON lines with
        timestamp (ms), input_length, output_length and hash_ids (one a block of 512 tokens);
        ``openai``: JSON lines with an arrival time and usage.prompt_tokens,
        usage.completion_tokens, or their aliases in `gpudeck.workload.request_log.json_lines`.
    format
        Its name; seen from the head of the file if not told.

    Raises
    ------
    InputError
        The file is missing, empty or of no known format, or a line is broken: named by file, line,
        column, value and what is allowed.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "log.csv")
    ...     _ = path.write_text("arrival_ns,input_toks,output_toks\n5000000000,100,7\n6,5,0\n")
    ...     log = read_requests(path)
    >>> log.format, log.requests.arrival_s.tolist(), log.dropped
    ('sharegpt', [5.0], 1)
    """
    path = Path(path)
    if not path.is_file():
        msg = f"{path} is not there; allowed is a log of requests: {', '.join(FORMATS)}"
        raise InputError(msg)
    name = _recognise(path) if format is None else format
    if name not in FORMATS:
        msg = f"format is {name!r}; allowed is {', '.join(FORMATS)}"
        raise InputError(msg)
    found = FORMATS[name](path)
    kept = (found.prompt_tokens > 0) & (found.output_tokens > 0)
    if not kept.any():
        msg = f"{path} has {len(kept)} rows, none with tokens; allowed is 1 request or more"
        raise InputError(msg)
    hashes = None if found.block_hashes is None else BlockHashes.from_rows(found.block_hashes)
    whole = RequestTable(
        found.arrival_s[kept],
        found.prompt_tokens[kept],
        found.output_tokens[kept],
        hashes and BlockHashes.take(hashes.offsets, hashes.flat, kept.nonzero()[0]),
        found.block_tokens,
    )
    return RequestLog(whole, name, int((~kept).sum()))


def _recognise(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    first = next((line for line in head.splitlines() if line.strip()), b"")
    text = first.decode("utf-8-sig", errors="replace").strip()
    if text.startswith("{"):
        _, objects = json_lines.read_objects(path, most=1)
        return "mooncake" if set(json_lines.MOONCAKE) <= set(objects[0]) else "openai"
    header = {cell.strip().strip('"') for cell in text.split(",")}
    for name, columns in _TABLES.items():
        if set(columns) <= header:
            return name
    shown = "; ".join(f"{name}: {', '.join(columns)}" for name, columns in _TABLES.items())
    msg = (
        f"{path}, line 1: {text[:80]!r}; allowed is JSON lines, or a CSV header with the columns"
        f" of {shown}"
    )
    raise InputError(msg)
