"""Routes of the engine's clock: look, set its mode, move it. SwiftClaw has none of this."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from swiftclaw_local.durations import parse_duration, parse_time
from swiftclaw_local.errors import (
    ClockBackwards,
    ClockNotManual,
    InvalidDuration,
    InvalidInput,
    InvalidJson,
    InvalidSetting,
    InvalidTime,
    StorageFull,
    StorageUnavailable,
)
from swiftclaw_local.platform import Platform
from swiftclaw_local.platform.timeline import Moved
from swiftclaw_local.server.adapter import Route
from swiftclaw_local.server.bodies import ClockAdvance, ClockRun, ClockSet, ClockTo
from swiftclaw_local.server.models import ClockMoved, ClockOut
from swiftclaw_local.server.shapes import clock_out, send_out
from swiftclaw_local.server.written import LAST_SECOND
from swiftclaw_local.storage.records import DeliveryFilter
from swiftclaw_local.storage.states import State

_WRITES: Final = (StorageUnavailable, StorageFull)


async def show_clock(platform: Platform) -> ClockOut:
    """Show how the clock stands."""
    scheduled = await platform.reads.count_deliveries(DeliveryFilter(states=(State.PENDING,)))
    return clock_out(platform.clock, scheduled=scheduled, next_at=await platform.timeline.next_due_at())


async def set_clock(platform: Platform, body: ClockSet) -> ClockOut:
    """Let the clock follow real time, stand still, or run N times as fast."""
    match body.mode:
        case "real":
            await platform.timeline.resume()
        case "manual":
            await platform.timeline.freeze()
        case fast:
            await platform.timeline.run_at(float(fast.removeprefix("x")))
    return await show_clock(platform)


async def freeze_clock(platform: Platform) -> ClockOut:
    """Stop the clock: retries run only when it is moved."""
    await platform.timeline.freeze()
    return await show_clock(platform)


async def resume_clock(platform: Platform) -> ClockOut:
    """Let the clock follow real time again."""
    await platform.timeline.resume()
    return await show_clock(platform)


async def advance_clock(platform: Platform, body: ClockAdvance) -> ClockMoved:
    """Move a manual clock on, running what becomes due on the way."""
    platform.clock.check_manual()
    try:
        by = parse_duration(body.by, field="by")
    except InvalidDuration:
        raise InvalidDuration(f'Cannot advance by "{body.by[:80]}". Write 6h, 90s or 1h30m.', field="by") from None
    if platform.clock.now().timestamp() + by.total_seconds() > LAST_SECOND:
        raise InvalidDuration(f'"{body.by}" from now is beyond the year 9999.', field="by")
    return await moved_out(platform, await platform.timeline.advance(by, max_sends=body.max_sends))


async def move_clock(platform: Platform, body: ClockTo) -> ClockMoved:
    """Move a manual clock to a time, running what becomes due on the way."""
    platform.clock.check_manual()
    at = _time(body.to, now=platform.clock.now())
    return await moved_out(platform, await platform.timeline.move_to(at, max_sends=body.max_sends))


async def run_next(platform: Platform, body: ClockRun) -> ClockMoved:
    """Move a manual clock to the next due time, and run what is due then."""
    return await moved_out(platform, await platform.timeline.run_next(max_sends=body.max_sends))


async def run_until_idle(platform: Platform, body: ClockRun) -> ClockMoved:
    """Run everything that is scheduled, and stop a manual clock at the last attempt."""
    return await moved_out(platform, await platform.timeline.run_until_idle(max_sends=body.max_sends))


async def moved_out(platform: Platform, moved: Moved) -> ClockMoved:
    """Return what ran while the clock moved, and how it stands."""
    sends = [send_out(sent, before=moved.before) for sent in moved.sends]
    return ClockMoved(
        **(await show_clock(platform)).model_dump(),
        sends=sends,
        delivered=sum(sent.state == "delivered" for sent in sends),
        stopped_early=moved.stopped_early,
    )


def _time(to: int | float | str, *, now: datetime) -> datetime:
    if isinstance(to, str):
        return parse_time(to, now=now, field="to")
    if not 0 <= to <= LAST_SECOND:
        raise InvalidTime(f"{to} is not a time in unix seconds.", field="to")
    return datetime.fromtimestamp(to, UTC)


_MOVES: Final = (InvalidInput, InvalidJson, ClockNotManual, *_WRITES)

ROUTES: Final = (
    Route("GET", "/_local/clock", show_clock, "read", {200: ClockOut}),
    Route(
        "POST",
        "/_local/clock",
        set_clock,
        "admin",
        {200: ClockOut},
        (InvalidInput, InvalidJson, InvalidSetting, *_WRITES),
    ),
    Route("POST", "/_local/clock/freeze", freeze_clock, "admin", {200: ClockOut}, _WRITES),
    Route("POST", "/_local/clock/resume", resume_clock, "admin", {200: ClockOut}, _WRITES),
    Route("POST", "/_local/clock/advance", advance_clock, "admin", {200: ClockMoved}, (*_MOVES, InvalidDuration)),
    Route("POST", "/_local/clock/to", move_clock, "admin", {200: ClockMoved}, (*_MOVES, InvalidTime, ClockBackwards)),
    Route("POST", "/_local/clock/next", run_next, "admin", {200: ClockMoved}, _MOVES),
    Route("POST", "/_local/clock/idle", run_until_idle, "admin", {200: ClockMoved}, _MOVES),
)
