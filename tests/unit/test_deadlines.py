"""Many blocks under one timer end when their own time is up, and as asyncio.timeout ends them."""

from __future__ import annotations

import asyncio

import pytest

from swiftclaw_local.dispatcher.deadlines import Deadlines
from swiftclaw_local.scheduler.clock import monotonic

SHORT_S = 0.02
LONG_S = 30.0


async def wait_for_ever(deadlines: Deadlines) -> float:
    """Return after how many seconds the block ended."""
    started = monotonic()
    with pytest.raises(TimeoutError), deadlines.one():
        await asyncio.Event().wait()
    return monotonic() - started


async def test_a_block_ends_when_its_time_is_up_and_not_before() -> None:
    assert SHORT_S <= await wait_for_ever(Deadlines(SHORT_S)) < 100 * SHORT_S


async def test_a_block_that_began_later_ends_later_under_the_same_timer() -> None:
    deadlines = Deadlines(SHORT_S)
    first = asyncio.create_task(wait_for_ever(deadlines))
    await asyncio.wait([first], timeout=SHORT_S / 2)
    second = asyncio.create_task(wait_for_ever(deadlines))
    assert await first >= SHORT_S
    assert not second.done()
    assert await second >= SHORT_S


async def test_the_timer_serves_again_after_it_found_nothing_to_end() -> None:
    deadlines = Deadlines(SHORT_S)
    with deadlines.one():
        pass
    await wait_for_ever(deadlines)
    await wait_for_ever(deadlines)


async def test_a_block_that_was_left_in_time_is_not_ended_afterwards() -> None:
    deadlines = Deadlines(SHORT_S)
    with deadlines.one():
        pass
    await wait_for_ever(deadlines)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_cancellation_from_elsewhere_is_no_timeout() -> None:
    deadlines = Deadlines(LONG_S)

    async def wait() -> None:
        with deadlines.one():
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.wait([task], timeout=0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    deadlines.close()


async def test_a_cancellation_at_the_same_time_as_the_end_goes_on() -> None:
    deadlines = Deadlines(LONG_S)

    async def wait() -> None:
        with deadlines.one() as deadline:
            task = asyncio.current_task()
            assert task is not None
            deadline.pass_by()
            task.cancel()
            await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(wait())
    deadlines.close()


async def test_an_error_of_the_block_stays_what_it_is() -> None:
    deadlines = Deadlines(LONG_S)
    with pytest.raises(ConnectionResetError), deadlines.one():
        raise ConnectionResetError
    deadlines.close()
