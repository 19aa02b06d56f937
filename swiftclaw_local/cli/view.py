"""How the one who looks wants to see things: what time it is for them, and how ids are written.

It asks no clock and no server: both are given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from swiftclaw_local.cli.output import time_text, wait_text


def _whole(id: str) -> str:
    return id


@dataclass(frozen=True, slots=True)
class View:
    """Someone looking at `now` (unix seconds of the engine's clock); `id` writes an id, `terminal` cuts long answers."""

    now: float
    id: Callable[[str], str] = _whole
    terminal: bool = False

    def time(self, at: float | None) -> str:
        """Return `14:03:40`, with the date where it is another day's; a dash for None."""
        return "-" if at is None else time_text(at, now=self.now)

    def ago(self, at: float | None) -> str:
        """Return `2m ago` in the largest unit; a dash for None."""
        return "-" if at is None else f"{wait_text(max(0.0, self.now - at)).partition(' ')[0]} ago"


def in_text(seconds: float | None) -> str:
    """Return `in 4m 12s`, or `now` when nothing is left to wait for."""
    return "now" if seconds is None or seconds <= 0 else f"in {wait_text(seconds)}"
