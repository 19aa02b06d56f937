"""Many futures under one timer fail when their own time is up, and not before."""

from __future__ import annotations

import asyncio

import pytest

from swiftclaw_local.dispatcher.deadlines import Deadlines
from swiftclaw_local.scheduler.clock import monotonic

SHORT_S = 0.02
LONG_S = 30.0


def watched(deadlines: Deadlines) -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    deadlines.watch(future)
    return future


async def seconds_until_it_fails(deadlines: Deadlines) -> float:
    started = monotonic()
    with pytest.raises(TimeoutError):
        await watched(deadlines)
    return monotonic() - started


async def test_a_future_fails_when_its_time_is_up_and_not_before() -> None:
    assert SHORT_S <= await seconds_until_it_fails(Deadlines(SHORT_S)) < 100 * SHORT_S


async def test_one_that_is_watched_later_fails_later_under_the_same_timer() -> None:
    deadlines = Deadlines(SHORT_S)
    first = asyncio.create_task(seconds_until_it_fails(deadlines))
    await asyncio.wait([first], timeout=SHORT_S / 2)
    second = asyncio.create_task(seconds_until_it_fails(deadlines))
    assert await first >= SHORT_S
    assert not second.done()
    assert await second >= SHORT_S


async def test_the_timer_serves_again_after_it_found_nothing_to_end() -> None:
    deadlines = Deadlines(SHORT_S)
    deadlines.forget(watched(deadlines))
    await seconds_until_it_fails(deadlines)
    await seconds_until_it_fails(deadlines)


async def test_what_was_done_or_forgotten_in_time_stays_as_it_is() -> None:
    deadlines = Deadlines(SHORT_S)
    done, forgotten = watched(deadlines), watched(deadlines)
    done.set_result(None)
    deadlines.forget(forgotten)
    await seconds_until_it_fails(deadlines)
    assert (done.result(), forgotten.done()) == (None, False)


async def test_a_cancellation_from_elsewhere_is_no_timeout() -> None:
    deadlines = Deadlines(LONG_S)
    future = watched(deadlines)
    future.cancel()
    with pytest.raises(asyncio.CancelledError):
        await future
    deadlines.close()
