"""Routes of replays of many deliveries: count, begin, look, pause, resume."""

from __future__ import annotations

import json
from typing import Final

from swiftclaw_local.errors import (
    Conflict,
    InvalidInput,
    InvalidJson,
    InvalidTime,
    InvalidUrl,
    NotFound,
    StorageFull,
    StorageUnavailable,
    UnknownReplay,
    UnknownWebhook,
)
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.adapter import Answer, Route
from swiftclaw_local.server.bodies import ReplayCreate, ReplayFilter
from swiftclaw_local.server.models import ListOut
from swiftclaw_local.server.queries import HistoryQuery, replay_filter
from swiftclaw_local.server.replay_models import ReplayOut, ReplayPlanOut
from swiftclaw_local.server.replay_shapes import replay_item_out, replay_out, replay_plan_out
from swiftclaw_local.storage.records import DeliveryFilter

_WRITES: Final = (StorageUnavailable, StorageFull)
_SHOWN: Final = 20


async def create_replay(platform: Platform, body: ReplayCreate) -> Answer:
    """Replay many deliveries, or with `dry_run` say what would be sent."""
    if (body.filter is None) == (body.deliveries is None):
        raise InvalidInput("Say which deliveries: give a filter, or their ids.", field="filter")
    asked = body.filter or ReplayFilter()
    given = asked.model_dump(exclude_defaults=True) if body.deliveries is None else {"deliveries": len(body.deliveries)}
    wanted = DeliveryFilter() if body.deliveries else replay_filter(asked, now=platform.clock.now())
    plan = await platform.replays.plan(
        wanted,
        asked=json.dumps(given),
        ids=body.deliveries,
        order=body.order,
        rate=body.rate,
        canary=body.canary,
        stop_after=body.stop_after,
        with_retries=body.with_retries,
        to=body.to,
    )
    if body.dry_run:
        return Answer(200, replay_plan_out(plan))
    return Answer(201, await _whole(platform, await platform.replays.begin(plan)))


async def list_replays(platform: Platform, query: HistoryQuery) -> ListOut[ReplayOut]:
    """List replays, the newest first."""
    found = await platform.reads.replays(limit=query.limit)
    return ListOut[ReplayOut](
        data=[replay_out(one, await platform.reads.replay_counts(one.id)) for one in found], total=None
    )


async def show_replay(platform: Platform, replay_id: str) -> ReplayOut:
    """Show how far a replay has come, what became of its canaries, and the first that did not get through."""
    return await _whole(platform, replay_id)


async def pause_replay(platform: Platform, replay_id: str) -> ReplayOut:
    """Send nothing more until it is resumed; what is under way ends."""
    await platform.replays.pause(replay_id)
    return await _whole(platform, replay_id)


async def resume_replay(platform: Platform, replay_id: str) -> ReplayOut:
    """Go on with a replay that was paused, or that stopped by itself: the failures so far are accepted."""
    await platform.replays.resume(replay_id)
    return await _whole(platform, replay_id)


async def _whole(platform: Platform, replay_id: str) -> ReplayOut:
    replay = await platform.reads.replay(replay_id)
    shown = replay_out(replay, await platform.reads.replay_counts(replay_id))
    canary = replay.wish.canary
    canaries = await platform.reads.replay_items(replay_id, which="canary", limit=_SHOWN, canary=canary)
    bad = await platform.reads.replay_items(replay_id, which="bad", limit=_SHOWN)
    shown.canaries = [replay_item_out(item) for item in canaries if item.new_id or item.skipped]
    shown.bad = [replay_item_out(item) for item in bad]
    return shown


_ONE: Final = "/v1/replays/{replay_id}"

ROUTES: Final = (
    Route(
        "POST",
        "/v1/replays",
        create_replay,
        "emit",
        {201: ReplayOut, 200: ReplayPlanOut},
        (InvalidInput, InvalidJson, InvalidTime, InvalidUrl, UnknownWebhook, NotFound, *_WRITES),
    ),
    Route("GET", "/v1/replays", list_replays, "read", {200: ListOut[ReplayOut]}, (InvalidInput,)),
    Route("GET", _ONE, show_replay, "read", {200: ReplayOut}, (UnknownReplay,)),
    Route("POST", f"{_ONE}/pause", pause_replay, "emit", {200: ReplayOut}, (UnknownReplay, Conflict, *_WRITES)),
    Route("POST", f"{_ONE}/resume", resume_replay, "emit", {200: ReplayOut}, (UnknownReplay, Conflict, *_WRITES)),
)
