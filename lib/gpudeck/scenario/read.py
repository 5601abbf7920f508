"""Finding, reading and checking a scenario; every mistake becomes one clear line."""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gpudeck.errors import InputError
from gpudeck.scenario.cluster import table_path
from gpudeck.scenario.document import Document, KeyPath, describe, parse_scalar, read_document
from gpudeck.scenario.schema import REFUSED, Scenario
from gpudeck.scenario.template import allowed_values, write_yaml
from gpudeck.tables import data_dir, read_table

SUFFIXES = (".yaml", ".yml")

_TABLES: tuple[KeyPath, ...] = (("fleet", "node_types"), ("cluster", "pods"))
_TRACE: KeyPath = ("cluster", "trace")
_LOG: KeyPath = ("serving", "trace")
_LOAD: KeyPath = ("autoscaling", "load")
_IDS: dict[KeyPath, str] = {
    ("serving", "model"): "models",
    ("serving", "gpu"): "gpus",
    ("training", "model"): "models",
    ("training", "gpu"): "gpus",
    ("training", "link"): "network",
    ("loading", "workload"): "training_inputs",
    ("storage", "link"): "network",
    ("storage", "pcie"): "network",
}


def list_scenarios() -> list[str]:
    """Return the names of the scenarios in `data/scenarios`, sorted."""
    return sorted(path.stem for path in (data_dir() / "scenarios").glob("*.yaml"))


def read_scenario(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """Read a scenario by name or file, change single fields, and check all of it.

    Parameters
    ----------
    name_or_path : str or Path
        Name of a scenario in `data/scenarios`, or a path: what ends in .yaml or .yml or has a
        folder in it.
    overrides : sequence of str
        Changes such as "fleet.nodes=256" or "tenants.0.share=0.5", the value a YAML scalar. Paths
        in overrides are relative to the working directory, those in a file to the file.

    Raises
    ------
    InputError
        When the scenario is unknown or unreadable, or a field is unknown, missing or out of
        bounds; the message names file, line, field, value and what is allowed.

    >>> read_scenario("default", ["fleet.nodes=256"]).fleet.nodes
    256
    """
    path = _find(name_or_path)
    document = read_document(path)
    data = copy.deepcopy(document.data)
    _resolve_paths(data, (_TRACE, _LOG, _LOAD, *_TABLES), path.resolve().parent)
    changed: dict[KeyPath, str] = {}
    for override in overrides:
        key_path = _apply(data, override)
        changed[key_path] = override
        _resolve_paths(data, (key_path,), Path.cwd())
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        raise InputError(_explain(error, document, changed)) from error
    _check_files(scenario, document, changed)
    _check_ids(scenario, document, changed)
    _check_logs(scenario, document, changed)
    return scenario


def write_template(path: Path, *, force: bool = False) -> None:
    """Write a commented scenario to edit: the default one under the file's own name.

    Raises
    ------
    InputError
        When the file is there and `force` is not set, its name is no scenario name, or it cannot
        be written.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:64].strip("-")
    if path.suffix not in SUFFIXES or not slug:
        msg = f"{path}: allowed is a file name with letters or digits that ends in .yaml"
        raise InputError(msg)
    if path.exists() and not force:
        msg = f"{path} is there already; --force overwrites it"
        raise InputError(msg)
    example = read_scenario("default").model_copy(update={"id": slug})
    header = (
        "A scenario of your own. Edit it, then build its deck:\n"
        f"  gpudeck build --scenario {path.name}\n"
        "Each field is explained above it; the part after the semicolon is what is allowed."
    )
    try:
        path.write_text(write_yaml(example, header), encoding="utf-8")
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise InputError(msg) from error


def _find(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(SUFFIXES) or "/" in text or "\\" in text:
        return Path(text).expanduser()
    names = list_scenarios()
    if text in names:
        return data_dir() / "scenarios" / f"{text}.yaml"
    msg = (
        f"scenario {describe(text)} is unknown{_near(text, names)}; allowed are "
        f"{', '.join(names)}, or the path of a file that ends in .yaml"
    )
    raise InputError(msg)


def _apply(data: dict[str, Any], override: str) -> KeyPath:
    name, equals, text = override.partition("=")
    name = name.strip()
    if not equals or not name:
        msg = f"{_set(override)}: allowed is field=value, such as fleet.nodes=256"
        raise InputError(msg)
    keys = tuple(int(key) if key.isascii() and key.isdigit() else key for key in name.split("."))
    holder: Any = data
    for depth, key in enumerate(keys):
        inside = isinstance(holder, list) and isinstance(key, int) and key < len(holder)
        if not inside and not (isinstance(holder, dict) and key in holder):
            raise InputError(_unknown(keys[: depth + 1], _set(override), holder))
        if depth < len(keys) - 1:
            holder = holder[key]
    if isinstance(holder[keys[-1]], dict | list):
        inner = ", ".join(f"{name}.{key}" for key in _children(holder[keys[-1]]))
        msg = f"{_set(override)}: {name} is not a single value; allowed are {inner}"
        raise InputError(msg)
    holder[keys[-1]] = parse_scalar(text.strip())
    return keys


def _set(override: str) -> str:
    short = override if len(override) <= 80 else f"{override[:79]}…"
    return f"--set {short if short.isprintable() else ascii(short)}"


def _children(holder: Any) -> list[str]:
    return [str(key) for key in (range(len(holder)) if isinstance(holder, list) else holder)]


def _unknown(keys: KeyPath, where: str, holder: Any) -> str:
    names = _children(holder) if isinstance(holder, dict | list) else []
    parent = _dotted(keys[:-1])
    inside = f"in {parent}" if parent else "at the top level"
    allowed = f"allowed {inside} are {', '.join(names)}" if names else f"{parent} has no fields"
    return f"{where}: {_dotted(keys)} is unknown{_near(str(keys[-1]), names)}; {allowed}"


def _near(word: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, names, n=2, cutoff=0.6)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def _dotted(keys: KeyPath) -> str:
    name = ".".join(str(key)[:60] for key in keys)
    return name if name.isprintable() else ascii(name)


def _resolve_paths(data: dict[str, Any], fields: Sequence[KeyPath], base: Path) -> None:
    for field in fields:
        section = data.get(str(field[0]))
        value = section.get(field[-1]) if isinstance(section, dict) else None
        is_path = field in (_TRACE, _LOG, _LOAD) or (
            field in _TABLES and str(value).endswith(".csv")
        )
        if isinstance(section, dict) and isinstance(value, str) and value and is_path:
            section[field[-1]] = str(base / Path(value).expanduser())


def _place(keys: KeyPath, document: Document, changed: dict[KeyPath, str]) -> str:
    for changed_keys, override in changed.items():
        if changed_keys[: len(keys)] == keys:
            return _set(override)
    while keys and keys not in document.lines:
        keys = keys[:-1]
    return f"{document.where} line {document.lines[keys]}" if keys else document.where


def _explain(error: ValidationError, document: Document, changed: dict[KeyPath, str]) -> str:
    details = error.errors(include_url=False)
    # a misspelt key is also a missing one: the misspelling is the cause
    first = min(details, key=lambda detail: detail["type"] != "extra_forbidden")
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return _explain_one(first, document, changed) + more


def _explain_one(detail: ErrorDetails, document: Document, changed: dict[KeyPath, str]) -> str:
    keys: KeyPath = detail["loc"]
    where = _place(keys, document, changed)
    if detail["type"] == "extra_forbidden":
        holder = _field_model(keys[:-1])
        return _unknown(keys, where, dict.fromkeys(holder.model_fields))
    name = _dotted(keys)
    allowed = allowed_values(_field_model(keys[:-1]).model_fields[str(keys[-1])])
    if detail["type"] == "missing":
        return f"{where}: {name} is missing; allowed is {allowed}"
    if detail["type"] == REFUSED:
        return f"{where}: {name} {detail['msg']}; allowed is {allowed}"
    return f"{where}: {name} is {describe(detail['input'])}; allowed is {allowed}"


def _field_model(keys: KeyPath) -> type[BaseModel]:
    model: type[BaseModel] = Scenario
    for key in keys:
        if isinstance(key, str):
            kind = model.model_fields[key].annotation
            model = get_args(kind)[0] if get_args(kind) else kind  # type: ignore[assignment]
    return model


def _check_files(scenario: Scenario, document: Document, changed: dict[KeyPath, str]) -> None:
    tables = sorted(path.stem for path in data_dir().glob("*.csv"))
    for field in _TABLES:
        table = getattr(getattr(scenario, str(field[0])), str(field[1]))
        if not table_path(table).is_file():
            near = "" if table.endswith(".csv") else _near(table, tables)
            msg = (
                f"{_place(field, document, changed)}: {_dotted(field)} is {describe(table)}, and "
                f"there is no such table{near}; allowed is a table in data/ or a .csv file"
            )
            raise InputError(msg)
    source = scenario.cluster
    if source.trace is None:
        return
    for name in (source.node_list, source.pod_list):
        if not (Path(source.trace) / name).is_file():
            msg = (
                f"{_place(_TRACE, document, changed)}: cluster.trace has no file {name}; allowed "
                "is a folder with the openb csv files, or null for the tables in data/"
            )
            raise InputError(msg)


def _check_ids(scenario: Scenario, document: Document, changed: dict[KeyPath, str]) -> None:
    for field, table in _IDS.items():
        told = getattr(getattr(scenario, str(field[0])), str(field[1]))
        ids = read_table(table).ids
        if told not in ids:
            msg = (
                f"{_place(field, document, changed)}: {_dotted(field)} is {describe(told)}"
                f"{_near(told, ids)}; allowed is an id of data/{table}.csv"
            )
            raise InputError(msg)


def _check_logs(scenario: Scenario, document: Document, changed: dict[KeyPath, str]) -> None:
    for field, what in ((_LOG, "a log of requests"), (_LOAD, "a series of load")):
        told = getattr(getattr(scenario, str(field[0])), str(field[1]))
        if told is not None and not Path(told).is_file():
            msg = (
                f"{_place(field, document, changed)}: {_dotted(field)} is {describe(told)}, and "
                f"there is no such file; allowed is {what}, or null"
            )
            raise InputError(msg)
