"""The engine under each kind of clock: frozen and resumed, N times as fast, and the same twice with the same seed."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from swiftclaw_local.errors import ClockNotManual
from swiftclaw_local.platform import Platform
from swiftclaw_local.scheduler.clock import SystemTime
from swiftclaw_local.settings import Settings
from swiftclaw_local.storage.records import DeliveryFilter
from swiftclaw_local.storage.states import State
from tests.engine.conftest import OpenPlatform
from tests.engine.scripted import ScriptedReceiver

URL = "http://127.0.0.1:9/hook"


async def test_a_fast_clock_runs_the_whole_schedule_by_itself(
    open_platform: OpenPlatform, receiver: ScriptedReceiver
) -> None:
    platform = await open_platform(Settings(ephemeral=True, clock="x1000000"))
    receiver.respond(500)
    await platform.webhooks.create("my-agent", url=URL)
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await platform.deliveries.wait_settled(list(accepted.delivery_ids), timeout_s=5)
    attempts = await platform.reads.attempts(accepted.delivery_ids[0])
    waits = [after.started_at - before.ended_at for before, after in pairwise(attempts)]
    planned = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 360)]
    assert len(attempts) == 6
    assert all(wait >= plan for wait, plan in zip(waits, planned, strict=True))


async def test_a_real_clock_runs_a_retry_at_its_time(open_platform: OpenPlatform, receiver: ScriptedReceiver) -> None:
    platform = await open_platform(Settings(ephemeral=True, retry_schedule=(timedelta(milliseconds=50),)))
    receiver.respond(500, 200)
    await platform.webhooks.create("my-agent", url=URL)
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await platform.deliveries.wait_settled(list(accepted.delivery_ids), timeout_s=5)
    first, second = await platform.reads.attempts(accepted.delivery_ids[0])
    assert second.started_at - first.ended_at >= timedelta(milliseconds=50)
    assert (await platform.reads.delivery(accepted.delivery_ids[0])).state is State.SUCCEEDED


async def test_a_real_clock_cannot_be_moved_a_frozen_one_can_and_resuming_sends_what_is_due(
    open_platform: OpenPlatform, receiver: ScriptedReceiver
) -> None:
    platform = await open_platform(Settings(ephemeral=True, retry_schedule=(timedelta(seconds=1),) * 2))
    receiver.respond(500)
    await platform.webhooks.create("my-agent", url=URL)
    for move in (platform.timeline.run_next, platform.timeline.run_until_idle):
        with pytest.raises(ClockNotManual):
            await move()
    await platform.timeline.freeze()
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await platform.deliveries.wait_attempted(list(accepted.delivery_ids), timeout_s=5)
    moved = await platform.timeline.run_next()
    assert [sent.retry for sent in moved.sends] == [1]
    platform.clock.move_to(platform.clock.now() + timedelta(seconds=1))
    await platform.timeline.resume()
    await platform.deliveries.wait_settled(list(accepted.delivery_ids), timeout_s=5)
    assert len(receiver.received) == 3


async def test_two_moves_at_once_run_one_after_the_other(platform: Platform, receiver: ScriptedReceiver) -> None:
    receiver.respond(500)
    await platform.webhooks.create("my-agent", url=URL)
    await platform.events.emit("my-agent", type="agent.failed")
    before = platform.clock.now()
    minute, hour = await asyncio.gather(
        platform.timeline.advance(timedelta(minutes=1)), platform.timeline.advance(timedelta(hours=1))
    )
    assert (len(minute.sends), len(hour.sends)) == (2, 2)
    assert platform.clock.now() == before + timedelta(minutes=61)


async def test_the_same_seed_makes_the_same_run(open_platform: OpenPlatform, receiver: ScriptedReceiver) -> None:
    runs = []
    for _ in range(2):
        platform = await open_platform(Settings(ephemeral=True, clock="manual", seed=11))
        receiver.respond(500)
        for agent in ("one", "two", "three"):
            await platform.webhooks.create(agent, url=URL, secret="s")
            for _ in range(5):
                await platform.events.emit(agent, type="agent.failed")
        moved = await platform.timeline.run_until_idle()
        page = await platform.reads.deliveries(DeliveryFilter(), limit=100)
        # The time part of an id comes from the clock, which begins at the time of the run: compare what the seed decides.
        names = [delivery.id[-16:] for delivery in page.rows]
        runs.append((names, [(sent.delivery_id[-16:], sent.number) for sent in moved.sends]))
    assert runs[0] == runs[1]
    assert len(runs[0][0]) == 15


async def test_while_the_wall_clock_is_behind_a_start_after_a_crash_is_told_where_the_clock_stood(
    open_platform: OpenPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = await open_platform(Settings(ephemeral=True, clock="real"))
    now = platform.clock.now()
    monkeypatch.setattr(platform.clock, "_real", SetBack())
    await platform._beat()
    kept = await platform.reads.kept_clock()
    assert kept is not None
    assert (kept.at >= now, kept.lead) == (True, timedelta())


async def test_a_start_is_never_before_what_was_written_down_by_a_clock_that_was_ahead_and_died(
    open_platform: OpenPlatform, receiver: ScriptedReceiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = Settings(db=tmp_path / "one" / "swiftclaw.db", clock="real")
    platform = await open_platform(settings)
    await platform.webhooks.create("my-agent", url=URL)
    receiver.respond(500)
    monkeypatch.setattr(platform.clock, "_real", Ahead())
    await platform._beat()
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await platform.deliveries.wait_attempted(list(accepted.delivery_ids), timeout_s=5)
    shutil.copytree(settings.data_folder, tmp_path / "two")  # as a process that was killed leaves it
    again = await open_platform(replace(settings, db=tmp_path / "two" / "swiftclaw.db"))
    waits = (await again.reads.delivery(accepted.delivery_ids[0])).due_at - again.clock.now()
    assert timedelta(seconds=50) < waits <= timedelta(minutes=1)


class Ahead(SystemTime):
    """The system's clocks, the wall clock six hours ahead."""

    @staticmethod
    def wall() -> float:
        return SystemTime.wall() + 6 * 3600


class SetBack(SystemTime):
    """The system's clocks, the wall clock three days behind."""

    @staticmethod
    def wall() -> float:
        return SystemTime.wall() - 3 * 86_400
