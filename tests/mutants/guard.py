"""What a guard is: what protects a promise, and the edit of the code that takes it out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace `old`, which stands exactly once in the file, by `new`. The path is below `swiftclaw_local`."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Guard:
    """What protects a promise, the edits that take it out, and the tests to ask when the simulation finds nothing."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...] = ()
    db: str | None = "sqlite"  # what the simulation runs on; None where it does not come


def unsimulated(name: str, path: str, old: str, new: str, tests: tuple[str, ...]) -> Guard:
    """Return a guard of one edit, which the simulation does not come by."""
    return Guard(name, (Edit(path, old, new),), tests, db=None)
