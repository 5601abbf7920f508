"""Forked children that work side by side and report to their parent by lines of JSON."""

from __future__ import annotations

import base64
import contextlib
import faulthandler
import json
import os
import selectors
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from gpudeck.errors import BuildError, InputError

Message = dict[str, Any]
Send = Callable[[Message], None]
Work = Callable[[Send], None]

_ENDINGS = (signal.SIGINT, signal.SIGTERM)
CHUNK_BYTES = 1 << 20
GRACE_S = 3.0


def can_fork() -> bool:
    """Return whether this process can be copied safely: Linux, and no thread of Python's but one.

    A thread that holds a lock at the instant of the fork leaves it locked in the child for ever;
    macOS's own libraries do not survive a fork at all.
    """
    return sys.platform.startswith("linux") and threading.active_count() == 1


class Child:
    """A forked process that does one piece of work and sends messages while it does.

    Parameters
    ----------
    name : str
        What it works on, for messages about its failure.
    work : callable
        Called in the child with a function that sends a JSON-able dictionary to the parent.
    """

    def __init__(self, name: str, work: Work) -> None:
        self.name = name
        self._rest = bytearray()
        # what native code prints (and a crash's last words) goes to a file that has no name
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._read_fd, write_fd = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        # a Ctrl-C inside fork's own hooks would be swallowed there: hold it until the fork is done
        held = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._read_fd)
            _live(work, write_fd, self._log.fileno())
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        os.close(write_fd)
        with contextlib.suppress(OSError):  # the child may have done it, or may be gone
            os.setpgid(self.pid, self.pid)

    def fileno(self) -> int:
        """Return the pipe on which the messages come."""
        return self._read_fd

    def read(self) -> tuple[list[Message], bool]:
        """Wait for messages; return them and whether they were the last: then call `end`."""
        chunk = os.read(self._read_fd, CHUNK_BYTES)
        self._rest += chunk
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        messages = [json.loads(line) for line in lines]
        return messages, not chunk

    def end(self) -> None:
        """Wait for the process to end.

        Raises
        ------
        BuildError
            When it was killed or crashed: the message ends with its last words.
        """
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._log.seek(0)
        words = self._log.read().decode(errors="replace").strip().splitlines()
        self._close()
        if status == 0:
            return
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        last = f": {words[-1].strip()}" if status > 0 and words else ""
        msg = f"{self.name}: its process died ({how}){last}"
        raise BuildError(msg)

    def kill(self, grace_s: float = 0.0) -> None:
        """End the child and all that it started; with `grace_s` it may tidy up first."""
        if self.pid == 0:
            return
        if grace_s:
            self._signal(signal.SIGTERM)
            end = time.monotonic() + grace_s
            while time.monotonic() < end and not self._waited(os.WNOHANG):
                time.sleep(0.02)
        self._signal(signal.SIGKILL)
        self._waited(0)
        self._close()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _waited(self, options: int) -> bool:
        try:
            return os.waitpid(self.pid, options)[0] == self.pid
        except ChildProcessError:
            return True

    def _close(self) -> None:
        os.close(self._read_fd)
        self._log.close()
        self.pid = 0


def _live(work: Work, write_fd: int, log_fd: int) -> None:
    status = 1
    try:
        os.setpgid(0, 0)
        # Ctrl-C reaches the parent alone, which then ends its children
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _leave)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)
        null_fd = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null_fd, 0)
        os.dup2(log_fd, 1)
        os.dup2(log_fd, 2)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", buffering=1, closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1, closefd=False)
        faulthandler.enable(sys.stderr)
        with os.fdopen(write_fd, "wb") as pipe:

            def send(message: Message) -> None:
                pipe.write(json.dumps(message, default=_to_json).encode() + b"\n")
                pipe.flush()

            try:
                work(send)
            except (InputError, BuildError) as error:
                send({"raised": type(error).__name__, "message": str(error)})
        status = 0
    except BaseException:  # noqa: BLE001
        # whatever it is, it must not travel up into a second copy of the parent's stack
        traceback.print_exc()
    finally:
        os._exit(status)


def _leave(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _to_json(value: Any) -> Any:
    """Return what Jupyter's wire makes of a value that JSON lacks."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if hasattr(value, "item"):  # a number of numpy
        return value.item()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


@dataclass
class Pool:
    """Work done by at most `workers` forked children at once; leaving it kills what still runs.

    With `fork=False` each piece of work is done here, one after another.
    """

    workers: int
    fork: bool = True
    _queue: list[tuple[int, str, Work, Send, Callable[[], None]]] = field(default_factory=list)
    _running: dict[Child, tuple[Send, Callable[[], None]]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._running:
            child.kill()

    def submit(
        self,
        name: str,
        work: Work,
        on_message: Send,
        on_end: Callable[[], None],
        *,
        weight: int = 0,
    ) -> None:
        """Queue a piece of work; what it sends goes to `on_message`. The heaviest comes first."""
        self._queue.append((weight, name, work, on_message, on_end))

    def run(self) -> None:
        """Work until the queue is empty and no child lives.

        Raises
        ------
        InputError, BuildError
            What a piece of work raised, or that its process died.
        """
        # the longest first, so that no core waits at the end; equals in the order of their coming
        self._queue.reverse()
        self._queue.sort(key=lambda job: job[0])
        with selectors.DefaultSelector() as selector:
            while self._queue or self._running:
                while self._queue and len(self._running) < self.workers:
                    self._start(selector)
                if self.fork:
                    for key, _ in selector.select():
                        self._hear(selector, key.fileobj)

    def _start(self, selector: selectors.BaseSelector) -> None:
        _, name, work, on_message, on_end = self._queue.pop()
        if not self.fork:
            work(on_message)
            on_end()
            return
        child = Child(name, work)
        self._running[child] = (on_message, on_end)
        selector.register(child, selectors.EVENT_READ)

    def _hear(self, selector: selectors.BaseSelector, child: Any) -> None:
        on_message, on_end = self._running[child]
        messages, ended = child.read()
        for message in messages:
            raise_reported(message)
            on_message(message)
        if ended:
            # before its pipe is closed: an epoll forgets no pipe of which a sibling has a copy
            selector.unregister(child)
            del self._running[child]
            child.end()
            on_end()


def raise_reported(message: Message) -> None:
    """Raise the error that a child reported, if the message is one."""
    if "raised" in message:
        raise {"InputError": InputError}.get(message["raised"], BuildError)(message["message"])


@contextlib.contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let `kill` end this process as Ctrl-C does: with its children ended and its files removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
