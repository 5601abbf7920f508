"""An IPython shell that keeps what cells put out in the form in which a notebook stores it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Instance, Type
from traitlets.config import Config

from gpudeck.deck.child import Message


@dataclass
class Record:
    """The outputs of the cells so far, in the form that a notebook stores."""

    cell: int = -1
    outputs: dict[int, list[Message]] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    shown: dict[str, list[tuple[int, Message]]] = field(default_factory=dict)
    clear_next: bool = False
    printed: dict[str, str] = field(default_factory=dict)

    def start(self, cell: int) -> None:
        """Begin with a cell."""
        self.cell, self.clear_next = cell, False
        self.outputs[cell] = []
        self.changed.add(cell)

    def take(self) -> list[tuple[int, list[Message]]]:
        """Return the outputs of the cells that changed since the last call."""
        self.flush()
        changed, self.changed = sorted(self.changed), set()
        return [(cell, self.outputs[cell]) for cell in changed]

    def add(self, output: Message, display_id: str | None = None) -> None:
        """Add an output to the cell; those shown before with its display id change too."""
        self.flush()
        self._append(output)
        if display_id:
            self.update(output, display_id)
            self.shown.setdefault(display_id, []).append((self.cell, output))

    def update(self, output: Message, display_id: str) -> None:
        """Change what was shown with a display id, in whichever cell."""
        for cell, old in self.shown.get(display_id, ()):
            old |= {"data": output["data"], "metadata": output["metadata"]}
            self.changed.add(cell)

    def write(self, name: str, text: str) -> None:
        """Print to stdout or stderr."""
        self.printed[name] = self.printed.get(name, "") + text

    def flush(self) -> None:
        """Turn what was printed into outputs."""
        # a kernel holds both streams back until something is shown, stdout goes first
        for name in ("stdout", "stderr"):
            if text := self.printed.pop(name, ""):
                self._append({"output_type": "stream", "name": name, "text": text})

    def has_error(self) -> bool:
        """Return whether the cell shows an error."""
        return any(out["output_type"] == "error" for out in self.outputs[self.cell])

    def clear(self, *, wait: bool) -> None:
        """Remove the cell's outputs, now or when the next one comes."""
        self.flush()
        self.clear_next = wait
        if not wait:
            self.outputs[self.cell].clear()

    def _append(self, output: Message) -> None:
        if self.clear_next:
            self.outputs[self.cell].clear()
            self.clear_next = False
        self.outputs[self.cell].append(output)


class Stream:
    """What a cell prints to."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, record: Record, name: str) -> None:
        self._record = record
        self.name = f"<{name}>"
        self._key = name

    def write(self, text: str) -> int:
        """Print."""
        self._record.write(self._key, text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Print several pieces."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Let what was printed be an output of its own."""
        self._record.flush()

    def isatty(self) -> bool:
        """Return that nobody watches."""
        return False

    def fileno(self) -> int:
        """Return where native code prints to."""
        return 1 if self._key == "stdout" else 2


class _Compiler(CachingCompiler):
    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        # a kernel's name ends in .py too, which tracebacks depend on; this one is always the same
        return f"cell_{number}.py"


class _Hook(DisplayHook):
    shell: _Shell

    def start_displayhook(self) -> None:
        """Nothing is printed: the notebook shows the result."""

    def write_output_prompt(self) -> None:
        """The count goes with the output."""

    def write_format_data(self, format_dict: Message, md_dict: Message | None = None) -> None:
        if format_dict:
            output = {"output_type": "execute_result", "execution_count": self.prompt_count}
            self.shell.record.add({**output, "data": format_dict, "metadata": md_dict or {}})

    def finish_displayhook(self) -> None:
        """Everything was recorded above."""


class _Publisher(DisplayPublisher):
    shell: _Shell

    def publish(
        self,
        data: Message,
        metadata: Message | None = None,
        source: object = None,
        *,
        transient: Message | None = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        output = {"output_type": "display_data", "data": data, "metadata": metadata or {}}
        display_id = (transient or {}).get("display_id")
        if update and display_id:
            self.shell.record.update(output, display_id)
        else:
            self.shell.record.add(output, display_id)

    def clear_output(self, wait: bool = False) -> None:
        self.shell.record.clear(wait=wait)


class _Shell(InteractiveShell):
    compiler_class = Type(_Compiler)
    displayhook_class = Type(_Hook)
    display_pub_class = Type(_Publisher)
    record = Instance(Record)

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        error = {"ename": etype.__name__, "evalue": str(evalue), "traceback": stb}
        self.record.add({"output_type": "error", **error})

    def enable_gui(self, gui: str | None = None) -> None:
        """A child has no window."""


def make_shell(record: Record) -> InteractiveShell:
    """Return the shell of this process; it replaces `sys.modules["__main__"]` and the display hook.

    Make it in a forked child only.
    """
    # the history would open a database and start a thread
    config = Config({"HistoryManager": {"enabled": False}})
    return _Shell.instance(config=config, record=record)
