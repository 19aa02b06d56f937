"""Single keys from a terminal, and messages from a thread, waited for together. Standard library only."""

from __future__ import annotations

import os
import queue
import select
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from swiftclaw_local.errors import SwiftclawError

Json = dict[str, Any]

_NAMES: Final = {
    b"\x1b[A": "up",
    b"\x1b[B": "down",
    b"\x1bOA": "up",
    b"\x1bOB": "down",
    b"\x1b[5~": "page up",
    b"\x1b[6~": "page down",
    b"\x1b": "escape",
    b"\r": "enter",
    b"\n": "enter",
    b"\x7f": "backspace",
    b"\x08": "backspace",
    b"\x04": "q",
}
_ESCAPE_S: Final = 0.02  # how long the rest of an arrow key may take


@contextmanager
def single_keys(fd: int) -> Iterator[None]:
    """Have a terminal hand over each key at once, unseen; ^C interrupts as ever. It is put back at the end."""
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd, termios.TCSADRAIN)  # what was typed already counts, too
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


class Ears:
    """Hears keys and messages: `next()` returns a key as text, a message, or None when nothing came in time."""

    def __init__(self, messages: Iterator[Json], *, keys_from: int | None) -> None:
        self._messages = messages
        self._keys = keys_from
        self._queue: queue.SimpleQueue[Json | SwiftclawError] = queue.SimpleQueue()
        self._woken, self._wake = os.pipe()
        threading.Thread(target=self._read, daemon=True).start()

    def next(self, *, timeout_s: float | None = None) -> str | Json | None:
        """Wait for the next key or message. Raises: what reading the messages raised."""
        if self._queue.empty():
            heard = [self._woken] + ([] if self._keys is None else [self._keys])
            ready, _, _ = select.select(heard, [], [], timeout_s)
            if self._keys in ready and self._keys is not None:
                return self._key()
            if not ready:
                return None
            os.read(self._woken, 4096)
        try:
            found = self._queue.get_nowait()
        except queue.Empty:
            return None
        if isinstance(found, SwiftclawError):
            raise found
        return found

    def _read(self) -> None:
        try:
            for message in self._messages:
                self._queue.put(message)
                os.write(self._wake, b".")
        except SwiftclawError as error:
            self._queue.put(error)
            os.write(self._wake, b".")

    def _key(self) -> str | None:
        assert self._keys is not None
        typed = os.read(self._keys, 1)
        if typed == b"\x1b":
            while select.select([self._keys], [], [], _ESCAPE_S)[0] and len(typed) < 4:
                typed += os.read(self._keys, 1)
        if not typed:
            return "q"
        while typed[0] >= 0xC0 and len(typed) < 4 and select.select([self._keys], [], [], _ESCAPE_S)[0]:
            typed += os.read(self._keys, 1)  # the rest of a character that is not ASCII
        return _NAMES.get(typed) or typed.decode("utf-8", "ignore")


def terminal_keys() -> int | None:
    """Return the terminal that keys can be read from, None where there is none."""
    try:
        return sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
    except ValueError:
        return None
