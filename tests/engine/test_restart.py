"""Stopping, starting again, and what a process that died leaves behind."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from swiftclaw_local.errors import ServerStopping
from swiftclaw_local.platform import Platform
from swiftclaw_local.settings import Settings
from swiftclaw_local.storage.records import Claim, DeliveryFilter
from swiftclaw_local.storage.sqlite import SqliteStore
from swiftclaw_local.storage.states import State
from tests.engine.conftest import OpenPlatform
from tests.engine.scripted import ScriptedReceiver

URL = "http://127.0.0.1:9/hook"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(db=tmp_path / "one" / "swiftclaw.db", clock="manual", seed=7)


def crash_image(settings: Settings, folder: Path) -> Settings:
    """Return settings for a copy of the database as it lies on the disk now, as a dead process would leave it."""
    shutil.copytree(settings.data_folder, folder)
    return Settings(db=folder / "swiftclaw.db", clock="manual")


async def states(platform: Platform) -> list[State]:
    page = await platform.reads.deliveries(DeliveryFilter(), limit=100)
    return [delivery.state for delivery in reversed(page.rows)]


async def test_a_scheduled_retry_survives_a_restart(
    open_platform: OpenPlatform, receiver: ScriptedReceiver, settings: Settings
) -> None:
    receiver.respond(500, 200)
    platform = await open_platform(settings)
    await platform.webhooks.create("my-agent", url=URL)
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await platform.deliveries.wait_attempted(list(accepted.delivery_ids), timeout_s=5)
    stood = platform.clock.now()
    await platform.stop()
    again = await open_platform(settings)
    assert (again.clock.now(), again.opened.overdue, again.opened.interrupted) == (stood, 0, 0)
    await again.timeline.advance(timedelta(minutes=1))
    assert await states(again) == [State.SUCCEEDED]
    attempts = await again.reads.attempts(accepted.delivery_ids[0])
    assert [(made.number, made.retry) for made in attempts] == [(1, 0), (2, 1)]


async def test_a_seed_repeats_no_id_after_a_restart_at_the_same_time(
    open_platform: OpenPlatform, receiver: ScriptedReceiver, settings: Settings
) -> None:
    ids = []
    for _ in range(3):
        platform = await open_platform(settings)
        await platform.webhooks.create("my-agent", url=URL)
        accepted = await platform.events.emit("my-agent", type="agent.failed")
        ids += [accepted.event.id, *accepted.delivery_ids]
        assert not accepted.known
        await platform.stop()
    assert len(set(ids)) == len(ids)


async def test_what_became_due_while_it_was_off_goes_out_at_the_start(
    open_platform: OpenPlatform, receiver: ScriptedReceiver, tmp_path: Path
) -> None:
    settings = Settings(db=tmp_path / "swiftclaw.db", retry_schedule=(timedelta(milliseconds=1),) * 5)
    receiver.respond(500)
    receiver.hold()
    platform = await open_platform(settings)
    await platform.webhooks.create("my-agent", url=URL)
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await receiver.arrived(1)
    stopping = asyncio.create_task(platform.stop())
    await asyncio.sleep(0)
    receiver.respond(500, 200)
    receiver.release()
    await stopping
    again = await open_platform(settings)
    assert again.opened.overdue == 1
    await again.deliveries.wait_settled(list(accepted.delivery_ids), timeout_s=5)
    assert await states(again) == [State.SUCCEEDED]


async def test_an_orderly_stop_lets_the_attempt_in_flight_end_and_gives_the_waiting_ones_back(
    open_platform: OpenPlatform, receiver: ScriptedReceiver, settings: Settings
) -> None:
    platform = await open_platform(settings)
    await platform.webhooks.create("my-agent", url=URL)
    receiver.hold()
    for _ in range(3):  # the manual clock has one slot: one in flight, two waiting in memory
        await platform.events.emit("my-agent", type="agent.failed")
    await receiver.arrived(1)
    stopping = asyncio.create_task(platform.stop())
    await asyncio.sleep(0)
    with pytest.raises(ServerStopping):
        await platform.events.emit("my-agent", type="agent.failed")
    receiver.release()
    await stopping
    assert len(receiver.received) == 1
    again = await open_platform(settings)
    assert (again.opened.interrupted, again.opened.overdue) == (0, 2)
    await again.timeline.run_until_idle()
    assert await states(again) == [State.SUCCEEDED] * 3
    assert len({sent.body for sent in receiver.received}) == len(receiver.received) == 3


async def test_after_a_stop_no_task_of_the_engine_is_left(
    open_platform: OpenPlatform, receiver: ScriptedReceiver, settings: Settings
) -> None:
    before = asyncio.all_tasks()
    platform = await open_platform(settings)
    await platform.webhooks.create("my-agent", url=URL)
    accepted = [await platform.events.emit("my-agent", type="agent.failed") for _ in range(3)]
    await platform.deliveries.wait_attempted([one.delivery_ids[0] for one in accepted], timeout_s=5)
    await platform.stop()
    assert asyncio.all_tasks() == before


async def test_an_attempt_cut_off_by_a_crash_is_logged_as_interrupted_and_made_again(
    open_platform: OpenPlatform, receiver: ScriptedReceiver, settings: Settings, tmp_path: Path
) -> None:
    platform = await open_platform(settings)
    await platform.webhooks.create("my-agent", url=URL)
    receiver.hold()
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await receiver.arrived(1)
    image = crash_image(settings, tmp_path / "two")
    receiver.release()
    survivor = await open_platform(image)
    assert survivor.opened.interrupted == 1
    await survivor.timeline.run_until_idle()
    attempts = await survivor.reads.attempts(accepted.delivery_ids[0])
    assert [(made.number, made.outcome, made.retry) for made in attempts] == [
        (1, "interrupted", 0),
        (2, "succeeded", 0),
    ]


async def test_what_was_cut_off_is_not_sent_again_when_its_webhook_is_deleted_meanwhile(
    open_platform: OpenPlatform,
    receiver: ScriptedReceiver,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform = await open_platform(settings)
    webhook, _ = await platform.webhooks.create("my-agent", url=URL)
    receiver.hold()
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await receiver.arrived(1)
    image = crash_image(settings, tmp_path / "two")
    receiver.release()
    begin_again, asked, deleted = SqliteStore.begin_again, asyncio.Event(), asyncio.Event()

    async def late(store: SqliteStore, claim: Claim) -> bool:
        asked.set()
        await deleted.wait()
        return await begin_again(store, claim)

    monkeypatch.setattr(SqliteStore, "begin_again", late)
    survivor = await open_platform(image)
    async with asyncio.timeout(10):
        await asked.wait()
    await survivor.webhooks.delete("my-agent", webhook.id)
    deleted.set()
    await survivor._engine.settle()
    assert len(receiver.received) == 1
    delivery = await survivor.reads.delivery(accepted.delivery_ids[0])
    assert (delivery.state, delivery.reason) == (State.CANCELED, "webhook_deleted")


async def test_what_crashes_the_process_five_times_is_ended_and_can_be_replayed(
    open_platform: OpenPlatform, receiver: ScriptedReceiver, settings: Settings, tmp_path: Path
) -> None:
    platform = await open_platform(settings)
    await platform.webhooks.create("my-agent", url=URL)
    receiver.hold()
    delivery_id = (await platform.events.emit("my-agent", type="agent.failed")).delivery_ids[0]
    await receiver.arrived(1)
    for crash in range(2, 7):
        settings = crash_image(settings, tmp_path / str(crash))
        platform = await open_platform(settings)
        if crash < 6:
            await receiver.arrived(crash)
    ended = await platform.reads.delivery(delivery_id)
    assert (ended.state, ended.reason, ended.retries_used) == (State.DEAD, "interrupted_repeatedly", 0)
    receiver.release()
    replay = await platform.deliveries.replay(delivery_id)
    await platform.deliveries.wait_settled([replay], timeout_s=5)
    assert (await platform.reads.delivery(replay)).state is State.SUCCEEDED


async def test_what_only_waited_while_another_crashed_the_process_five_times_is_sent(
    open_platform: OpenPlatform, receiver: ScriptedReceiver, settings: Settings, tmp_path: Path
) -> None:
    platform = await open_platform(settings)
    await platform.webhooks.create("my-agent", url=URL)
    receiver.hold()
    await platform.events.emit("my-agent", type="agent.failed")
    waiting = (await platform.events.emit("my-agent", type="agent.failed")).delivery_ids[0]
    await receiver.arrived(1)
    for crash in range(2, 7):
        settings = crash_image(settings, tmp_path / str(crash))
        platform = await open_platform(settings)
        await receiver.arrived(crash)
    assert sorted(await states(platform)) == [State.DEAD, State.IN_FLIGHT]
    receiver.release()
    await platform.deliveries.wait_settled([waiting], timeout_s=5)
    attempts = await platform.reads.attempts(waiting)
    assert [made.outcome for made in attempts] == ["interrupted"] * 5 + ["succeeded"]


async def test_a_reset_forgets_attempts_in_flight_too_and_starts_the_counters_over(
    open_platform: OpenPlatform, receiver: ScriptedReceiver
) -> None:
    platform = await open_platform()
    await platform.webhooks.create("my-agent", url=URL)
    receiver.hold()
    await platform.events.emit("my-agent", type="agent.failed")
    await receiver.arrived(1)
    await platform.timeline.freeze()
    await platform.reset()
    assert await states(platform) == []
    fresh, _ = await platform.webhooks.create("my-agent", url=URL)
    assert fresh.id == "webhook-123"
    receiver.release()
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await platform.deliveries.wait_settled(list(accepted.delivery_ids), timeout_s=5)


async def test_a_reset_may_keep_the_webhooks(platform: Platform) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    await platform.reset(keep_webhooks=True)
    assert (await platform.webhooks.find("my-agent", "webhook-123")).url == URL


async def test_a_reset_frees_the_slot_of_an_attempt_that_was_about_to_begin(platform: Platform) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    await platform.events.emit("my-agent", type="agent.failed")  # handed off, and its task had no turn yet
    await platform.reset(keep_webhooks=True)
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await platform.deliveries.wait_settled(list(accepted.delivery_ids), timeout_s=5)
