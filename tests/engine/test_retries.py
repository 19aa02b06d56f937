"""The page's schedule, on the manual clock: when each attempt is made, and when it ends."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from swiftclaw_local.platform import Platform
from swiftclaw_local.settings import Settings
from swiftclaw_local.storage.records import Delivery, DeliveryFilter, Mark, Recorded
from swiftclaw_local.storage.states import State
from tests.engine.conftest import OpenPlatform
from tests.engine.scripted import ScriptedReceiver

URL = "http://127.0.0.1:9/hook"


async def emitted(platform: Platform, type: str = "agent.failed") -> str:
    """Emit one event to the one webhook and return its delivery's id after the first attempt."""
    accepted = await platform.events.emit("my-agent", type=type)
    await platform.deliveries.wait_attempted(list(accepted.delivery_ids), timeout_s=5)
    return accepted.delivery_ids[0]


async def attempt_minutes(platform: Platform, delivery_id: str) -> list[float]:
    attempts = await platform.reads.attempts(delivery_id)
    return [(attempt.started_at - attempts[0].started_at) / timedelta(minutes=1) for attempt in attempts]


async def test_a_receiver_that_never_recovers_gets_six_requests_in_7h21m_and_no_more(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    receiver.respond(500)
    await platform.webhooks.create("my-agent", url=URL)
    delivery_id = await emitted(platform)
    moved = await platform.timeline.run_until_idle()
    delivery = await platform.reads.delivery(delivery_id)
    assert await attempt_minutes(platform, delivery_id) == [0, 1, 6, 21, 81, 441]
    assert (delivery.state, delivery.reason, delivery.retries_used) == (State.DEAD, "exhausted", 5)
    assert len(receiver.received) == 6
    assert len({sent.body for sent in receiver.received}) == 1
    assert [sent.retry for sent in moved.sends] == [1, 2, 3, 4, 5]


async def test_success_on_a_retry_stops_the_schedule(platform: Platform, receiver: ScriptedReceiver) -> None:
    receiver.respond(500, 503, 200)
    await platform.webhooks.create("my-agent", url=URL)
    delivery_id = await emitted(platform)
    await platform.timeline.advance(timedelta(hours=10))
    delivery = await platform.reads.delivery(delivery_id)
    assert (delivery.state, delivery.attempts) == (State.SUCCEEDED, 3)
    assert await attempt_minutes(platform, delivery_id) == [0, 1, 6]


@pytest.mark.parametrize("status", [100, 301, 400, 401, 404, 408, 410, 429, 600])
async def test_other_answers_are_final_at_once(platform: Platform, receiver: ScriptedReceiver, status: int) -> None:
    receiver.respond(status)
    await platform.webhooks.create("my-agent", url=URL)
    delivery_id = await emitted(platform)
    await platform.timeline.run_until_idle()
    delivery = await platform.reads.delivery(delivery_id)
    assert (delivery.state, delivery.reason, delivery.attempts) == (State.DEAD, "rejected", 1)


@pytest.mark.parametrize("cause", ["connect_refused", "dns", "reset", "timeout", "malformed", "tls_expired"])
async def test_no_answer_is_retried_like_a_5xx(platform: Platform, receiver: ScriptedReceiver, cause: str) -> None:
    receiver.respond(cause, 200)
    await platform.webhooks.create("my-agent", url=URL)
    delivery_id = await emitted(platform)
    first = (await platform.reads.attempts(delivery_id))[0]
    assert (first.error_class, first.status) == (cause, None)
    await platform.timeline.advance(timedelta(minutes=1))
    assert (await platform.reads.delivery(delivery_id)).state is State.SUCCEEDED


async def test_a_retry_is_not_made_a_second_too_early(platform: Platform, receiver: ScriptedReceiver) -> None:
    receiver.respond(500)
    await platform.webhooks.create("my-agent", url=URL)
    await emitted(platform)
    await platform.timeline.advance(timedelta(seconds=59, milliseconds=999))
    assert len(receiver.received) == 1
    await platform.timeline.advance(timedelta(milliseconds=1))
    assert len(receiver.received) == 2


async def test_a_stale_connection_costs_a_row_but_no_retry_and_no_waiting(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    receiver.respond("stale_connection", 200)
    await platform.webhooks.create("my-agent", url=URL)
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await platform.deliveries.wait_settled(list(accepted.delivery_ids), timeout_s=5)
    attempts = await platform.reads.attempts(accepted.delivery_ids[0])
    assert [(a.number, a.outcome, a.retry) for a in attempts] == [(1, "again", 0), (2, "succeeded", 0)]
    assert len(receiver.received) == 2


async def test_a_defect_of_the_sender_is_retried_like_no_answer(platform: Platform, receiver: ScriptedReceiver) -> None:
    receiver.respond("crash", 200)
    await platform.webhooks.create("my-agent", url=URL)
    delivery_id = await emitted(platform)
    assert (await platform.reads.attempts(delivery_id))[0].error_class == "internal"
    await platform.timeline.advance(timedelta(minutes=1))
    assert (await platform.reads.delivery(delivery_id)).state is State.SUCCEEDED


async def test_another_schedule_is_another_limit(open_platform: OpenPlatform, receiver: ScriptedReceiver) -> None:
    settings = Settings(ephemeral=True, clock="manual", retry_schedule=(timedelta(seconds=1), timedelta(seconds=2)))
    platform = await open_platform(settings)
    receiver.respond(500)
    await platform.webhooks.create("my-agent", url=URL)
    delivery_id = await emitted(platform)
    await platform.timeline.run_until_idle()
    assert [minutes * 60 for minutes in await attempt_minutes(platform, delivery_id)] == [0, 1, 3]


async def test_jitter_only_adds_and_the_same_seed_adds_the_same(
    open_platform: OpenPlatform, receiver: ScriptedReceiver
) -> None:
    receiver.respond(500)
    runs = []
    for _ in range(2):
        platform = await open_platform(Settings(ephemeral=True, clock="manual", seed=3, retry_jitter=0.5))
        await platform.webhooks.create("my-agent", url=URL)
        delivery_id = await emitted(platform)
        await platform.timeline.run_until_idle()
        runs.append(await attempt_minutes(platform, delivery_id))
    exact = [0, 1, 6, 21, 81, 441]
    assert runs[0] == runs[1]
    assert all(plain <= late <= plain * 1.5 for plain, late in zip(exact, runs[0], strict=True))
    assert runs[0] != exact


async def test_many_deliveries_go_through_the_schedule_in_order_of_their_due_times(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    receiver.respond(500)
    await platform.webhooks.create("my-agent", url=URL)
    for _ in range(40):
        await emitted(platform)
        await platform.timeline.advance(timedelta(seconds=3))
    moved = await platform.timeline.run_until_idle()
    times = [sent.at for sent in moved.sends]
    assert times == sorted(times)
    everything = await platform.reads.deliveries(DeliveryFilter(), limit=100)
    assert {d.attempts for d in everything.rows} == {6}
    assert len(receiver.received) == 240


async def test_an_attempt_that_was_waited_for_is_no_part_of_the_next_move(
    platform: Platform, receiver: ScriptedReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.respond(500)
    await platform.webhooks.create("my-agent", url=URL)
    record = platform._store.record

    async def told_late(mark: Mark) -> Recorded:
        recorded = await record(mark)
        await asyncio.sleep(0.05)
        return recorded

    monkeypatch.setattr(platform._store, "record", lambda mark: asyncio.ensure_future(told_late(mark)))
    (delivery_id,) = (await platform.events.emit("my-agent", type="agent.failed")).delivery_ids
    while not await platform.reads.attempts(delivery_id):  # noqa: ASYNC110 - nothing tells of it yet
        await asyncio.sleep(0.001)
    await platform.deliveries.wait_attempted([delivery_id], timeout_s=5)
    moved = await platform.timeline.advance(timedelta(minutes=1))
    assert [sent.retry for sent in moved.sends] == [1]


async def test_the_clock_stops_early_when_the_most_sends_are_reached(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    receiver.respond(500)
    await platform.webhooks.create("my-agent", url=URL)
    await emitted(platform)
    moved = await platform.timeline.run_until_idle(max_sends=2)
    assert (len(moved.sends), moved.stopped_early) == (2, True)
    planned: Delivery = (await platform.reads.deliveries(DeliveryFilter(), limit=1)).rows[0]
    assert [number for number, _ in platform.deliveries.planned(planned)] == [3, 4, 5]
