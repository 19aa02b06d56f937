"""Takes a recording in: every line is read and checked before one of them is announced, in memory that does not grow with it.

The lines wait in a file that has no name. What a line says is told by `plays.recording`.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import IO, Final

from aiohttp import web

from swiftclaw_local.errors import BodyTooLarge, EventIdTaken, InvalidInput
from swiftclaw_local.plays.recording import MOST_LINE_BYTES, Reader, Recorded
from swiftclaw_local.server.json_body import READ_S
from swiftclaw_local.storage.reads import Reads

MOST_BYTES: Final = 256 << 20
MOST_EVENTS: Final = 100_000
SOURCE: Final = "the recording"
_IN_MEMORY: Final = 1 << 20
_LOOKED_UP: Final = 200


class Spool:
    """The checked events of one recording."""

    def __init__(self, file: IO[bytes]) -> None:
        self.count = 0
        self.agent: str | None = None
        self._file = file

    def put(self, line: bytes) -> None:
        """Keep a line that was checked."""
        self.count += 1
        self._file.write(line)

    def events(self) -> Iterator[Recorded]:
        """Yield the events, in order, as those of `agent` if there is one."""
        self._file.seek(0)
        for line in self._file:
            yield as_of(Recorded.parsed(line), self.agent)


@contextmanager
def spooled() -> Iterator[Spool]:
    """Give an empty spool, whose file is gone afterwards."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        yield Spool(file)


def as_of(recorded: Recorded, agent: str | None) -> Recorded:
    """Return an event as another agent's; None, and a system event, stay as they are."""
    return recorded if agent is None or recorded.agent is None else replace(recorded, agent=agent)


async def take_in(request: web.Request, spool: Spool, *, known_in: Reads | None, agent: str | None = None) -> None:
    """Read a request's recording to its end, and keep its events, as another `agent`'s if one is given.

    With `known_in` their ids must be free there, or theirs.

    Raises: InvalidRecording, RecordingTooNew, BodyTooLarge, EventIdTaken; InvalidInput when it is compressed or does not arrive.
    """
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise InvalidInput(f"The body is compressed ({encoding[:20]}).", hint="Send it as it is.")
    spool.agent = agent
    reader, ids = Reader(SOURCE), _Ids(known_in)
    async for line in _lines(request):
        recorded = reader.read(line)
        if not isinstance(recorded, Recorded):
            continue
        if spool.count >= MOST_EVENTS:
            raise BodyTooLarge(f"The recording has more than {MOST_EVENTS} events.", hint="Cut it in two.")
        await ids.look_at(as_of(recorded, agent), reader.line)
        spool.put(line if line.endswith(b"\n") else line + b"\n")
    reader.end()
    await ids.look_up()


class _Ids:
    """Finds out whether ids are free, many at a time."""

    def __init__(self, reads: Reads | None) -> None:
        self._reads = reads
        self._seen: dict[str, bytes] = {}
        self._waiting: dict[str, tuple[int, Recorded]] = {}

    async def look_at(self, recorded: Recorded, line: int) -> None:
        """Remember an id. Raises: EventIdTaken when another event of the recording has it."""
        if self._reads is None:
            return
        id, digest = recorded.event["id"], hashlib.sha256(f"{recorded.agent}\n".encode() + recorded.body).digest()
        if self._seen.setdefault(id, digest) != digest:
            raise _taken(line, id, "another event of the recording")
        self._waiting[id] = (line, recorded)
        if len(self._waiting) >= _LOOKED_UP:
            await self.look_up()

    async def look_up(self) -> None:
        """Compare those that were remembered with what there is. Raises: EventIdTaken."""
        waiting, self._waiting = self._waiting, {}
        if self._reads is None or not waiting:
            return
        there = await self._reads.events_by_id(list(waiting))
        for id, (line, recorded) in waiting.items():
            if id in there and (there[id].body, there[id].agent) != (recorded.body, recorded.agent):
                raise _taken(line, id, "an event that is there already, with another content,")


def _taken(line: int, id: str, whose: str) -> EventIdTaken:
    return EventIdTaken(
        f"{SOURCE}: line {line}: {whose} has the id {id}; nothing was announced.",
        hint="Without keep_ids each event gets a new id.",
    )


async def _lines(request: web.Request) -> AsyncIterator[bytes]:
    """Yield the lines of a body as they come. Raises: BodyTooLarge; InvalidInput when nothing comes for ten seconds."""
    rest, size = b"", 0
    while chunk := await _chunk(request):
        size += len(chunk)
        if size > MOST_BYTES:
            raise BodyTooLarge(f"The recording is larger than {MOST_BYTES >> 20} MiB.", hint="Cut it in two.")
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"
        if len(rest) > MOST_LINE_BYTES:
            break  # the reader refuses it
    if rest:
        yield rest


async def _chunk(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(READ_S):
            return await request.content.readany()
    except TimeoutError:
        raise InvalidInput(f"The body did not go on within {READ_S:g}s.") from None
