"""Replay, cancel, test sends, and events that are announced twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from swiftclaw_local.errors import DeliveryEnded, DeliveryPending, EventIdTaken, WaitTimeout, WebhookDeleted
from swiftclaw_local.platform import Platform
from swiftclaw_local.storage.states import State
from tests.engine.scripted import ScriptedReceiver

URL = "http://127.0.0.1:9/hook"


async def failed_delivery(platform: Platform, receiver: ScriptedReceiver) -> str:
    await platform.webhooks.create("my-agent", url=URL, secret="one")
    receiver.respond(400)
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await platform.deliveries.wait_settled(list(accepted.delivery_ids), timeout_s=5)
    return accepted.delivery_ids[0]


async def test_a_replay_is_a_new_delivery_of_the_same_bytes_with_the_current_secret(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    failed = await failed_delivery(platform, receiver)
    before = await platform.reads.delivery(failed)
    await platform.webhooks.rotate_secret("my-agent", "webhook-123", secret="two")
    receiver.respond(200)
    replay = await platform.deliveries.replay(failed)
    await platform.deliveries.wait_settled([replay], timeout_s=5)
    made = await platform.reads.delivery(replay)
    assert (made.state, made.trigger, made.replay_of, made.event_id) == (
        State.SUCCEEDED,
        "replay",
        failed,
        before.event_id,
    )
    assert receiver.received[0].body == receiver.received[1].body
    assert receiver.received[0].signature != receiver.received[1].signature
    assert await platform.reads.delivery(failed) == before


async def test_a_replay_is_one_attempt_unless_retries_are_asked_for(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    failed = await failed_delivery(platform, receiver)
    receiver.respond(500)
    once = await platform.deliveries.replay(failed)
    await platform.deliveries.wait_settled([once], timeout_s=5)
    assert (await platform.reads.delivery(once)).reason == "unscheduled"
    scheduled = await platform.deliveries.replay(failed, with_retries=True)
    await platform.timeline.run_until_idle()
    assert (await platform.reads.delivery(scheduled)).attempts == 6


async def test_a_pending_delivery_is_not_replayed_but_can_be_brought_forward(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    receiver.respond(500, 500, 200)
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    delivery_id = accepted.delivery_ids[0]
    await platform.deliveries.wait_attempted([delivery_id], timeout_s=5)
    with pytest.raises(DeliveryPending):
        await platform.deliveries.replay(delivery_id)
    await platform.deliveries.replay_now(delivery_id)
    await receiver.arrived(2)
    await platform.timeline.advance(timedelta(minutes=5))
    attempts = await platform.reads.attempts(delivery_id)
    assert [(a.retry, a.status) for a in attempts] == [(0, 500), (1, 500), (2, 200)]


async def test_a_canceled_delivery_sends_nothing_more_and_an_ended_one_cannot_be_canceled(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    receiver.respond(500)
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    delivery_id = accepted.delivery_ids[0]
    await platform.deliveries.wait_attempted([delivery_id], timeout_s=5)
    await platform.deliveries.cancel(delivery_id)
    await platform.timeline.run_until_idle()
    assert (await platform.reads.delivery(delivery_id)).state is State.CANCELED
    assert len(receiver.received) == 1
    with pytest.raises(DeliveryEnded):
        await platform.deliveries.cancel(delivery_id)


async def test_a_deleted_webhooks_delivery_cannot_be_replayed(platform: Platform, receiver: ScriptedReceiver) -> None:
    failed = await failed_delivery(platform, receiver)
    await platform.webhooks.delete("my-agent", "webhook-123")
    with pytest.raises(WebhookDeleted):
        await platform.deliveries.replay(failed)


async def test_a_test_is_one_attempt_past_the_filter_and_is_logged_as_one(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    await platform.webhooks.create("my-agent", url=URL, events=["agent.timeout"])
    receiver.respond(500)
    delivery_id = await platform.events.test("my-agent", "webhook-123", type="agent.completed")
    await platform.deliveries.wait_settled([delivery_id], timeout_s=5)
    tested = await platform.reads.delivery(delivery_id)
    assert (tested.trigger, tested.state, tested.reason, tested.attempts) == ("test", State.DEAD, "unscheduled", 1)
    default = await platform.events.test("my-agent", "webhook-123")
    assert (await platform.reads.delivery(default)).event_type == "agent.timeout"


async def test_the_same_id_and_content_is_the_same_event_even_a_minute_later(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    first = await platform.events.emit("my-agent", type="agent.failed", id="evt_mine", data={"n": 1})
    await platform.timeline.advance(timedelta(minutes=1))
    again = await platform.events.emit("my-agent", type="agent.failed", id="evt_mine", data={"n": 1})
    assert (again.known, again.delivery_ids, again.event.body) == (True, first.delivery_ids, first.event.body)
    with pytest.raises(EventIdTaken):
        await platform.events.emit("my-agent", type="agent.failed", id="evt_mine", data={"n": 2})
    await platform.timeline.run_until_idle()
    assert len(receiver.received) == 1


async def test_an_agent_run_is_timed_by_the_engines_clock(platform: Platform, receiver: ScriptedReceiver) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    await platform.events.run_agent("my-agent", ending="completed")
    await receiver.arrived(1)
    await platform.timeline.advance(timedelta(milliseconds=1249))
    assert len(receiver.received) == 1
    await platform.timeline.advance(timedelta(milliseconds=1))
    assert len(receiver.received) == 2


async def test_an_event_of_the_future_is_delivered_then(platform: Platform, receiver: ScriptedReceiver) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    later = platform.clock.now() + timedelta(hours=1)
    accepted = await platform.events.emit("my-agent", type="agent.failed", created=later)
    with pytest.raises(WaitTimeout):
        await platform.deliveries.wait_settled(list(accepted.delivery_ids), timeout_s=0.01)
    moved = await platform.timeline.run_next()
    assert (platform.clock.now(), len(moved.sends)) == (later, 1)


async def test_an_event_of_the_past_is_delivered_now(platform: Platform, receiver: ScriptedReceiver) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    past = datetime(2024, 3, 8, 8, 0, tzinfo=UTC)
    accepted = await platform.events.emit("my-agent", type="agent.failed", created=past)
    await platform.deliveries.wait_settled(list(accepted.delivery_ids), timeout_s=5)
    assert b'"created":1709884800' in receiver.received[0].body
