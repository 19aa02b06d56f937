"""How answers look: tables and lines for people, one JSON document for programs; stdout is data, stderr is messages.

What a receiver wrote is shown with its control characters spelled out, so that nothing it sends can move the cursor or
turn the text around. It knows no command and asks no server. Times are the engine's clock, in UTC.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO

import click

from swiftclaw_local.plain_text import clean

_GAP: Final = "  "
_ID: Final = re.compile(r"([a-z]+_)[0-9a-z]{20,}([0-9a-z]{4})")
_STATE_COLORS: Final = {
    "delivered": "green",
    "failed": "red",
    "retrying": "yellow",
    "canceled": "bright_black",
    "firing": "red",
    "ok": "green",
}


class Column(NamedTuple):
    """A column of a table. `flexible` ones are cut to fit a terminal; `style` gives a cell's colour from its text."""

    title: str
    right: bool = False
    flexible: bool = False
    style: Callable[[str], str | None] | None = None


class Output:
    """Where answers and messages go, and how."""

    def __init__(
        self, *, as_json: bool = False, quiet: bool = False, color: str = "auto", environment: Mapping[str, str]
    ) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.out: TextIO = sys.stdout
        self.err: TextIO = sys.stderr
        self.terminal = _is_terminal(self.out)
        self._color = use_color(color, environment, terminal=self.terminal)
        self._error_color = use_color(color, environment, terminal=_is_terminal(self.err))

    @classmethod
    def of(cls, given: Mapping[str, Any], environment: Mapping[str, str]) -> Output:
        """Return the output that the global options ask for."""
        return cls(
            as_json=bool(given.get("json")),
            quiet=bool(given.get("quiet")),
            color=given.get("color") or "auto",
            environment=environment,
        )

    # --- answers ------------------------------------------------------------------------------------------------

    def line(self, text: str = "") -> None:
        """Write one line of the answer."""
        self.out.write(text + "\n")

    def json(self, document: Any) -> None:
        """Write one JSON document: indented on a terminal, in one line otherwise."""
        self.out.write(json_text(document, indent=2 if self.terminal else None) + "\n")

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
        """Write a table with its titles; cells are made safe, and cut only on a terminal and only in flexible columns."""
        cells = [[clean(cell).replace("\n", "\\n") for cell in row] for row in rows]
        widths = _widths(columns, cells, self._room())
        self.line(self.style(_row([c.title for c in columns], columns, widths), bold=True))
        for row in cells:
            shown = [_cut(cell, width) for cell, width in zip(row, widths, strict=True)]
            colors = [c.style(cell) if c.style else None for c, cell in zip(columns, row, strict=True)]
            painted = [self.style(text, color) for text, color in zip(shown, colors, strict=True)]
            self.line(_row(shown, columns, widths, painted=painted))

    def flush(self) -> None:
        """Hand everything written so far to whoever reads it."""
        self.out.flush()

    # --- messages -----------------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """Write a message to stderr, unless `-q`."""
        if not self.quiet:
            self.err.write(text + "\n")
            self.err.flush()

    def error(self, *, code: str, message: str, hint: str | None = None, field: str | None = None) -> None:
        """Write an error to stderr: for people with its hint on a line of its own, or as JSON."""
        if self.as_json:
            told = {"code": code, "message": message, "hint": hint, "field": field}
            document = {"error": {name: value for name, value in told.items() if value is not None}}
            self.err.write(json_text(document) + "\n")
            return
        start = click.style("error:", fg="red", bold=True) if self._error_color else "error:"
        self.err.write(f"{start} {clean(message)}\n")
        for line in clean(hint).splitlines() if hint else ():
            self.err.write(f"  {line}\n")

    # --- parts of a line ----------------------------------------------------------------------------------------

    def style(self, text: str, color: str | None = None, *, bold: bool = False) -> str:
        """Return the text in a colour, where colours are shown."""
        if not self._color or not (color or bold):
            return text
        return click.style(text, fg=color, bold=bold or None)

    def id(self, id: str) -> str:
        """Return an id as it is shown: `dlv_…7qm9` on a terminal, whole elsewhere."""
        return short_id(id) if self.terminal else id

    def state(self, state: str) -> str:
        """Return a state in its colour."""
        return self.style(state, state_color(state))

    def status(self, status: int | None, error: str | None = None) -> str:
        """Return a status code in its colour, or what came instead of an answer."""
        text = clean(error or "-") if status is None else str(status)
        return self.style(text, status_color(text))

    def _room(self) -> int | None:
        """Return the columns of the terminal, None when nothing needs to fit."""
        if not self.terminal:
            return None
        try:
            return os.get_terminal_size(self.out.fileno()).columns or None
        except (OSError, ValueError):
            return None


def use_color(choice: str, environment: Mapping[str, str], *, terminal: bool) -> bool:
    """Return whether to colour: the option wins, then NO_COLOR, then CLICOLOR_FORCE, then whether it is a terminal."""
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR"):
        return False
    if environment.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return terminal and environment.get("TERM") != "dumb"


def json_text(document: Any, *, indent: int | None = None) -> str:
    """Return a document as JSON in plain ASCII, which no terminal can take for a command."""
    return json.dumps(document, indent=indent, separators=None if indent else (",", ":"))


def short_id(id: str) -> str:
    """Return `dlv_…7qm9` for a long id; others stay as they are."""
    return _ID.sub(r"\1…\2", id) if _ID.fullmatch(id) else id


def state_color(state: str) -> str | None:
    """Return the colour of a delivery's or an alert's state."""
    return _STATE_COLORS.get(state.partition(":")[0])


def status_color(status: str) -> str | None:
    """Return the colour of a status code: green for 2xx, red for 5xx and for no answer, yellow for the others."""
    if status.isdigit():
        return {"2": "green", "5": "red"}.get(status[0], "yellow")
    return None if status == "-" else "red"


def time_text(seconds: float, *, now: float | None = None) -> str:
    """Return unix seconds as `14:02:11` (UTC); with `now`, a time of another day as `11-22 14:02:11`, or with its year."""
    moment = datetime.fromtimestamp(seconds, UTC)
    today = moment if now is None else datetime.fromtimestamp(now, UTC)
    if moment.date() == today.date():
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%m-%d %H:%M:%S" if moment.year == today.year else "%Y-%m-%d %H:%M:%S")


def moment_text(seconds: float) -> str:
    """Return unix seconds as `2026-11-23 14:16:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def wait_text(seconds: float) -> str:
    """Return a duration for people, two units at most: `4m 12s`, `58s`, `6h`, `3d 4h`; below a second `0.2s`."""
    if 0 < seconds < 1:
        return f"{seconds:.1f}s"
    total = round(seconds)
    days, hours, minutes = total // 86_400, total // 3600 % 24, total // 60 % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (total % 60, "s")]
    first = next((i for i, (amount, _) in enumerate(parts) if amount), 3)
    return " ".join(f"{amount}{unit}" for amount, unit in parts[first : first + 2] if amount) or "0s"


def after_text(seconds: float) -> str:
    """Return a distance on the clock as one word: `+1m`, `+7h21m`, `+0s`."""
    total = round(seconds)
    parts = [(total // 3600, "h"), (total // 60 % 60, "m"), (total % 60, "s")]
    return "+" + ("".join(f"{amount}{unit}" for amount, unit in parts if amount) or "0s")


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return `1 send`, `2 sends`, `3 deliveries` (with its own plural)."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def path_text(path: str | Path) -> str:
    """Return a path as `./.swiftclaw/swiftclaw.db` when it lies below the working directory, else in full; a URL as it is."""
    if "://" in str(path):
        return str(path)
    try:
        return f"./{Path(path).resolve().relative_to(Path.cwd().resolve())}"
    except (ValueError, OSError):
        return str(path)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def _widths(columns: Sequence[Column], cells: Sequence[Sequence[str]], room: int | None) -> list[int]:
    """Return each column's width; where the table is wider than the room, the widest flexible column gives way."""
    widths = [max(len(c.title), *(len(row[i]) for row in cells), 0) for i, c in enumerate(columns)]
    flexible = [i for i, column in enumerate(columns) if column.flexible]
    excess = 0 if room is None else sum(widths) + len(_GAP) * (len(columns) - 1) - room
    while excess > 0 and flexible:
        widest = max(flexible, key=lambda i: widths[i])
        floor = max(len(columns[widest].title), 8)
        if widths[widest] <= floor:
            break
        widths[widest] -= 1
        excess -= 1
    return widths


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 1] + "…"


def _row(
    cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int], *, painted: Sequence[str] | None = None
) -> str:
    """Return a line of cells; `painted` are the same with colours, which take no room, and nothing trails."""
    parts = []
    for cell, text, column, width in zip(cells, painted or cells, columns, widths, strict=True):
        space = " " * (width - len(cell))
        parts.append(space + text if column.right else text + space)
    return _GAP.join(parts).rstrip()
