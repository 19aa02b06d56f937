"""The live list on a whole terminal: newest last, one line selected, details on Enter, and what can be done about it.

It draws and reads keys; what a line says is made in `live_texts`, and what is done goes through the API.
"""

from __future__ import annotations

import base64
import os
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

from swiftclaw_local.cli.keys import Ears
from swiftclaw_local.cli.live_texts import Lines
from swiftclaw_local.plain_text import clean

Json = dict[str, Any]

_MOST: Final = 1000
_KEYS: Final = "j/k move  Enter details  r replay  c copy curl  / filter  p pause  q quit"
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list, and the delivery it is about, if it is about one."""

    text: str
    delivery: str | None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Acts:
    """What can be done about a delivery; each returns what there is to say."""

    details: Callable[[str], list[str]]
    replay: Callable[[str], str]
    curl: Callable[[str], str]


@dataclass(slots=True)
class Screen:
    """The list as it stands. `selected` counts from the newest line, 0; while it is 0 the list follows."""

    out: TextIO
    lines: Lines
    acts: Acts
    rows: deque[Row] = field(default_factory=lambda: deque(maxlen=_MOST))
    counts: Counter[str] = field(default_factory=Counter)
    selected: int = 0
    wanted: str = ""
    typing: str | None = None
    held: list[Row] | None = None
    said: str = ""
    detail: list[str] | None = None

    def run(self, ears: Ears) -> None:
        """Show what comes until q."""
        self.out.write(_ENTER)
        try:
            self.draw()
            while self.heard(ears.next()):
                self.draw()
        finally:
            self.out.write(_LEAVE)
            self.out.flush()

    def heard(self, heard: str | Json | None) -> bool:
        """Do what a key asks for, or take a message in; return False to end."""
        if isinstance(heard, str):
            return self.key(heard)
        if heard is not None:
            self.take(heard)
        return True

    # --- what comes in ------------------------------------------------------------------------------------------

    def take(self, message: Json) -> None:
        """Add the lines of a message; while the list is paused they wait."""
        outcome = message.get("outcome")
        if outcome in ("delivered", "retrying", "failed"):
            self.counts[outcome] += 1
        added = [Row(clean(line), message.get("delivery"), outcome) for line in self.lines.of(message)]
        if self.held is not None:
            self.held = [*self.held, *added][-_MOST:]
            return
        self.rows.extend(added)
        if self.selected:  # the line that is looked at stays where it is
            self.selected = min(self.selected + sum(self._fits(row) for row in added), len(self._shown()) - 1)

    def key(self, key: str) -> bool:
        """Do what a key asks for; return False to end."""
        if self.typing is not None:
            self._type(key)
            return True
        if self.detail is not None:
            self.detail = None
            return True
        self.said = ""
        match key:
            case "q" | "escape":
                return False
            case "j" | "down":
                self.selected = max(0, self.selected - 1)
            case "k" | "up":
                self.selected = min(self.selected + 1, max(0, len(self._shown()) - 1))
            case "G":
                self.selected = 0
            case "p":
                self._pause()
            case "/":
                self.typing = self.wanted
            case "enter" | "r" | "c":
                self._act(key)
        return True

    def _type(self, key: str) -> None:
        typed = self.typing or ""
        match key:
            case "enter":
                self.wanted, self.typing, self.selected = typed, None, 0
            case "escape":
                self.typing = None
            case "backspace":
                self.typing = typed[:-1]
            case _ if len(key) == 1 and key.isprintable():
                self.typing = typed + key

    def _pause(self) -> None:
        if self.held is None:
            self.held = []
            return
        waiting, self.held = self.held, None
        self.rows.extend(waiting)

    def _act(self, key: str) -> None:
        row = self._selected()
        if row is None or row.delivery is None:
            self.said = "This line is about no delivery."
        elif key == "enter":
            self.detail = self.acts.details(row.delivery)
        elif key == "r":
            self.said = self.acts.replay(row.delivery)
        else:
            command = self.acts.curl(row.delivery)
            # OSC 52: terminals that allow it put this on the clipboard
            self.out.write(f"\x1b]52;c;{base64.b64encode(command.encode()).decode()}\x07")
            self.detail = ["Copied, if your terminal allows it:", "", *command.splitlines()]

    # --- drawing ------------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Draw the whole terminal anew."""
        columns, height = self._size()
        body = self._detail_lines(columns, height - 1) if self.detail is not None else self._list(columns, height - 1)
        body += [""] * (height - 1 - len(body))
        foot = f"\x1b[7m{self._foot()[:columns]:<{columns}}\x1b[0m"
        self.out.write("\x1b[H" + "".join(f"{line}\x1b[K\r\n" for line in body) + foot)
        self.out.flush()

    def _list(self, columns: int, height: int) -> list[str]:
        shown = self._shown()
        bottom = max(0, self.selected - height // 2) if self.selected >= height else 0
        last = len(shown) - bottom
        drawn = []
        for place, row in enumerate(shown[max(0, last - height) : last], max(0, last - height)):
            text = row.text[:columns]
            drawn.append(f"\x1b[7m{text}\x1b[0m" if len(shown) - 1 - place == self.selected else _colored(text, row))
        return drawn or ["Nothing yet. Send an event: swiftclaw trigger agent.completed"[:columns]]

    def _detail_lines(self, columns: int, height: int) -> list[str]:
        assert self.detail is not None
        return [clean(line)[:columns] for line in [*self.detail, "", "any key: back to the list"]][-height:]

    def _foot(self) -> str:
        if self.typing is not None:
            return f"/{self.typing}_   Enter: show only lines with this   Esc: as before"
        counts = self.counts
        parts = [f"{counts['delivered']} ok  {counts['retrying']} retrying  {counts['failed']} failed"]
        if self.held is not None:
            parts.append(f"PAUSED, {len(self.held)} waiting")
        if self.selected:
            parts.append(f"{self.selected} below")
        if self.wanted:
            parts.append(f"only: {self.wanted}")
        return "   ".join([*parts, self.said or _KEYS])

    def _shown(self) -> list[Row]:
        return [row for row in self.rows if self._fits(row)]

    def _fits(self, row: Row) -> bool:
        return self.wanted.lower() in row.text.lower()

    def _selected(self) -> Row | None:
        shown = self._shown()
        return shown[-1 - self.selected] if self.selected < len(shown) else None

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self.out.fileno())
        except (OSError, ValueError):
            return 80, 24
        return max(size.columns, 20), max(size.lines, 4)


def _colored(text: str, row: Row) -> str:
    color = {"delivered": "32", "retrying": "33", "failed": "31"}.get(row.outcome or "")
    return f"\x1b[{color}m{text}\x1b[0m" if color and "<-" in text[:16] else text
