"""The template of all pseudocode: numbered lines of HTML, keywords bold, comments grey.

The stylesheet's hooks, and what it should say (`--dk-indent` counts levels of indentation):

    .dk-code            an <ol>; its markers are the line numbers, grey
    .dk-code li         a line: white-space: pre-wrap;
                        padding-left: calc(8px + var(--dk-indent) * 28px)
    .dk-code li.dk-mark a line to look at: a tinted background
    .dk-code b          a keyword
    .dk-code i          a comment: font-style: normal; grey, at least 4.5:1
"""

import re
from collections.abc import Collection, Sequence
from html import escape

from gpudeck.errors import InputError
from gpudeck.figures.svg import check_key

KEYWORDS = (
    "algorithm|input|output|function|procedure|return|yield|for|each|in|from|to|by|while|repeat|until|"
    "do|if|then|else|elif|end|break|continue|and|or|not|let|upon|parallel|none|true|false"
)
INDENT_SPACES = 4
_COMMENT = re.compile(r"(?:^|(?<=\s))(?:#|//|▸).*$")
_KEYWORD = re.compile(rf"\b(?:{KEYWORDS})\b")


def pseudocode(
    lines: Sequence[str],
    *,
    key: str,
    title: str,
    description: str = "",
    marked: Collection[int] = (),
) -> str:
    """Return pseudocode as an HTML list of numbered lines.

    Parameters
    ----------
    lines
        one statement each; four leading spaces are a level, a comment begins with #, // or ▸.
    key, title, description
        id of the list, its name, and more about it for a screen reader.
    marked
        numbers of lines to mark, from 1.

    Raises
    ------
    InputError
        an indentation is no multiple of four spaces, or a marked line is not there.
    """
    if absent := [number for number in marked if not 1 <= number <= len(lines)]:
        msg = f"marked lines {absent} of pseudocode {key!r}: it has lines 1 to {len(lines)}"
        raise InputError(msg)
    items = "".join(_item(line, marked=n in marked) for n, line in enumerate(lines, start=1))
    name = escape(f"{title}: {description}" if description else title)
    return f'<ol class="dk-code" id="{check_key(key)}" aria-label="{name}">{items}</ol>'


def _item(line: str, *, marked: bool) -> str:
    statement = line.lstrip(" ")
    level, rest = divmod(len(line) - len(statement), INDENT_SPACES)
    if rest:
        msg = f"pseudocode line {line!r}: indent by {INDENT_SPACES} spaces a level"
        raise InputError(msg)
    comment = _COMMENT.search(statement)
    code = statement[: comment.start()] if comment else statement
    shown = _KEYWORD.sub(lambda word: f"<b>{word[0]}</b>", escape(code, quote=False))
    if comment:
        shown += f"<i>{escape(comment[0], quote=False)}</i>"
    mark = ' class="dk-mark"' if marked else ""
    return f'<li{mark} style="--dk-indent:{level}">{shown}</li>'
