"""Where somebody stands in the event stream: how far the log was read, and which change of an alert came last."""

from __future__ import annotations

import re
from typing import Final, NamedTuple, Self

_WRITTEN: Final = re.compile(r"([0-9]{1,18})-(0|[0-9a-z]{26})", re.ASCII)
_CHANGE: Final = "ale_"


class Position(NamedTuple):
    """The newest `seq` of the log that was told, and the id of the newest change of an alert, if any was."""

    seq: int
    alert_change: str | None

    def __str__(self) -> str:
        """Return `1042-01kb…`, as ids of messages are written."""
        return f"{self.seq}-{(self.alert_change or '0').removeprefix(_CHANGE)}"

    @classmethod
    def of(cls, written: str) -> Self | None:
        """Return the position that an id stands for, None when it is none."""
        match = _WRITTEN.fullmatch(written)
        if match is None:
            return None
        return cls(int(match[1]), None if match[2] == "0" else _CHANGE + match[2])
