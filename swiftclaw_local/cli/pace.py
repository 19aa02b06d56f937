"""So many a second, and how far it has come: a gate that opens at a rate, and a bar on a terminal's stderr.

Neither asks what time it is: the gate is opened by a thread that sleeps.
"""

from __future__ import annotations

import os
import re
import threading
from types import TracebackType
from typing import Final, Self, TextIO

from swiftclaw_local.errors import InvalidInput

_RATE: Final = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(?:/(s|m|h))?", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, None: 1}
_FASTEST: Final = 10_000
_BAR: Final = 24


def parse_rate(text: str) -> float:
    """Return the seconds between two of `10/s`, `10` (a second), `90/m`, `0.5/s`. Raises: InvalidInput."""
    match = _RATE.fullmatch(text.strip())
    count = float(match[1]) if match else 0.0
    if match is None or not 0 < count / _SECONDS[match[2]] <= _FASTEST:
        raise InvalidInput(
            f'--rate "{text}" cannot be read.', hint=f"Write 10/s or 90/m; {_FASTEST}/s is the most.", field="--rate"
        )
    return _SECONDS[match[2]] / count


class Pace:
    """`with Pace(0.1) as pace:` lets `pace.wait()` return every tenth of a second, the first time at once.

    Whoever comes late is let through at once until caught up, so that the rate holds over all.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._gate = threading.Semaphore(1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._open, daemon=True)

    def wait(self) -> None:
        """Wait for the next turn."""
        self._gate.acquire()

    def may_pass(self) -> bool:
        """Take a turn if there is one, without waiting for it."""
        return self._gate.acquire(blocking=False)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _open(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._gate.release()


class Progress:
    """A bar on stderr while something runs; nothing at all where stderr is no terminal, or for a single one."""

    def __init__(self, stream: TextIO, *, total: int, shown: bool) -> None:
        self._stream = stream
        self._total = total
        self._shown = shown and total > 1 and stream.isatty()

    def at(self, done: int, *, beside: str = "") -> None:
        """Draw the bar, and as much of what stands beside it as the line has room for."""
        if self._shown:
            self._stream.write(f"\r{_fitting(bar(done, self._total) + beside, self._stream)}\x1b[K")
            self._stream.flush()

    def clear(self) -> None:
        """Take the bar away, so that a line can be written in its place."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def _fitting(line: str, stream: TextIO) -> str:
    """Return a line cut to the terminal: one that goes on in the next cannot be taken away."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return line
    return line[: columns - 1] if columns else line


def bar(done: int, total: int) -> str:
    """Return `  [######------]  118/212`."""
    full = _BAR * done // total
    return f"  [{'#' * full}{'-' * (_BAR - full)}]  {done}/{total}"
