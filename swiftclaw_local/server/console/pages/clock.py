"""The engine's clock: how it stands, what is due next, and what ran when it was moved."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import Field

from swiftclaw_local.durations import parse_time
from swiftclaw_local.errors import InvalidInput
from swiftclaw_local.platform import Platform
from swiftclaw_local.platform.timeline import Moved
from swiftclaw_local.scheduler.clock import text
from swiftclaw_local.server.bodies import ClockAdvance
from swiftclaw_local.server.console.page import Action, Page, Shown, Went
from swiftclaw_local.server.console.pages.frame_actions import Back
from swiftclaw_local.server.detail import listed
from swiftclaw_local.server.models import ClockMoved, ClockOut, DeliveryOut, Model, Seconds
from swiftclaw_local.server.routes.clock import advance_clock, moved_out, show_clock
from swiftclaw_local.server.shapes import seconds
from swiftclaw_local.server.written import LAST_SECOND
from swiftclaw_local.storage.records import DeliveryFilter, LogEntry
from swiftclaw_local.storage.states import State

STEPS: Final = ("1m", "5m", "15m", "1h", "6h")
RATES: Final = (10, 60, 600)
NEXT: Final = 10
LOOKED_AT: Final = 500
MOST_SHOWN: Final = 200


class RanOut(Model):
    """An attempt that ran while the clock moved, `after_s` from where it stood before."""

    at: Seconds
    after_s: Seconds
    delivery: str
    event_type: str
    webhook: str
    retry: int
    status: int | None
    error: str | None
    duration_ms: int
    state: str


class ClockPageOut(Model):
    """How the clock stands, what is due next, and what ran since the time that was asked for."""

    clock: ClockOut
    upcoming: list[DeliveryOut]
    ran: list[RanOut] | None


class ClockQuery(Model):
    """Since when to show what ran, in unix seconds."""

    since: Annotated[float, Field(ge=0, le=LAST_SECOND)] | None = None


class AdvanceForm(Model):
    """By how long."""

    by: str


class ToForm(Model):
    """To which time."""

    to: str


class PaceForm(Model):
    """How many times as fast as real time."""

    rate: str


async def show_clock_page(platform: Platform, query: ClockQuery) -> Shown:
    """Show the clock."""
    stands = await show_clock(platform)
    ran = None if query.since is None else await _ran(platform, datetime.fromtimestamp(query.since, UTC))
    more = {"steps": STEPS, "rates": RATES, "since": query.since}
    return Shown("clock.html", "Clock", ClockPageOut(clock=stands, upcoming=await _upcoming(platform), ran=ran), more)


async def _upcoming(platform: Platform) -> list[DeliveryOut]:
    """Return what is due next, of the newest 500 that wait."""
    waiting = await platform.reads.deliveries(DeliveryFilter(states=(State.PENDING,)), limit=LOOKED_AT)
    return listed(platform, sorted(waiting.rows, key=lambda one: (one.due_at, one.id))[:NEXT])


async def _ran(platform: Platform, since: datetime) -> list[RanOut]:
    after = await platform.reads.log_before(since)
    head = await platform.reads.log_head()
    entries = await platform.reads.log_page(after, head.seq, limit=MOST_SHOWN)
    return [_ran_out(entry, since) for entry in entries if entry.ended_at >= since]


def _ran_out(entry: LogEntry, since: datetime) -> RanOut:
    words = {"succeeded": "delivered", "dead": "failed"}
    return RanOut(
        at=seconds(entry.ended_at),
        after_s=round((entry.ended_at - since).total_seconds(), 3),
        delivery=entry.delivery_id,
        event_type=entry.event_type,
        webhook=entry.webhook_id,
        retry=entry.retry,
        status=entry.status,
        error=entry.error_class,
        duration_ms=entry.duration_ms,
        state=words.get(entry.outcome, "retrying"),
    )


async def advance(platform: Platform, form: AdvanceForm) -> Went:
    """Move the clock on by a duration."""
    before = platform.clock.now()
    moved = await advance_clock(platform, ClockAdvance(by=form.by.strip()))
    return _went(platform, before, moved)


async def move_to(platform: Platform, form: ToForm) -> Went:
    """Move the clock to a time."""
    platform.clock.check_manual()
    at = parse_time(form.to.strip(), now=platform.clock.now(), field="to")
    return await _moved(platform, await platform.timeline.move_to(at))


async def run_next(platform: Platform, form: Back) -> Went:
    """Move the clock to the next due time."""
    return await _moved(platform, await platform.timeline.run_next())


async def run_all(platform: Platform, form: Back) -> Went:
    """Run everything that is scheduled."""
    return await _moved(platform, await platform.timeline.run_until_idle())


async def set_pace(platform: Platform, form: PaceForm) -> Went:
    """Let the clock run so many times as fast."""
    if not re.fullmatch(r"[1-9][0-9]{0,5}(\.[0-9]{1,3})?", form.rate.strip()):
        raise InvalidInput(f'"{form.rate[:40]}" is no pace.', hint="Write a number from 1, as 60.", field="rate")
    await platform.timeline.run_at(float(form.rate))
    return Went("/clock", f"The clock runs {float(form.rate):g} times as fast as real time.")


async def _moved(platform: Platform, moved: Moved) -> Went:
    return _went(platform, moved.before, await moved_out(platform, moved))


def _went(platform: Platform, before: datetime, moved: ClockMoved) -> Went:
    sends = "1 send" if len(moved.sends) == 1 else f"{len(moved.sends)} sends"
    counts = f"{sends}, {moved.delivered} delivered, {moved.scheduled} still scheduled"
    early = " It stopped early: so many were enough. Run it again." if moved.stopped_early else ""
    return Went(
        f"/clock?since={before.timestamp():.3f}", f"Now {text(platform.clock.now())}. {counts}.{early}", data=moved
    )


PAGES: Final = (Page("/clock", show_clock_page),)
ACTIONS: Final = (
    Action("/clock/advance", advance, "admin"),
    Action("/clock/to", move_to, "admin"),
    Action("/clock/next", run_next, "admin"),
    Action("/clock/idle", run_all, "admin"),
    Action("/clock/pace", set_pace, "admin"),
)
