"""The alarm for the next due time, and the heartbeat behind it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from swiftclaw_local.scheduler.clock import Clock
from swiftclaw_local.scheduler.wake import Alarm, Heartbeat


async def rings(alarm_set: list[float], *, rate: float = 1.0) -> bool:
    """Set an alarm for each of these many seconds from now, and say whether it rang within 0.2 s."""
    clock, rang = Clock(rate=rate), asyncio.Event()
    alarm = Alarm(clock, rang.set)
    for seconds in alarm_set:
        alarm.set(clock.now() + timedelta(seconds=seconds))
    try:
        await asyncio.wait_for(rang.wait(), 0.2)
    except TimeoutError:
        return False
    finally:
        alarm.cancel()
    return True


async def test_the_alarm_rings_when_the_time_has_come_or_passed() -> None:
    assert await rings([0.01])
    assert await rings([-3600])


async def test_the_alarm_has_one_time_the_last_one_set() -> None:
    assert not await rings([0.01, 3600])
    assert await rings([3600, 0.01])


async def test_on_a_clock_that_stands_still_it_does_not_ring_and_on_a_fast_one_it_rings_sooner() -> None:
    assert not await rings([0.01], rate=0)
    assert await rings([3600], rate=1_000_000)


async def test_bringing_it_forward_never_puts_it_off() -> None:
    clock, rang = Clock(), asyncio.Event()
    alarm = Alarm(clock, rang.set)
    alarm.bring_forward(clock.now() + timedelta(seconds=0.01))
    alarm.bring_forward(clock.now() + timedelta(seconds=3600))
    await asyncio.wait_for(rang.wait(), 5)
    alarm.cancel()


async def test_the_heartbeat_beats_again_after_a_step_that_failed() -> None:
    beats: list[int] = []
    enough = asyncio.Event()

    async def step() -> None:
        beats.append(len(beats))
        if len(beats) == 3:
            enough.set()
        if len(beats) == 1:
            raise RuntimeError("once")

    heartbeat = Heartbeat()
    heartbeat.every(0.02, "beat", step)
    heartbeat.start()
    await asyncio.wait_for(enough.wait(), 5)
    await heartbeat.stop()
    assert beats[:3] == [0, 1, 2]


async def test_stopping_lets_a_running_step_end() -> None:
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), []

    async def step() -> None:
        begun.set()
        await may_end.wait()
        ended.append(True)

    heartbeat = Heartbeat()
    heartbeat.every(0.01, "beat", step)
    heartbeat.start()
    await asyncio.wait_for(begun.wait(), 5)
    stopping = asyncio.create_task(heartbeat.stop())
    await asyncio.sleep(0)
    may_end.set()
    await stopping
    assert ended == [True]
