"""Workers: what is given is worked on, by a task that is there already where one waits; they end when told to."""

from __future__ import annotations

import asyncio

import pytest

from swiftclaw_local.dispatcher import workers as module
from swiftclaw_local.dispatcher.workers import Workers


class Work:
    """Takes note of who works on what, and holds everybody up until the gate is open."""

    def __init__(self) -> None:
        self.done: list[tuple[int, asyncio.Task[None] | None]] = []
        self.rests = 0
        self.rested = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.workers: Workers[int] = Workers(self.do, rested=self.rest)

    async def do(self, item: int) -> None:
        await self.gate.wait()
        self.done.append((item, asyncio.current_task()))

    def rest(self) -> None:
        self.rests += 1
        self.rested.set()

    async def settle(self) -> None:
        while self.workers.at_work:
            self.rested.clear()
            await self.rested.wait()

    def tasks(self) -> set[asyncio.Task[None] | None]:
        return {task for _, task in self.done}


async def test_one_item_after_the_other_is_done_by_one_task() -> None:
    work = Work()
    for item in range(3):
        work.workers.begin(item)
        await work.settle()
    assert [item for item, _ in work.done] == [0, 1, 2]
    assert len(work.tasks()) == 1
    assert work.rests == 3
    work.workers.close()
    await work.settle()


async def test_items_given_at_the_same_time_are_worked_on_at_the_same_time() -> None:
    work = Work()
    work.gate.clear()
    for item in range(3):
        work.workers.begin(item)
    assert len(work.workers.at_work) == 3
    work.gate.set()
    await work.settle()
    assert sorted(item for item, _ in work.done) == [0, 1, 2]
    assert len(work.tasks()) == 3
    work.workers.close()
    await work.settle()


async def test_no_more_wait_than_was_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    work = Work()
    for item in range(5):
        work.workers.begin(item)
    await work.settle()
    for item in range(5):
        work.workers.begin(item)
    await work.settle()
    assert len(work.tasks()) == 5 + 3
    work.workers.close()
    await work.settle()


async def test_when_closed_those_that_wait_end_and_those_at_work_end_when_they_are_done() -> None:
    work = Work()
    work.workers.begin(0)
    await work.settle()
    work.gate.clear()
    work.workers.begin(1)
    work.workers.begin(2)
    tasks = set(work.workers.at_work)
    work.workers.close()
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
    work.gate.set()
    await asyncio.wait(tasks)
    assert [item for item, _ in work.done] == [0, 1, 2]
    assert not work.workers.at_work


async def test_a_waiting_one_that_was_closed_is_at_work_until_it_has_ended() -> None:
    work = Work()
    work.workers.begin(0)
    await work.settle()
    work.workers.close()
    ending = set(work.workers.at_work)
    assert len(ending) == 1
    await asyncio.wait(ending)
    assert not work.workers.at_work


async def test_one_that_is_cancelled_ends_and_others_take_what_comes() -> None:
    work = Work()
    work.gate.clear()
    work.workers.begin(0)
    await asyncio.sleep(0)
    (cancelled,) = work.workers.at_work
    cancelled.cancel()
    await work.settle()
    assert cancelled.cancelled()
    assert work.rests == 1
    work.gate.set()
    work.workers.begin(1)
    await work.settle()
    assert [item for item, _ in work.done] == [1]
    assert cancelled not in work.tasks()
    work.workers.close()
    await work.settle()
