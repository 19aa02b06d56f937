"""Where a mistake stands in a file: its line and column, shown as people need it to mend it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_SHOWN_BEFORE: Final = 50
_SHOWN_AFTER: Final = 40
_HEADER: Final = re.compile(r"\s*\[\[\s*step\s*\]\]")
_TABLE: Final = re.compile(r"\s*\[\s*step\s*\.\s*([A-Za-z0-9_-]+)")
_OTHER_TABLE: Final = re.compile(r"\s*\[")
_KEY: Final = re.compile(r"""\s*(?:"([^"\n]+)"|'([^'\n]+)'|([A-Za-z0-9_-]+))\s*[.=]""")
_FENCE: Final = re.compile(r'"""|' + "'''")


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column, both from 1."""

    line: int
    column: int


def told(source: str, message: str, *, text: str = "", place: Place | None = None) -> str:
    """Return `file.toml: line 3, column 1: message`, and below it the line of the text with a caret."""
    if place is None:
        return f"{source}: {message}"
    lines = text.splitlines()
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    start = max(0, place.column - 1 - _SHOWN_BEFORE)
    shown = line[start : place.column - 1 + _SHOWN_AFTER].replace("\t", " ")
    caret = " " * (place.column - 1 - start) + "^"
    return f"{source}: line {place.line}, column {place.column}: {message}\n  {shown}\n  {caret}"


def step_places(text: str) -> list[dict[str, Place]]:
    """Return of each `[[step]]` of a TOML text where its keys stand; "" is the header. The last item is the file's own keys.

    The parser of the standard library tells no places. What is written in another way, as `step = [{…}]`, is not found.
    """
    own: dict[str, Place] = {}
    steps: list[dict[str, Place]] = []
    current: dict[str, Place] | None = own
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if not fenced:
            current = _look(line, number, steps, current)
        if len(_FENCE.findall(line)) % 2:
            fenced = not fenced
    return [*steps, own]


def _look(
    line: str, number: int, steps: list[dict[str, Place]], current: dict[str, Place] | None
) -> dict[str, Place] | None:
    """Note what a line says, and return where the keys of the next lines belong to; None: to no step."""
    indent = len(line) - len(line.lstrip()) + 1
    if _HEADER.match(line):
        steps.append({"": Place(number, indent)})
        return steps[-1]
    table = _TABLE.match(line)
    if table and steps:
        steps[-1].setdefault(table[1], Place(number, indent))
        return None
    if _OTHER_TABLE.match(line):
        return None
    key = _KEY.match(line)
    if key and current is not None:
        current.setdefault(key[1] or key[2] or key[3], Place(number, indent))
    return current
