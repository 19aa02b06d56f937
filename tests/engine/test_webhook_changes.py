"""What happens to deliveries when their webhook is changed, disabled, enabled or deleted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from swiftclaw_local.errors import InvalidUrl, UnknownAgent, UnknownEventType, UnknownWebhook
from swiftclaw_local.platform import Platform
from swiftclaw_local.settings import Settings
from swiftclaw_local.storage.records import DeliveryFilter
from swiftclaw_local.storage.states import State
from tests.engine.conftest import OpenPlatform
from tests.engine.scripted import ScriptedReceiver

OLD, NEW = "http://127.0.0.1:9/old", "http://127.0.0.1:9/new"


async def test_the_first_webhook_is_webhook_123_and_ids_are_never_reused(platform: Platform) -> None:
    first, secret = await platform.webhooks.create("my-agent", url=OLD)
    assert first.id == "webhook-123"
    assert (len(secret), secret[:6]) == (38, "scsec_")
    await platform.webhooks.delete("my-agent", "webhook-123")
    second, _ = await platform.webhooks.create("my-agent", url=OLD)
    assert second.id == "webhook-124"


async def test_a_retry_goes_to_the_new_url_with_the_new_secret(platform: Platform, receiver: ScriptedReceiver) -> None:
    receiver.respond(500)
    await platform.webhooks.create("my-agent", url=OLD, secret="one")
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await platform.deliveries.wait_attempted(list(accepted.delivery_ids), timeout_s=5)
    changed = await platform.webhooks.change("my-agent", "webhook-123", url=NEW, secret="two", events=["agent.invoked"])
    assert (changed.before.url, changed.after.url, changed.pending) == (OLD, NEW, 1)
    await platform.timeline.advance(timedelta(minutes=1))
    assert [sent.url for sent in receiver.received] == [OLD, NEW]
    assert receiver.received[0].body == receiver.received[1].body
    assert receiver.received[0].signature != receiver.received[1].signature


async def test_what_waits_in_memory_follows_the_change_too(platform: Platform, receiver: ScriptedReceiver) -> None:
    await platform.webhooks.create("my-agent", url=OLD)
    receiver.hold()
    for _ in range(3):  # one in flight, two waiting in its lane: the manual clock has one slot
        await platform.events.emit("my-agent", type="agent.failed")
    await receiver.arrived(1)
    await platform.webhooks.change("my-agent", "webhook-123", url=NEW)
    receiver.release()
    await receiver.arrived(3)
    assert [sent.url for sent in receiver.received] == [OLD, NEW, NEW]


async def test_a_deleted_webhook_gets_nothing_more_and_the_attempt_in_flight_is_recorded(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    await platform.webhooks.create("my-agent", url=OLD)
    receiver.hold()
    ids = [(await platform.events.emit("my-agent", type="agent.failed")).delivery_ids[0] for _ in range(3)]
    await receiver.arrived(1)
    deleted = await platform.webhooks.delete("my-agent", "webhook-123")
    assert (deleted.canceled, deleted.deliveries) == (2, 3)
    receiver.release()
    await platform.deliveries.wait_settled(ids, timeout_s=5)
    found = [await platform.reads.delivery(delivery_id) for delivery_id in ids]
    assert [d.state for d in found] == [State.SUCCEEDED, State.CANCELED, State.CANCELED]
    assert [d.reason for d in found] == [None, "webhook_deleted", "webhook_deleted"]
    assert len(receiver.received) == 1
    with pytest.raises(UnknownAgent):
        await platform.webhooks.find("my-agent", "webhook-123")


async def test_a_retry_of_a_deleted_webhook_is_canceled(platform: Platform, receiver: ScriptedReceiver) -> None:
    receiver.respond(500)
    await platform.webhooks.create("my-agent", url=OLD)
    await platform.webhooks.create("my-agent", url=NEW, events=["agent.invoked"])
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await platform.deliveries.wait_attempted(list(accepted.delivery_ids), timeout_s=5)
    assert (await platform.webhooks.delete("my-agent", "webhook-123")).canceled == 1
    moved = await platform.timeline.run_until_idle()
    assert moved.sends == ()


async def test_a_disabled_webhook_holds_its_deliveries_until_it_is_enabled(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    await platform.webhooks.create("my-agent", url=OLD, enabled=False)
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await platform.deliveries.wait_attempted(list(accepted.delivery_ids), timeout_s=5)
    await platform.timeline.advance(timedelta(days=2))
    held = await platform.reads.delivery(accepted.delivery_ids[0])
    assert (held.state, held.attempts, held.webhook_enabled) == (State.PENDING, 0, False)
    await platform.webhooks.change("my-agent", "webhook-123", enabled=True)
    await platform.deliveries.wait_settled(list(accepted.delivery_ids), timeout_s=5)
    assert len(receiver.received) == 1


async def test_events_go_to_the_agents_subscribers_and_system_events_to_everybodys(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    await platform.webhooks.create("one", url="http://127.0.0.1:9/one-all")
    await platform.webhooks.create("one", url="http://127.0.0.1:9/one-failed", events=["agent.failed"])
    await platform.webhooks.create("two", url="http://127.0.0.1:9/two-all")
    for agent, type in (("one", "agent.completed"), ("one", "agent.failed"), ("two", "system.incident")):
        accepted = await platform.events.emit(agent, type=type)
        await platform.deliveries.wait_settled(list(accepted.delivery_ids), timeout_s=5)
    assert sorted(sent.url.rpartition("/")[2] for sent in receiver.received) == [
        "one-all",
        "one-all",
        "one-all",
        "one-failed",
        "two-all",
    ]


async def test_a_wrong_name_is_answered_with_the_right_ones(platform: Platform) -> None:
    await platform.webhooks.create("my-agent", url=OLD)
    with pytest.raises(UnknownAgent, match='Did you mean "my-agent"'):
        await platform.webhooks.find("my-agnet", "webhook-123")
    with pytest.raises(UnknownWebhook, match=r'no webhook "webhook-12"\. It has: webhook-123'):
        await platform.webhooks.find("my-agent", "webhook-12")
    with pytest.raises(InvalidUrl):
        await platform.webhooks.create("my-agent", url="localhost:8000/hook")
    with pytest.raises(UnknownEventType):
        await platform.webhooks.change("my-agent", "webhook-123", events=["agent.complete"])
    assert (await platform.reads.webhook("webhook-123")).url == OLD


async def test_a_hanging_receiver_fills_its_own_slots_only(
    open_platform: OpenPlatform, receiver: ScriptedReceiver
) -> None:
    platform = await open_platform(Settings(ephemeral=True, per_webhook=3))
    await platform.webhooks.create("hanging", url=OLD)
    await platform.webhooks.create("healthy", url=NEW)
    receiver.hold_url(OLD)
    for _ in range(200):
        await platform.events.emit("hanging", type="agent.failed")
    healthy = [(await platform.events.emit("healthy", type="agent.failed")).delivery_ids[0] for _ in range(20)]
    await platform.deliveries.wait_settled(healthy, timeout_s=5)
    assert sum(sent.url == OLD for sent in receiver.received) == 3
    receiver.release()
    await platform.timeline.freeze()
    await platform.timeline.run_until_idle()
    everything = await platform.reads.count_deliveries(DeliveryFilter(states=(State.SUCCEEDED,)))
    assert everything == 220
