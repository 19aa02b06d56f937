"""The home page: every send as it happens, and how the last hour went."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

from swiftclaw_local.platform import Platform
from swiftclaw_local.server.console import charts
from swiftclaw_local.server.console.page import Page, Shown
from swiftclaw_local.server.models import Model, StatsPointOut
from swiftclaw_local.server.shapes import point_out
from swiftclaw_local.server.stream_models import AttemptTold
from swiftclaw_local.server.stream_position import Position
from swiftclaw_local.server.stream_told import Moment, attempt_told
from swiftclaw_local.server.surroundings import surroundings
from swiftclaw_local.storage.records import LogEntry

ROWS: Final = 50
# Rows that one call for what is new brings at most: what is older than these is on the page of deliveries.
MOST_NEW: Final = 200
_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)


class HourOut(Model):
    """The last hour: every minute, and all of it. `success` is in percent of what came to an end."""

    success: int | None
    p50_ms: int | None
    p95_ms: int | None
    sent: int
    failed: int
    minutes: list[StatsPointOut]


class LiveOut(Model):
    """The newest sends, newest first, the position in the event stream that they reach to, and the last hour."""

    sends: list[AttemptTold]
    position: str
    hour: HourOut


class NewsOut(Model):
    """The sends after a position, newest first; `left_out` are older ones among them that are too many."""

    sends: list[AttemptTold]
    after: int
    left_out: int


class NewsQuery(Model):
    """The number in the log that is on the page already."""

    after: Annotated[int, Field(ge=0, le=10**18)]


async def show_live(platform: Platform) -> Shown:
    """Show the newest sends, the last hour, and how to begin where nothing is there."""
    head = await platform.reads.log_head()
    entries, hour = await asyncio.gather(
        platform.reads.log_page(max(0, head.seq - ROWS), head.seq, limit=ROWS), _hour(platform)
    )
    position = str(Position(head.seq, head.alert_change))
    data = LiveOut(sends=_told(platform, reversed(entries), position), position=position, hour=hour)
    return Shown("live.html", "Live", data, more={"after": head.seq, **await _beginning(platform), **_drawn(hour)})


async def show_news(platform: Platform, query: NewsQuery) -> Shown:
    """Show the rows after a position, for a page that has those before."""
    head = await platform.reads.log_head()
    start = max(query.after, head.seq - MOST_NEW) if query.after <= head.seq else 0  # of a log that was forgotten since
    entries = await platform.reads.log_page(start, head.seq, limit=MOST_NEW)
    position = str(Position(head.seq, head.alert_change))
    sends = _told(platform, reversed(entries), position)
    data = NewsOut(sends=sends, after=head.seq, left_out=max(0, start - query.after))
    return Shown("live_rows.html", "New", data, part=True)


async def show_hour(platform: Platform) -> Shown:
    """Show the last hour alone, for a page that has an older one."""
    hour = await _hour(platform)
    return Shown("live_hour.html", "The last hour", hour, more={"hour": hour, **_drawn(hour)}, part=True)


def _told(platform: Platform, entries: Iterable[LogEntry], position: str) -> list[AttemptTold]:
    moment, schedule = Moment.of(platform.clock), len(platform.settings.retry_schedule)
    messages = (
        attempt_told(entry, position=position, moment=moment, retries_max=schedule if entry.scheduled else 0)
        for entry in entries
    )
    return [AttemptTold.model_validate_json(message.json) for message in messages]


async def _hour(platform: Platform) -> HourOut:
    # to the end of this minute, so that a minute's bar keeps its place while it fills
    now = platform.clock.now()
    until = now.replace(second=0, microsecond=0) + _MINUTE
    stats = await platform.reads.stats(since=until - _HOUR, until=until, step=_MINUTE)
    whole = stats.whole
    ended = whole.delivered + whole.failed
    return HourOut(
        success=whole.delivered * 100 // ended if ended else None,
        p50_ms=whole.p50_ms,
        p95_ms=whole.p95_ms,
        sent=whole.sent,
        failed=whole.failed,
        minutes=[point_out(point) for point in stats.points],
    )


def _drawn(hour: HourOut) -> dict[str, object]:
    return {"bars": charts.bars(hour.minutes), "latency": charts.latency(hour.minutes)}


async def _beginning(platform: Platform) -> dict[str, object]:
    """Return what the page needs to say how to begin: the first webhook, or the usual ports that something listens on."""
    first = (await platform.reads.webhooks(limit=1)).rows
    if first:
        return {"first": first[0], "ports": []}
    found = await asyncio.to_thread(surroundings)
    return {"first": None, "ports": [port for port in found.open_ports if port != platform.settings.port]}


PAGES: Final = (
    Page("/", show_live),
    Page("/live/rows", show_news, twin=False),
    Page("/live/hour", show_hour, twin=False),
)
