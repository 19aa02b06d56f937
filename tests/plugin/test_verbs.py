"""The fixture `swiftclaw`, used as a user's test does: this session's own child process, cleared for each test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientConnectionError, ClientSession
from aioresponses import aioresponses

from swiftclaw_local.errors import DeliveryPending, InvalidDuration, UnknownEventType, UnknownFaultKind
from swiftclaw_local.testing import Receiver, Swiftclaw, Webhook


@pytest.fixture
def hook(swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver) -> Webhook:
    return swiftclaw.webhook(swiftclaw_receiver.url, events=["agent.completed", "agent.failed"])


def test_a_fresh_one_has_nothing_and_its_clock_stands_still(swiftclaw: Swiftclaw) -> None:
    assert (swiftclaw.deliveries(), swiftclaw.clock.mode, swiftclaw.clock.now) == ([], "manual", swiftclaw.clock.now)
    assert swiftclaw.webhook("http://127.0.0.1:9/hook").id == "webhook-123"


def test_nothing_of_the_test_before_is_left(swiftclaw: Swiftclaw) -> None:
    assert (swiftclaw.deliveries(), swiftclaw.webhook("http://127.0.0.1:9/hook").id) == ([], "webhook-123")


def test_an_event_arrives_signed_with_its_data(
    swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver, hook: Webhook
) -> None:
    delivery = swiftclaw.emit("agent.completed", tokens_used=450)
    (received,) = swiftclaw_receiver.requests
    assert received.signature == swiftclaw.sign(received.body)
    assert received.event == delivery.event
    assert (delivery.event["data"]["tokens_used"], delivery.event["data"]["agent"]) == (450, "my-agent")
    assert (hook.secret, received.path) == ("scsec_test", "/webhooks/swiftclaw")


def test_a_webhook_may_have_its_own_agent_and_secret(swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver) -> None:
    swiftclaw.webhook(swiftclaw_receiver.url, agent="billing", secret="scsec_other")
    swiftclaw.emit("agent.failed", agent="billing").assert_delivered(sends=1)
    (received,) = swiftclaw_receiver.requests
    assert received.signature == swiftclaw.sign(received.body.decode(), "scsec_other")


def test_a_delivery_tells_what_is_not_what_was(
    swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver, hook: Webhook
) -> None:
    swiftclaw_receiver.respond(503, 200, body='{"error": "down"}')
    delivery = swiftclaw.emit("agent.failed")
    states = [delivery.state]
    moved = swiftclaw.advance("1m")
    states.append(delivery.state)
    assert (states, delivery.sends, hook.id) == (["retrying", "delivered"], 2, "webhook-123")
    assert (moved.sends, moved.delivered, moved.scheduled, moved.now) == (1, 1, 0, swiftclaw.clock.now)
    told = [(one.number, one.retry, one.status, one.error, one.body, one.outcome) for one in delivery.attempts]
    assert told == [
        (1, 0, 503, None, '{"error": "down"}', "retry"),
        (2, 1, 200, None, '{"error": "down"}', "succeeded"),
    ]
    assert delivery.attempts[1].at - delivery.attempts[0].at == timedelta(minutes=1)


def test_a_receiver_that_is_gone_has_no_status_but_an_error(swiftclaw: Swiftclaw) -> None:
    swiftclaw.webhook("http://127.0.0.1:9/hook")
    (attempt,) = swiftclaw.emit("agent.failed").attempts
    assert (attempt.status, attempt.error, attempt.body) == (None, "connect_refused", "")


def test_a_replay_sends_the_same_bytes_again(swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver, hook: Webhook) -> None:
    delivery = swiftclaw.emit("agent.failed")
    replayed = swiftclaw.replay(delivery)
    assert (replayed.state, replayed == delivery, hook.id) == ("delivered", False, "webhook-123")
    assert len({received.body for received in swiftclaw_receiver.requests}) == 1
    assert swiftclaw.deliveries("agent.failed") == [delivery, replayed]


def test_a_replay_of_what_has_not_ended_is_refused(swiftclaw: Swiftclaw) -> None:
    swiftclaw.webhook("http://127.0.0.1:9/hook")
    delivery = swiftclaw.emit("agent.failed")
    with pytest.raises(DeliveryPending, match="has not ended"):
        swiftclaw.replay(delivery)


def test_deliveries_are_found_by_what_they_are(
    swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver, hook: Webhook
) -> None:
    swiftclaw_receiver.respond(400, 200)
    failed, delivered = swiftclaw.emit("agent.failed"), swiftclaw.emit("agent.completed")
    assert swiftclaw.deliveries() == [failed, delivered]
    assert swiftclaw.deliveries("agent.failed") == swiftclaw.deliveries(state="failed") == [failed]
    assert swiftclaw.deliveries(event=delivered.event["id"]) == [delivered]
    assert (swiftclaw.deliveries(webhook="webhook-124"), swiftclaw.deliveries(webhook=hook.id)) == (
        [],
        [failed, delivered],
    )
    assert swiftclaw.deliveries(agent="nobody") == []


def test_an_event_for_several_webhooks_has_several_deliveries(
    swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver
) -> None:
    for _ in range(2):
        swiftclaw.webhook(swiftclaw_receiver.url)
    assert [one.state for one in swiftclaw.emit_all("agent.failed")] == ["delivered", "delivered"]
    with pytest.raises(AssertionError, match=r"agent\.failed went to 2 webhooks: webhook-123, webhook-124"):
        swiftclaw.emit("agent.failed")


def test_a_real_wait_ends_with_the_delivery(swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver, hook: Webhook) -> None:
    swiftclaw_receiver.respond(500, 200)
    delivery = swiftclaw.emit("agent.failed")
    assert swiftclaw.wait(delivery, "retrying") is delivery
    swiftclaw.advance("1m")
    assert (swiftclaw.wait(delivery).sends, hook.id) == (2, "webhook-123")


@pytest.mark.swiftclaw(secret="scsec_marked", seed=7)
@pytest.mark.parametrize("run", [1, 2])
def test_a_seed_makes_ids_and_times_the_same_and_the_secret_is_the_markers(
    swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver, hook: Webhook, run: int
) -> None:
    delivery = swiftclaw.emit("agent.failed")
    (received,) = swiftclaw_receiver.requests
    assert (run in (1, 2), hook.secret, received.signature) == (True, "scsec_marked", swiftclaw.sign(received.body))
    assert received.event["id"] == delivery.event["id"] == "evt_01kdvdna002jnfpczw1ndspr1n"
    assert swiftclaw.clock.now == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.swiftclaw(clock="x600")
def test_the_clock_may_run_by_itself(swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver, hook: Webhook) -> None:
    swiftclaw_receiver.respond(500, 200)
    delivery = swiftclaw.emit("agent.failed")
    assert (swiftclaw.clock.mode, swiftclaw.wait(delivery).sends, hook.id) == ("fast", 2, "webhook-123")


def test_a_clock_that_ran_by_itself_stands_still_in_the_next_test(swiftclaw: Swiftclaw) -> None:
    assert swiftclaw.clock.mode == "manual"


def test_a_patched_aiohttp_disturbs_no_delivery(
    swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver, hook: Webhook
) -> None:
    with aioresponses():
        swiftclaw.emit("agent.failed").assert_delivered(sends=1)
    assert (len(swiftclaw_receiver.requests), hook.id) == (1, "webhook-123")


async def test_the_patch_is_one_that_refuses_what_goes_to_the_receiver(swiftclaw_receiver: Receiver) -> None:
    with aioresponses():
        async with ClientSession() as session:
            with pytest.raises(ClientConnectionError, match="Connection refused"):
                await session.post(swiftclaw_receiver.url)


def test_what_the_server_refuses_raises_its_error_with_its_hint(swiftclaw: Swiftclaw) -> None:
    with pytest.raises(InvalidDuration, match=r'Cannot advance by "6 hours"\. Write 6h, 90s or 1h30m\.'):
        swiftclaw.advance("6 hours")
    with pytest.raises(UnknownEventType) as refused:
        swiftclaw.emit("agent.complete")
    assert "agent.completed" in refused.value.message
    assert refused.value.__notes__ == [refused.value.hint]


def test_a_fault_meets_as_many_attempts_as_it_is_armed_for(
    swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver, hook: Webhook
) -> None:
    swiftclaw.fault("wrong_signature", times=1, webhook=hook.id)
    forged, right = swiftclaw.emit("agent.failed"), swiftclaw.emit("agent.failed")
    genuine = [one.signature == swiftclaw.sign(one.body) for one in swiftclaw_receiver.requests]
    assert genuine == [False, True]
    assert ([one.fault for one in forged.attempts], [one.fault for one in right.attempts]) == (
        ["wrong_signature"],
        [None],
    )
    assert "{}  (fault wrong_signature)" in forged.timeline()


def test_a_fault_takes_the_parameters_of_its_kind(
    swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver, hook: Webhook
) -> None:
    swiftclaw.fault("delay", delay="45s")
    delivery = swiftclaw.emit("agent.failed")
    assert (delivery.state, swiftclaw_receiver.requests, hook.id) == ("retrying", [], "webhook-123")
    assert swiftclaw.advance("45s").delivered == 1
    with pytest.raises(UnknownFaultKind):
        swiftclaw.fault("delya")


def test_a_fault_of_the_test_before_is_forgotten(
    swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver, hook: Webhook
) -> None:
    swiftclaw.fault("wrong_signature", times=100)
    swiftclaw.start_over()
    swiftclaw.webhook(swiftclaw_receiver.url)
    swiftclaw.emit("agent.failed")
    assert (swiftclaw_receiver.requests[0].signature, hook.id) == (
        swiftclaw.sign(swiftclaw_receiver.requests[0].body),
        "webhook-123",
    )
