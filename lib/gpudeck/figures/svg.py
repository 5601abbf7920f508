"""The frame of every picture: one line of SVG whose ids cannot meet those of another picture."""

import re
from xml.sax.saxutils import escape

from gpudeck.errors import InputError

# What matplotlib sets for the whole page by a global style, kept inside the one picture.
_ROOT_STYLE = "stroke-linejoin:round;text-autospace:normal"


def check_key(key: str) -> str:
    """Return the key itself, when it can begin an id of HTML and of CSS.

    Raises
    ------
    InputError
        it cannot.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", key):
        msg = f"key = {key!r}: a picture's key is a Latin letter, then letters, digits, - or _"
        raise InputError(msg)
    return key


def number(value: float) -> str:
    """Return a coordinate in pixels, with at most two decimals.

    >>> number(16.0), number(-0.001), number(1.255)
    ('16', '0', '1.25')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def prefix_ids(svg: str, key: str) -> str:
    """Put the key before every id and every reference to one."""
    svg = svg.replace(' id="', f' id="{key}-')
    svg = svg.replace('href="#', f'href="#{key}-')
    return svg.replace("url(#", f"url(#{key}-")


def frame(
    body: str,
    key: str,
    title: str,
    description: str,
    width_px: float,
    height_px: float,
    style: str = "",
) -> str:
    """Wrap SVG elements as one accessible picture, sized in pixels, on one line.

    Raises
    ------
    InputError
        the key cannot begin an id, or the title is empty.
    """
    check_key(key)
    if not title.strip():
        msg = f"title of the picture {key!r} is empty: it is the picture's alternative text"
        raise InputError(msg)
    names = f'aria-labelledby="{key}-title{f" {key}-desc" if description else ""}"'
    about = f'<title id="title">{escape(title)}</title>'
    if description:
        about += f'<desc id="desc">{escape(description)}</desc>'
    body = re.sub(r">\s+<", "><", prefix_ids(about + body, key))
    body = re.sub(r"\s*\n\s*", " ", body)
    width, height = number(width_px), number(height_px)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dk-fig" role="img" {names} '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'style="{style}{_ROOT_STYLE}">{body}</svg>'
    )
