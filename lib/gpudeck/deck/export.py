"""The deck as one HTML file that asks for nothing: every script, style and font is in it."""

from __future__ import annotations

import base64
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbconvert.exporters.slides import SlidesExporter
from nbconvert.exporters.templateexporter import TemplateExporter
from traitlets.config import Config

from gpudeck.deck import notebook as nb_tools
from gpudeck.deck.outline import NOTEBOOKS
from gpudeck.deck.text import HTML_LANGUAGE

if TYPE_CHECKING:
    from nbformat import NotebookNode

ASSETS = Path(__file__).parent / "assets"

# nothing may be fetched; explorers and the notes window carry their scripts in the page
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; frame-src 'self' file: data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
_URL = re.compile(r"url\((['\"]?)(?!data:|#)([^'\")]+)\1\)")


class DeckExporter(SlidesExporter):
    """nbconvert's slides with a template of our own."""

    def __init__(self) -> None:
        config = Config()
        config.TemplateExporter.extra_template_basedirs = [str(ASSETS / "template")]
        config.TagRemovePreprocessor.enabled = True
        config.TagRemovePreprocessor.remove_cell_tags = {nb_tools.REMOVE}
        config.TemplateExporter.exclude_input = True
        super().__init__(config=config, template_name="gpudeck")

    def from_notebook_node(  # type: ignore[override]
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **options: Any
    ) -> tuple[str, dict[str, Any]]:
        """Return the file as the template makes it.

        HTMLExporter would read it back and write it anew, which takes longer than making it.
        """
        result: tuple[str, dict[str, Any]]
        result = TemplateExporter.from_notebook_node(self, nb, resources, **options)
        return result

    @property
    def default_config(self) -> Config:
        """Leave out what HTMLExporter does for code, mathematics and Markdown links."""
        return Config({"NbConvertBase": {"display_data_priority": list(_MIME_TYPES)}})


_MIME_TYPES = ("text/html", "image/svg+xml", "image/png", "image/jpeg", "text/plain")


def export_html(notebook: NotebookNode, path: Path, *, title: str, lang: str) -> None:
    """Write an executed notebook as one HTML file.

    Parameters
    ----------
    notebook : NotebookNode
        The merged deck, with its outputs.
    path : Path
        The file to write.
    title : str
        Title of the document.
    lang : str
        "zh" or "en".
    """
    titles = {
        cell.id: f"{record['title']} — {record['headline']}"
        for cell in notebook.cells
        for record in nb_tools.cell_records(cell)
    }
    deck: dict[str, Any] = {
        "lang": HTML_LANGUAGE[lang],
        "title": title,
        "titles": titles,
        "policy": POLICY,
        "styles": _styles(),
        "scripts": _scripts(),
    }
    body, _ = DeckExporter().from_notebook_node(notebook, {"deck": deck})
    nb_tools.write(path, body)


@cache
def _styles() -> tuple[str, ...]:
    rise = NOTEBOOKS / "rise.css"
    files = (ASSETS / "reveal" / "reveal.css", ASSETS / "export.css", rise)
    return tuple(_inline_urls(file) for file in files)


def _inline_urls(file: Path) -> str:
    """Return a stylesheet with every file that it names in it."""

    def inline(match: re.Match[str]) -> str:
        target = file.parent / match.group(2)
        kind = {".woff2": "font/woff2", ".svg": "image/svg+xml", ".png": "image/png"}[target.suffix]
        data = base64.b64encode(target.read_bytes()).decode("ascii")
        return f"url(data:{kind};base64,{data})"

    return _URL.sub(inline, file.read_text(encoding="utf-8"))


@cache
def _scripts() -> tuple[str, ...]:
    files = (
        ASSETS / "reveal" / "reveal.js",
        ASSETS / "reveal" / "notes.js",
        ASSETS / "start.js",
    )
    # in a script element, these would end the script or swallow its end
    return tuple(
        re.sub(r"</(?=script)", r"<\\/", file.read_text(encoding="utf-8"), flags=re.I).replace(
            "<!--", "<\\!--"
        )
        for file in files
    )
