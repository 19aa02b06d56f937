"""Plays a recording over the API: all at once, or at its own pace, slower or faster, on the engine's clock.

The whole file is read and checked before anything of it is announced. It knows no HTTP and prints nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import sleep
from typing import Any, Final, Protocol

from swiftclaw_local.durations import duration_text
from swiftclaw_local.errors import InvalidInput, InvalidRecording, UnknownScenario
from swiftclaw_local.plays.recording import HEADER, VERSION, Reader, Recorded, Webhook

Json = dict[str, Any]

_IMPORT: Final = "/_local/import"
_CLOCK: Final = "/_local/clock"
_PIECE: Final = 64 * 1024
_SPEED: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)x", re.ASCII)
_BEGINNING: Final = f'{{"{HEADER}":{VERSION}}}\n'.encode()
# How long a clock that runs is waited for before it is asked again (seconds).
_LONGEST_SLEEP_S: Final = 1.0
_WEBHOOKS_KEPT: Final = 20


class Api(Protocol):
    """The API of a server."""

    def get(self, path: str, **query: Any) -> Any:
        """Return the JSON at a path."""

    def post(self, path: str, body: Any, **query: Any) -> Any:
        """Send JSON to a path and return the JSON of the answer."""

    def upload(self, path: str, pieces: Iterable[bytes], **query: Any) -> Any:
        """Send a body piece by piece, and return the JSON of the answer."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds: how many events, of which agents, and the webhooks that were there, for people."""

    path: Path
    events: int
    agents: tuple[str, ...]
    webhooks: tuple[Webhook, ...]


@dataclass(slots=True)
class Replayed:
    """What came of it so far: `states` counts the deliveries by how they stood after their first attempt."""

    events: int = 0
    known: int = 0
    deliveries: int = 0
    states: Counter[str] = field(default_factory=Counter)
    delivery_ids: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every delivery got its 2xx, or is only due later; and there was one, unless all events were there already."""
        open_or_bad = sum(count for state, count in self.states.items() if state not in ("delivered", "scheduled"))
        return not open_or_bad and (self.deliveries > 0 or self.known == self.events)

    def add(self, imported: Json) -> None:
        """Count what one import made."""
        for name in ("events", "known", "deliveries"):
            setattr(self, name, getattr(self, name) + imported[name])
        self.states.update(imported["states"])
        self.delivery_ids += imported["delivery_ids"]


def contents(path: Path) -> Contents:
    """Read a whole recording, and return what it holds. Raises: InvalidRecording with line and column, RecordingTooNew."""
    reader, events = Reader(str(path)), 0
    agents: dict[str, None] = {}
    webhooks: list[Webhook] = []
    for line in _lines(path):
        match reader.read(line):
            case Recorded(agent=agent):
                events += 1
                agents |= {} if agent is None else {agent: None}
            case Webhook() as webhook:
                webhooks += [webhook] if len(webhooks) < _WEBHOOKS_KEPT else []
            case None:
                pass
    reader.end()
    return Contents(path, events, tuple(agents), tuple(webhooks))


def parse_speed(text: str) -> float | None:
    """Return how many times as fast `10x` is; None for `max`, all at once. Raises: InvalidInput."""
    if text == "max":
        return None
    found = _SPEED.fullmatch(text)
    if found is None or not float(found[1]):
        raise InvalidInput(f'speed "{text[:40]}" cannot be read.', hint="Write max, 1x or 10x.", field="speed")
    return float(found[1])


def replay(
    api: Api, path: Path, *, keep_ids: bool = False, webhook: str | None = None, speed: float | None = None
) -> Iterator[Replayed]:
    """Announce a recording's events, and yield what came of it as it grows, the last time when it is over.

    The file was checked by `contents`. With a `speed` each waits for its time: a clock that stands still is moved, another
    one waited for. Raises: EventIdTaken, UnknownWebhook, NoServer.
    """
    so_far = Replayed()
    query = {"keep_ids": int(keep_ids), "webhook": webhook, "wait": "first"}
    if speed is None:
        so_far.add(api.upload(_IMPORT, _pieces(_lines(path)), **query))
        yield so_far
        return
    pace = _Pace(api, speed)
    for at, line in _events(path):
        pace.wait_for(at)
        so_far.add(api.upload(_IMPORT, [_BEGINNING, line], **query))
        yield so_far


class _Pace:
    """Waits for the time of an event: its distance from the first one, divided by the speed, on the engine's clock."""

    def __init__(self, api: Api, speed: float) -> None:
        self._api = api
        self._speed = speed
        self._first: float | None = None
        self._began = 0.0

    def wait_for(self, at: float | None) -> None:
        """Return when it is time. An event without a time, or one that is late already, comes at once."""
        clock = self._api.get(_CLOCK)
        if self._first is None:
            self._first, self._began = at, clock["now"]
        if at is None or self._first is None:
            return
        due = self._began + (at - self._first) / self._speed
        while (missing := due - clock["now"]) > 0:
            if clock["mode"] == "manual":
                by = duration_text(timedelta(milliseconds=max(1, round(missing * 1000))))
                self._api.post(f"{_CLOCK}/advance", {"by": by})
                return
            sleep(min(missing / clock["rate"], _LONGEST_SLEEP_S))
            clock = self._api.get(_CLOCK)


def _events(path: Path) -> Iterator[tuple[float | None, bytes]]:
    reader = Reader(str(path))
    for line in _lines(path):
        recorded = reader.read(line)
        if isinstance(recorded, Recorded):
            yield recorded.at, line


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file. Raises: InvalidRecording when it cannot be read."""
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        raise UnknownScenario(f'There is no file "{path}".', hint="Record one: swiftclaw record start FILE") from None
    except OSError as error:
        raise InvalidRecording(f"{path} cannot be read: {error.strerror}.") from None


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield lines put together, as they go over the wire."""
    piece: list[bytes] = []
    size = 0
    for line in lines:
        piece.append(line)
        size += len(line)
        if size >= _PIECE:
            yield b"".join(piece)
            piece, size = [], 0
    if piece:
        yield b"".join(piece)
