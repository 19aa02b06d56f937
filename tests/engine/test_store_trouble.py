"""What the engine does when the database fails it: keep the result, try again, and never spin."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
import structlog

from swiftclaw_local.dispatcher import engine as engine_module
from swiftclaw_local.errors import EngineStuck, StorageUnavailable
from swiftclaw_local.platform import Platform
from swiftclaw_local.storage.records import Mark, Recorded
from swiftclaw_local.storage.states import State
from tests.engine.scripted import ScriptedReceiver

URL = "http://127.0.0.1:9/hook"
Verb = Callable[..., Awaitable[Any]]


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "STORE_RETRY_S", 0.0)


def failing_times(verb: Verb, times: int) -> Verb:
    """Return the verb, failing as an unreachable database would the first so many times."""
    left = times

    async def call(*args: Any, **named: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            raise StorageUnavailable
        return await verb(*args, **named)

    return lambda *args, **named: asyncio.ensure_future(call(*args, **named))


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("verb", ["record", "claim_due"])
async def test_a_database_that_fails_for_a_while_costs_neither_the_result_nor_a_second_request(
    platform: Platform, receiver: ScriptedReceiver, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    receiver.respond(500, 200)
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await platform.deliveries.wait_attempted(list(accepted.delivery_ids), timeout_s=5)
    monkeypatch.setattr(platform._store, verb, failing_times(getattr(platform._store, verb), 3))
    with structlog.testing.capture_logs() as lines:
        await platform.timeline.advance(timedelta(minutes=1))
    assert [line["event"] for line in lines].count("store.failed") == 3
    delivery = await platform.reads.delivery(accepted.delivery_ids[0])
    assert (delivery.state, delivery.attempts, len(receiver.received)) == (State.SUCCEEDED, 2, 2)


async def test_a_stop_while_the_database_does_not_answer_is_an_orderly_end(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform._store, "keep_clock", failing_times(platform._store.keep_clock, 1))
    with structlog.testing.capture_logs() as lines:
        await platform.stop()
    assert [line["event"] for line in lines] == ["store.failed", "engine.stopped"]


async def test_something_due_that_cannot_be_claimed_is_an_error_not_an_endless_loop(
    platform: Platform, receiver: ScriptedReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    receiver.respond(500)
    accepted = await platform.events.emit("my-agent", type="agent.failed")
    await platform.deliveries.wait_attempted(list(accepted.delivery_ids), timeout_s=5)

    async def claim_nothing(*_: Any, **__: Any) -> list[Any]:
        return []

    monkeypatch.setattr(platform._store, "claim_due", claim_nothing)
    platform.clock.move_to(platform.clock.now() + timedelta(minutes=1))
    with pytest.raises(EngineStuck, match="due since"):
        await platform._engine.step()


async def test_no_more_is_sent_than_may_wait_to_be_written_down(
    platform: Platform, receiver: ScriptedReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "MOST_UNRECORDED", 3)
    record, waiting = platform._store.record, list[tuple[Mark, asyncio.Future[Recorded]]]()

    def later(mark: Mark) -> asyncio.Future[Recorded]:
        waiting.append((mark, asyncio.get_running_loop().create_future()))
        return waiting[-1][1]

    monkeypatch.setattr(platform._store, "record", later)
    await platform.webhooks.create("my-agent", url=URL)
    for _ in range(6):
        await platform.events.emit("my-agent", type="agent.failed")
    await receiver.arrived(3)
    await platform.reads.counts()  # turns of the loop in which a fourth would be sent
    sent = len(receiver.received)
    while len(receiver.received) < 6 or waiting:
        mark, written = waiting.pop(0)
        written.set_result(await record(mark))
        await asyncio.sleep(0)
    await platform._engine.settle()
    assert sent == 3


async def test_while_results_cannot_be_written_nothing_else_is_sent(
    platform: Platform, receiver: ScriptedReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "STORE_RETRY_S", 0.001)
    record, broken, tried = platform._store.record, True, asyncio.Semaphore(0)

    def call(mark: Mark) -> asyncio.Future[Recorded]:
        if not broken:
            return record(mark)
        tried.release()
        failed: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()
        failed.set_exception(StorageUnavailable())
        return failed

    monkeypatch.setattr(platform._store, "record", call)
    await platform.webhooks.create("my-agent", url=URL)
    for _ in range(10):
        await platform.events.emit("my-agent", type="agent.failed")
    for _ in range(5):
        await asyncio.wait_for(tried.acquire(), 5)
    assert len(receiver.received) <= 2  # the second began before the first was known to have failed
    broken = False
    await receiver.arrived(10)
    await platform._engine.settle()
    assert len(receiver.received) == 10
