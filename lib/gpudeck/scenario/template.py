"""Writing a scenario as YAML whose comments are the schema's own descriptions."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

WIDTH = 100
WIDEST_TEXT = 200
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_NOT_TEXT = {"true", "false", "null"}


def write_yaml(model: BaseModel, header: str = "") -> str:
    """Return a model as commented YAML, fields in the order of the schema.

    Parameters
    ----------
    model : pydantic.BaseModel
        A model whose leaves are texts, numbers, dates and None.
    header : str
        Comment above the first field, without its "#".
    """
    lines = [*_comment(header, 0), *_model_lines(model, 0, commented=True)]
    return "\n".join(lines).lstrip("\n") + "\n"


def allowed_values(field: FieldInfo) -> str:
    """Return what a field may be, from its type and bounds, in a few words.

    >>> from gpudeck.scenario.schema import Packing
    >>> allowed_values(Packing.model_fields["orders"])
    'a whole number from 2 to 1000'
    """
    kind, metadata = _unwrap(field)
    optional = type(None) in get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
        kind, more = _peel(kind)
        metadata = [*metadata, *more]
    if get_origin(kind) is Literal:
        words = ", ".join(map(str, get_args(kind)))
    elif kind in (int, float):
        words = "a whole number" if kind is int else "a number"
        words += _bounds(metadata)
    elif kind is str:
        words = _text_words(metadata)
    elif get_origin(kind) is tuple:
        words = (
            "a list of 1 or more, each id once, with shares that sum to 1 and guarantees of 100 % "
            "together at most"
        )
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        words = f"a mapping with {', '.join(kind.model_fields)}"
    else:
        words = "a date, YYYY-MM-DD"
    return f"{words}, or null" if optional else words


def _peel(kind: Any) -> tuple[Any, list[Any]]:
    if get_origin(kind) is not Annotated:
        return kind, []
    inner, *metadata = get_args(kind)
    flat: list[Any] = []
    for item in metadata:
        flat += item.metadata if isinstance(item, FieldInfo) else [item]
    return inner, flat


def _unwrap(field: FieldInfo) -> tuple[Any, list[Any]]:
    kind, metadata = _peel(field.annotation)
    return kind, [*field.metadata, *metadata]


def _bounds(metadata: list[Any]) -> str:
    words = ""
    for item in metadata:
        if isinstance(item, Ge):
            words += f" from {item.ge}"
        elif isinstance(item, Gt):
            words += f" above {item.gt}"
    for item in metadata:
        if isinstance(item, Le):
            words += f" to {item.le}"
        elif isinstance(item, Lt):
            words += f" below {item.lt}"
    return words


def _text_words(metadata: list[Any]) -> str:
    patterns = [item.pattern for item in metadata if getattr(item, "pattern", None)]
    if patterns:
        # the two patterns of the schema: a slug has no upper case, a file name has
        if "A-Z" in patterns[0]:
            return "a file name of letters, digits, '_', '-' and '.'"
        return "1 to 64 characters of a-z, 0-9 and '-', not '-' at an end"
    longest = next(item.max_length for item in metadata if isinstance(item, MaxLen))
    return f"1 to {longest} visible characters" if longest <= WIDEST_TEXT else "a name or path"


def _model_lines(model: BaseModel, indent: int, *, commented: bool) -> Iterator[str]:
    pad = " " * indent
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if commented:
            if indent == 0:
                yield ""
            nested = isinstance(value, BaseModel | tuple)
            words = str(field.description)
            yield from _comment(words if nested else f"{words}; {allowed_values(field)}", indent)
        if isinstance(value, BaseModel):
            yield f"{pad}{name}:"
            # what zh and en are needs saying once
            inner = commented and list(type(value).model_fields) != ["zh", "en"]
            yield from _model_lines(value, indent + 2, commented=inner)
        elif isinstance(value, tuple):
            yield f"{pad}{name}:"
            yield from _list_lines(value, indent + 2, commented=commented)
        else:
            yield f"{pad}{name}: {_scalar(value)}"


def _list_lines(items: tuple[BaseModel, ...], indent: int, *, commented: bool) -> Iterator[str]:
    for position, item in enumerate(items):
        lines = list(_model_lines(item, indent + 2, commented=commented and position == 0))
        first = next(i for i, line in enumerate(lines) if not line.lstrip().startswith("#"))
        lines[first] = f"{' ' * indent}- {lines[first].lstrip()}"
        yield from lines


def _comment(text: str, indent: int) -> list[str]:
    prefix = " " * indent + "# "
    return [
        line
        for paragraph in text.splitlines()
        for line in textwrap.wrap(paragraph, WIDTH, initial_indent=prefix, subsequent_indent=prefix)
    ]


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return text
    # a JSON string is a YAML double-quoted scalar
    return json.dumps(text, ensure_ascii=False)
