"""Writes HTML and PDF in a child of its own, which makes ready while the notebooks still run."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpudeck.deck import notebook as nb_tools
from gpudeck.deck.child import GRACE_S, Child, Message, Send, raise_reported
from gpudeck.errors import InputError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HTML, PDF, NOTEBOOK = "deck.html", "deck.pdf", "deck.ipynb"


@dataclass(frozen=True)
class Order:
    """A merged notebook that waits in its folder to become HTML and PDF."""

    lang: str
    folder: str
    title: str


class Publisher:
    """A child that takes orders and is told when there are no more."""

    def __init__(self, *, pdf: bool) -> None:
        orders_fd, self._ask_fd = os.pipe()

        def serve(send: Send) -> None:
            os.close(self._ask_fd)
            with os.fdopen(orders_fd, encoding="utf-8") as lines:
                publish((Order(**json.loads(line)) for line in lines), send, pdf=pdf)

        self._child = Child("export", serve)
        os.close(orders_fd)

    def ask(self, order: Order) -> None:
        """Have one deck written."""
        line = json.dumps(asdict(order)) + "\n"
        with contextlib.suppress(BrokenPipeError):  # `finish` tells why it died
            os.write(self._ask_fd, line.encode())

    def finish(self) -> Iterator[Message]:
        """Wait for what was ordered; yield what the child has to tell.

        Raises
        ------
        InputError, BuildError
            What went wrong in the child.
        """
        self._close()
        ended = False
        while not ended:
            messages, ended = self._child.read()
            for message in messages:
                raise_reported(message)
                yield message
        self._child.end()

    def stop(self) -> None:
        """End the child; its Chromium is given time to remove its files."""
        self._close()
        self._child.kill(grace_s=GRACE_S)

    def _close(self) -> None:
        if self._ask_fd >= 0:
            os.close(self._ask_fd)
            self._ask_fd = -1


def publish(orders: Iterable[Order], send: Send, *, pdf: bool) -> None:
    """Write each ordered deck as HTML and, where there is a Chromium, as PDF.

    Sends {"lang", "wrote"} for each file, {"warning"} when there will be no PDF.
    """
    # imported here: they take a second, which the notebooks use
    from gpudeck.deck.export import export_html
    from gpudeck.deck.pdf import export_pdf

    with contextlib.ExitStack() as stack:
        browser = _start_browser(stack, send) if pdf else None
        for order in orders:
            folder = Path(order.folder)
            notebook = nb_tools.read(folder / NOTEBOOK)
            export_html(notebook, folder / HTML, title=order.title, lang=order.lang)
            send({"lang": order.lang, "wrote": HTML})
            if browser is not None:
                export_pdf(folder / HTML, folder / PDF, browser)
                send({"lang": order.lang, "wrote": PDF})


def _start_browser(stack: contextlib.ExitStack, send: Send) -> Browser | None:
    from gpudeck.deck.browser import HINT, find_browser, launch

    executable = find_browser(install=True)
    if executable is None:
        send({"warning": HINT})
        return None
    try:
        return stack.enter_context(launch(executable))
    except InputError as error:
        send({"warning": f"{error}; there is no PDF"})
        return None
