"""Routes of recordings: write down what was announced, and announce it again. Only a fake has these."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from aiohttp import web

from swiftclaw_local import __version__
from swiftclaw_local.errors import (
    BodyTooLarge,
    EventIdTaken,
    InvalidInput,
    InvalidJson,
    InvalidRecording,
    InvalidTime,
    NoRecording,
    RecordingRuns,
    RecordingTooNew,
    ServerStopping,
    StorageFull,
    StorageUnavailable,
    UnknownWebhook,
    WaitTimeout,
)
from swiftclaw_local.platform import Platform
from swiftclaw_local.platform.recordings import Recording
from swiftclaw_local.plays.recording import Recorded, Webhook, event_line, header_line, webhook_line
from swiftclaw_local.server.adapter import Answer, Route
from swiftclaw_local.server.bodies import RecordingStart
from swiftclaw_local.server.models import ImportedOut, RecordingOut
from swiftclaw_local.server.queries import ExportQuery, ImportQuery, flag, moment, wait_seconds
from swiftclaw_local.server.shapes import seconds, state_name
from swiftclaw_local.server.spool import Spool, spooled, take_in

NDJSON: Final = "application/x-ndjson"
# So many events are announced at once; more would only wait in memory for the database.
_AT_ONCE: Final = 100
_NAMED: Final = 1000
_PAGE: Final = 500
_PIECE: Final = 64 * 1024


async def export_events(platform: Platform, query: ExportQuery) -> Answer:
    """Write events down as a recording, one JSON object a line, in the order in which they were announced. No secret is in it."""
    if flag(query.recording):
        platform.recordings.running()
    since = moment(query.since, now=platform.clock.now(), field="since")
    return Answer(200, _pieces(_exported(platform, query, since)), NDJSON)


async def import_events(platform: Platform, query: ImportQuery, request: web.Request) -> ImportedOut:
    """Announce a recording's events: new ones of now, or with `keep_ids` the same, byte for byte. All of it, or nothing if a line is wrong."""
    keep_ids, timeout_s = flag(query.keep_ids), wait_seconds(query.timeout)
    agent = None if query.webhook is None else (await platform.reads.webhook(query.webhook)).agent
    with spooled() as spool:
        await take_in(request, spool, known_in=platform.reads if keep_ids else None, agent=agent)
        known, ids = await _announced(platform, spool, keep_ids=keep_ids, webhook=query.webhook)
    states = await _states(platform, ids, timeout_s=timeout_s) if query.wait == "first" else {}
    return ImportedOut(events=spool.count, known=known, deliveries=len(ids), states=states, delivery_ids=ids[:_NAMED])


async def start_recording(platform: Platform, body: RecordingStart) -> RecordingOut:
    """Record what is announced from now on: GET /_local/export?recording=1 writes it down."""
    return _out(await platform.recordings.start(body.file), 0)


async def show_recording(platform: Platform) -> RecordingOut:
    """Show the recording that runs."""
    running = platform.recordings.running()
    return _out(running, await platform.recordings.count())


async def stop_recording(platform: Platform) -> RecordingOut:
    """End the recording that runs; write it down before."""
    count = await platform.recordings.count()
    return _out(platform.recordings.stop(), count)


def _out(recording: Recording, events: int) -> RecordingOut:
    return RecordingOut(file=recording.file, began=seconds(recording.began_at), events=events)


# --- out --------------------------------------------------------------------------------------------------------


async def _exported(platform: Platform, query: ExportQuery, since: datetime | None) -> AsyncIterator[bytes]:
    """Yield the lines of a recording."""
    now = platform.recordings.running().began_at if flag(query.recording) else since or platform.clock.now()
    yield header_line(made_by=f"swiftclaw-local {__version__}", began_at=seconds(now))
    cursor: str | None = None
    while True:
        page = await platform.reads.webhooks(agent=query.agent, limit=_PAGE, cursor=cursor)
        for webhook in page.rows:
            yield webhook_line(Webhook(webhook.id, webhook.agent, webhook.url, webhook.events))
        cursor = page.next
        if cursor is None:
            break
    announced = platform.recordings.announced(
        since_start=flag(query.recording), agent=query.agent, type=query.type, since=since
    )
    async for one in announced:
        yield event_line(Recorded(seconds(one.accepted_at), one.event.agent, one.event.body))


async def _pieces(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield lines put together: a write for each would cost more than the line."""
    piece: list[bytes] = []
    size = 0
    async for line in lines:
        piece.append(line)
        size += len(line)
        if size >= _PIECE:
            yield b"".join(piece)
            piece, size = [], 0
    yield b"".join(piece)


# --- in ---------------------------------------------------------------------------------------------------------


async def _announced(platform: Platform, spool: Spool, *, keep_ids: bool, webhook: str | None) -> tuple[int, list[str]]:
    """Announce the events; return how many were there already, and the new deliveries' ids in their order."""
    known, ids, events = 0, list[str](), spool.events()
    while some := list(islice(events, _AT_ONCE)):
        accepted = await asyncio.gather(
            *(
                platform.events.announce_again(
                    one.body,
                    agent=one.agent,
                    created=datetime.fromtimestamp(one.event["created"], UTC),
                    keep_id=keep_ids,
                    webhook=webhook,
                )
                for one in some
            )
        )
        known += sum(one.known for one in accepted)
        ids += [delivery_id for one in accepted if not one.known for delivery_id in one.delivery_ids]
    return known, ids


async def _states(platform: Platform, ids: list[str], *, timeout_s: float) -> dict[str, int]:
    """Return how many deliveries stand how, each looked at after its first attempt, as long as there is time to wait for it."""
    counts: Counter[str] = Counter()
    try:
        async with asyncio.timeout(timeout_s):
            for name in ids:
                await platform.deliveries.wait_attempted([name], timeout_s=timeout_s)
    except (TimeoutError, WaitTimeout):
        pass  # counted as it stands
    for name in ids:
        delivery = await platform.reads.delivery(name)
        counts[state_name(delivery.state, attempted=delivery.attempts > 0)] += 1
    return dict(counts)


_WRITES: Final = (ServerStopping, StorageUnavailable, StorageFull)

ROUTES: Final = (
    Route("GET", "/_local/export", export_events, "read", {200: NDJSON}, (InvalidInput, InvalidTime, NoRecording)),
    Route(
        "POST",
        "/_local/import",
        import_events,
        "emit",
        {200: ImportedOut},
        (InvalidInput, InvalidRecording, RecordingTooNew, BodyTooLarge, UnknownWebhook, EventIdTaken, *_WRITES),
        takes=NDJSON,
    ),
    Route(
        "POST",
        "/_local/recording",
        start_recording,
        "manage",
        {201: RecordingOut},
        (InvalidInput, InvalidJson, RecordingRuns),
    ),
    Route("GET", "/_local/recording", show_recording, "read", {200: RecordingOut}, (NoRecording,)),
    Route("DELETE", "/_local/recording", stop_recording, "manage", {200: RecordingOut}, (NoRecording,)),
)
