"""Replays of many deliveries: what one would send, before it does; and how far it has come."""

from __future__ import annotations

import json
from typing import Annotated, Final
from urllib.parse import parse_qsl

from pydantic import Field

from swiftclaw_local.errors import InvalidInput
from swiftclaw_local.platform import Platform
from swiftclaw_local.platform.replays import CANARY, FASTEST, RATE, ReplayPlan
from swiftclaw_local.server.adapter import validated
from swiftclaw_local.server.console.page import Action, Page, Shown, Went
from swiftclaw_local.server.console.pages.deliveries import MOST_AT_ONCE, ListQuery, wanted_by
from swiftclaw_local.server.console.words import counted
from swiftclaw_local.server.models import Model
from swiftclaw_local.server.replay_models import ReplayOut
from swiftclaw_local.server.replay_shapes import replay_out, replay_plan_out
from swiftclaw_local.server.routes.replays import show_replay
from swiftclaw_local.server.written import Text
from swiftclaw_local.storage.records import DeliveryFilter

STOP_AFTER: Final = 5
_SHOWN: Final = 50


class PlanForm(Model):
    """Which deliveries, by their ids or by the address of a list; and how. An empty `stop_after` never stops."""

    id: Annotated[list[Text], Field(max_length=MOST_AT_ONCE)] = Field(default_factory=list)
    filter: Annotated[str, Field(max_length=2_000)] | None = None
    rate: Annotated[float, Field(gt=0, le=FASTEST)] = RATE
    canary: Annotated[int, Field(ge=0, le=1000)] = CANARY
    stop_after: Annotated[str, Field(pattern="^[0-9]{0,5}$")] = str(STOP_AFTER)
    with_retries: bool = False
    back: str = "/deliveries"


class NoForm(Model):
    back: str = ""


class ReplaysOut(Model):
    """Replays, the newest first."""

    replays: list[ReplayOut]


async def show_plan(platform: Platform, form: PlanForm) -> Shown:
    """Say what would be sent, and ask; nothing is sent."""
    plan = await _plan(platform, form)
    title = f"Replay {counted(len(plan.items), 'delivery', 'deliveries')}?"
    return Shown("replay_plan.html", title, replay_plan_out(plan), more={"form": form})


async def begin(platform: Platform, form: PlanForm) -> Went:
    """Begin."""
    plan = await _plan(platform, form)
    replay_id = await platform.replays.begin(plan)
    return Went(f"/replays/{replay_id}", f"Replaying {counted(len(plan.items), 'delivery', 'deliveries')}.")


async def _plan(platform: Platform, form: PlanForm) -> ReplayPlan:
    """Return what a form asks for. Raises: InvalidInput, InvalidTime, UnknownDelivery."""
    wanted, ids = DeliveryFilter(), None
    if form.filter is not None:
        pairs = dict(parse_qsl(form.filter.removeprefix("?")))
        query = validated(ListQuery, pairs, where="the filter", strict=False)
        assert isinstance(query, ListQuery)
        asked = query.model_dump(exclude_none=True, exclude={"group", "cursor"})
        wanted = wanted_by(platform, query)
    elif form.id:
        ids = [await platform.reads.resolve_id("dlv", name) for name in dict.fromkeys(form.id)]
        asked = {"deliveries": len(ids)}
    else:
        raise InvalidInput("No delivery is marked.", hint="Mark some by their boxes, or by the key x.", field="id")
    return await platform.replays.plan(
        wanted,
        asked=json.dumps(asked),
        ids=ids,
        rate=form.rate,
        canary=form.canary,
        stop_after=int(form.stop_after) or None if form.stop_after else None,
        with_retries=form.with_retries,
    )


async def show_one(platform: Platform, replay_id: str) -> Shown:
    """Show how far a replay has come."""
    replay = await show_replay(platform, replay_id)
    done = replay.total - replay.left - replay.sending
    percent = done * 100 // replay.total if replay.total else 100
    stops = stops_text(replay.canary, replay.stop_after)
    more = {"replay": replay, "done": done, "bar": _bar(replay), "stops": stops}
    return Shown("replay.html", f"{percent} % Replay {replay.id}", replay, more=more)


def stops_text(canary: int, stop_after: int | None) -> str:
    """Return what stops a replay: its canaries, failures in a row, or nothing."""
    row = "" if stop_after is None else f"after {counted(stop_after, 'failure')} in a row"
    if not canary:
        return f"no canaries, stops {row}" if row else "no canaries, never stops by itself"
    fails = "when it does not get through" if canary == 1 else "when one of them does not get through"
    return f"{counted(canary, 'canary', 'canaries')}, stops {fails}" + (f", or {row}" if row else "")


def _bar(replay: ReplayOut) -> list[tuple[str, float, float]]:
    """Return (class, x, width) of the parts of a bar that is 1000 wide."""
    parts, x = [], 0.0
    for name in ("fixed", "still_ok", "still_failing", "regressed", "skipped", "sending"):
        width = getattr(replay, name) / max(1, replay.total) * 1000
        if width:
            parts.append((name, round(x, 2), round(width, 2)))
        x += width
    return parts


async def show_all(platform: Platform) -> Shown:
    """List replays."""
    found = await platform.reads.replays(limit=_SHOWN)
    shown = [replay_out(one, await platform.reads.replay_counts(one.id)) for one in found]
    return Shown("replays.html", "Replays", ReplaysOut(replays=shown))


async def pause(platform: Platform, replay_id: str, form: NoForm) -> Went:
    """Send nothing more until it is resumed."""
    await platform.replays.pause(replay_id)
    return Went(f"/replays/{replay_id}", "Paused: what is under way ends, nothing more is sent.")


async def resume(platform: Platform, replay_id: str, form: NoForm) -> Went:
    """Go on."""
    await platform.replays.resume(replay_id)
    return Went(f"/replays/{replay_id}", "It goes on; the failures so far are accepted.")


PAGES: Final = (Page("/replays", show_all), Page("/replays/{replay_id}", show_one))
ACTIONS: Final = (
    Action("/replays/plan", show_plan, "read"),
    Action("/replays/begin", begin, "emit"),
    Action("/replays/{replay_id}/pause", pause, "emit"),
    Action("/replays/{replay_id}/resume", resume, "emit"),
)
