"""What an action has to say on the page that follows it: kept here for a moment, never in an address that anybody could write."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from swiftclaw_local.server.console.page import Tone

_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Note:
    """One text for people."""

    text: str
    tone: Tone


class Notes:
    """The notes that no page has shown yet."""

    def __init__(self) -> None:
        self._notes: OrderedDict[str, Note] = OrderedDict()

    def keep(self, note: Note) -> str:
        """Keep a note and return the name it is fetched by."""
        name = secrets.token_urlsafe(9)
        self._notes[name] = note
        if len(self._notes) > _MOST:
            self._notes.popitem(last=False)
        return name

    def take(self, name: str | None) -> Note | None:
        """Return a note once."""
        return None if name is None else self._notes.pop(name, None)
