"""From the values of replays of many deliveries to the models of the API. Pure."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from swiftclaw_local.platform.replays import ReplayPlan
from swiftclaw_local.server.replay_models import ReplayFirst, ReplayItemOut, ReplayOut, ReplayPlanOut
from swiftclaw_local.server.shapes import seconds, span
from swiftclaw_local.storage.replay_records import Replay, ReplayCounts, ReplayItem
from swiftclaw_local.storage.states import State


def replay_plan_out(plan: ReplayPlan) -> ReplayPlanOut:
    """Return what a replay would do."""
    first = plan.items[0] if plan.items else None
    wish, place = plan.wish, plan.new_place
    return ReplayPlanOut(
        total=len(plan.items),
        webhooks=plan.webhooks,
        scheduled=plan.scheduled,
        rate=wish.rate,
        about_s=span(timedelta(seconds=plan.about_s)),
        canary=wish.canary,
        stop_after=wish.stop_after,
        with_retries=wish.with_retries,
        to=wish.to_webhook if place is None else place.url,
        secret_of=None if place is None else place.of.id,
        first=None
        if first is None
        else ReplayFirst(delivery=first.delivery_id, type=first.event_type, created=seconds(first.created_at)),
    )


def replay_out(replay: Replay, counts: ReplayCounts) -> ReplayOut:
    """Return a replay as it stands in a list."""
    wish = replay.wish
    told: dict[str, Any] = {
        "id": replay.id,
        "state": replay.state,
        "reason": replay.reason,
        "filter": json.loads(wish.wanted),
        "total": replay.total,
        "fixed": counts.fixed,
        "still_failing": counts.still_failing,
        "regressed": counts.regressed,
        "still_ok": counts.still_ok,
        "skipped": counts.skipped,
        "sending": counts.sending,
        "left": counts.left,
        "eta_s": span(timedelta(seconds=counts.left / wish.rate)) if replay.state == "running" else None,
        "rate": wish.rate,
        "canary": wish.canary,
        "stop_after": wish.stop_after,
        "with_retries": wish.with_retries,
        "to": wish.to_webhook,
        "created": seconds(replay.created_at),
        "ended": None if replay.ended_at is None else seconds(replay.ended_at),
    }
    return ReplayOut.model_validate(told)


def replay_item_out(item: ReplayItem) -> ReplayItemOut:
    """Return one delivery of a replay."""
    skipped = item.skipped or ("canceled" if item.state is State.CANCELED else None)
    skipped = skipped or ("forgotten" if item.new_id and item.state is None else None)
    told: dict[str, Any] = {
        "delivery": item.delivery_id,
        "replay": item.new_id,
        "verdict": "skipped" if skipped else _verdict(item),
        "status": item.status,
        "error": item.error_class,
        "ms": item.duration_ms,
        "skipped": skipped,
    }
    return ReplayItemOut.model_validate(told)


def _verdict(item: ReplayItem) -> str:
    if not item.decided:
        return "sending"
    words = {
        (False, True): "fixed",
        (False, False): "still_failing",
        (True, False): "regressed",
        (True, True): "still_ok",
    }
    return words[item.was_delivered, item.delivered]
