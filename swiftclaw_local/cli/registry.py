"""The list of commands: where each lives and how the help lists it, so that only the one that runs is imported.

A test compares this list with the commands themselves. It imports none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final, NamedTuple

import click


class Entry(NamedTuple):
    """One command of the first level: `place` is `module:attribute`, `parts` the commands of a group in the help's order."""

    name: str
    place: str
    meaning: str
    parts: tuple[str, ...] = ()

    def load(self) -> click.Command:
        """Import the command's module and return the command."""
        module, _, attribute = self.place.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


_HERE: Final = "swiftclaw_local.cli."

# The jobs of the help page, in its order. A command is listed here when it exists, and not before.
JOBS: Final[dict[str, tuple[Entry, ...]]] = {
    "Start": (),
    "Platform": (),
    "Send": (),
    "Look": (),
    "Repair": (),
    "Time": (
        Entry(
            "clock",
            _HERE + "clock:clock",
            "Freeze time and move it: retries without waiting.",
            ("show", "freeze", "advance", "to", "next", "idle", "resume"),
        ),
    ),
    "Check": (),
    "Help": (),
}


def entries() -> dict[str, Entry]:
    """Return every command of the first level by its name; a group that stands under two jobs appears once."""
    return {entry.name: entry for job in JOBS.values() for entry in job}
