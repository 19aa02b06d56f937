"""A claim says until when its attempt may begin: later, another dispatcher may hold it, so it goes back unsent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from swiftclaw_local.dispatcher.lanes import Lanes
from swiftclaw_local.platform import Platform
from swiftclaw_local.scheduler.clock import monotonic
from swiftclaw_local.storage.records import Claim, Mark, Recorded, StoredEvent
from tests.engine.scripted import ScriptedReceiver
from tests.unit.test_lanes import claim as claim_for


@pytest.fixture
def tokens(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lease tokens of what is recorded."""
    seen: list[int] = []
    record = platform._store.record

    def call(mark: Mark) -> asyncio.Future[Recorded]:
        seen.append(mark.attempt.lease_token)
        return record(mark)

    monkeypatch.setattr(platform._store, "record", call)
    return seen


async def leased(platform: Platform) -> Claim:
    """Register a webhook and return the claim of a delivery to it, not handed to the engine yet."""
    await platform.webhooks.create("my-agent", url="http://127.0.0.1:9/hook")
    event = StoredEvent("evt_1", "agent.failed", "my-agent", platform.clock.now(), b"{}")
    accepted = await platform._store.add_event(event, now=platform.clock.now(), lease_unless_full=frozenset())
    return accepted.claims[0]


@pytest.mark.parametrize(("left_s", "token"), [(-0.001, 2), (60.0, 1)])
async def test_an_attempt_that_would_begin_too_late_is_given_back_unsent_and_claimed_again(
    platform: Platform, receiver: ScriptedReceiver, tokens: list[int], left_s: float, token: int
) -> None:
    claim = await leased(platform)
    platform._engine.hand_off([replace(claim, begin_by=monotonic() + left_s)])
    await platform.timeline.advance(timedelta(seconds=1))
    await receiver.arrived(1)
    await platform._engine.settle()
    assert (tokens, len(receiver.received)) == ([token], 1)


async def test_what_waits_too_long_for_a_slot_is_given_back(
    platform: Platform, receiver: ScriptedReceiver, tokens: list[int]
) -> None:
    claim = await leased(platform)
    platform._engine._lanes.put(replace(claim, begin_by=monotonic() - 0.001))
    await platform._engine.give_back_late()
    await platform._engine.settle()
    assert (tokens, len(receiver.received)) == ([2], 1)


def test_only_what_waits_too_long_is_taken_out() -> None:
    lanes = Lanes()
    made = datetime(2026, 1, 1, tzinfo=UTC)
    claims = [replace(claim_for("w", number), begin_by=by, due_at=made) for number, by in enumerate([5.0, None, 7.0])]
    for claim in claims:
        lanes.put(claim)
    assert lanes.withdraw_late(6.0) == claims[:1]
    assert (lanes.waiting, lanes.load()) == (2, {"w": 2})
    assert [lanes.take(slots=9), lanes.take(slots=9)] == claims[1:]
