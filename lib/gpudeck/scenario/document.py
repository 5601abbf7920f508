"""Reading one small YAML document safely, with the line on which each value stands.

Numbers, true, false and null follow YAML 1.2: `no` is a word, 010 and 12:30 are not numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gpudeck.errors import InputError

KeyPath = tuple[str | int, ...]

MAX_BYTES = 262_144
MAX_DEPTH = 20

_TAG = "tag:yaml.org,2002:"
_NULL = re.compile(r"(?:~|null|Null|NULL)?\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
# longer digits stay text: Python refuses to convert more than a few thousand
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,99})\Z")
_FLOAT = re.compile(
    r"(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)


@dataclass(frozen=True)
class Document:
    """A YAML mapping as plain Python, where it was read, and the line of each of its keys."""

    where: str
    data: dict[str, Any]
    lines: dict[KeyPath, int]


class _Loader(yaml.SafeLoader):
    """A loader that refuses anchors, and nesting deeper than any scenario."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            problem = "anchors (&name) and aliases (*name) are not allowed: write the value out"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        if self.depth >= MAX_DEPTH:
            problem = f"nested deeper than {MAX_DEPTH} levels"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


_Loader.yaml_implicit_resolvers = {
    None: [
        (f"{_TAG}null", _NULL),
        (f"{_TAG}bool", _BOOL),
        (f"{_TAG}int", _INT),
        (f"{_TAG}float", _FLOAT),
    ]
}


def read_document(path: Path) -> Document:
    """Read a YAML file whose top level is a mapping.

    Raises
    ------
    InputError
        When the file is missing, a folder, too large, not UTF-8, not YAML, or not a mapping; when
        it has an anchor, an alias, a key twice, or a tag of a type that a scenario has no use for.
    """
    return parse_document(_read_text(path), str(path))


def parse_document(text: str, where: str) -> Document:
    """Parse the text of a YAML mapping; `where` is named in errors (see `read_document`)."""
    try:
        node = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        msg = f"{where}{line}: {_one_line(error.problem or str(error))}"
        raise InputError(msg) from error
    except yaml.reader.ReaderError as error:
        msg = f"{where}: character {error.position} is {error.character!r}: {error.reason}"
        raise InputError(msg) from error
    except ValueError as error:  # an escape or a version number that Python cannot convert
        msg = f"{where}: {_one_line(str(error))}"
        raise InputError(msg) from error
    if node is None:
        msg = f"{where}: the file is empty; `gpudeck new-scenario my.yaml` writes one to edit"
        raise InputError(msg)
    lines: dict[KeyPath, int] = {}
    data = _value_of(node, (), lines, where)
    if not isinstance(data, dict):
        msg = f"{where} line 1: the top level is {describe(data)}; allowed is `key: value` lines"
        raise InputError(msg)
    return Document(where, data, lines)


def parse_scalar(text: str) -> Any:
    """Return the value of a YAML scalar that stands alone; what is no other scalar is text.

    >>> parse_scalar("256"), parse_scalar("1e3"), parse_scalar("null"), parse_scalar("a: [b")
    (256, 1000.0, None, 'a: [b')
    >>> parse_scalar("'256'")
    '256'
    """
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            msg = f"{text} is not a quoted YAML scalar: {_one_line(str(error))}"
            raise InputError(msg) from error
    for name, pattern in (("null", _NULL), ("bool", _BOOL), ("int", _INT), ("float", _FLOAT)):
        if pattern.match(text):
            return _scalar(name, text)
    return text


def describe(value: Any) -> str:
    """Return a value the way an error names it: short, on one line, with its kind when unclear.

    >>> describe({}), describe(None), describe("x" * 100)[-5:]
    ('a mapping', 'empty', "xxx…'")
    """
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if value is None:
        return "empty"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else f"{value[:59]}…")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a number of more than 30 digits"
    return str(value)


def _read_text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        msg = f"{path}: no such file; `gpudeck new-scenario {path.name}` writes one to edit"
        raise InputError(msg) from error
    except IsADirectoryError as error:
        msg = f"{path} is a folder; allowed is a YAML file"
        raise InputError(msg) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        msg = f"{str(path)!r} cannot be read: {reason}"
        raise InputError(msg) from error
    if len(raw) > MAX_BYTES:
        msg = f"{path} has {len(raw)} bytes; allowed are {MAX_BYTES}: is it a scenario?"
        raise InputError(msg)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        msg = (
            f"{path} line {line}: byte {raw[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        )
        raise InputError(msg) from error


def _value_of(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], where: str) -> Any:
    lines[path] = line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        try:
            return _scalar(node.tag.removeprefix(_TAG), node.value)
        except (KeyError, ValueError) as error:
            msg = f"{where} line {line}: {describe(node.value)} does not read as {node.tag}"
            raise InputError(msg) from error
    if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
        return [_value_of(item, (*path, i), lines, where) for i, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode) or node.tag != f"{_TAG}map":
        msg = f"{where} line {line}: tag {node.tag} is not allowed"
        raise InputError(msg)
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != f"{_TAG}str":
            msg = f"{where} line {line}: a key must be a word, not {describe(key)}"
            raise InputError(msg)
        if key in mapping:
            first = lines[(*path, key)]
            msg = f"{where} line {line}: key {key!r} stands twice, first on line {first}"
            raise InputError(msg)
        mapping[key] = _value_of(value_node, (*path, key), lines, where)
        lines[(*path, key)] = line
    return mapping


def _scalar(name: str, text: str) -> Any:
    if name == "null":
        return None
    if name == "bool":
        return {"true": True, "false": False}[text.lower()]
    if name == "int":
        return int(text)
    if name == "float":
        return float(text.replace(".inf", "inf").replace(".nan", "nan") if "." in text else text)
    return {"str": text}[name]


def _one_line(text: str) -> str:
    return " ".join(text.split())
