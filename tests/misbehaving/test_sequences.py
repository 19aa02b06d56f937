"""What misbehaving receivers do over several exchanges: each event gets its own answer, and the schedule stays exact."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from swiftclaw_local.storage.states import State
from tests.misbehaving import handlers
from tests.misbehaving.stage import SETTLED_S, stage
from tests.ports import free_port
from tests.receivers import OK, Handler, Stream, answering, raw_receiver

MINUTE = timedelta(minutes=1)
TEN_HOURS = timedelta(hours=10)


def each_in_turn(*statuses: int) -> Handler:
    """Return a handler that answers one request per connection with the next status, the last one for ever."""

    left = list(statuses)

    async def handle(stream: Stream) -> None:
        if await stream.request():
            status = left.pop(0) if len(left) > 1 else left[0]
            await stream.answer(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)

    return handle


async def test_after_an_unasked_answer_the_next_event_gets_its_own() -> None:
    async with raw_receiver(handlers.number_the_answers) as receiver, stage() as on:
        webhook = await on.webhook(receiver.url)
        bodies = []
        for _ in range(3):
            delivery_id = await on.emit(webhook)
            await on.attempted(delivery_id)
            bodies.append((await on.platform.reads.attempts(delivery_id))[-1].response_body)
            await asyncio.sleep(0.2)  # until the unasked answer has come
    assert bodies == [b"1", b"2", b"3"]


@pytest.mark.parametrize("glued", [b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", b"\x00garbage"])
async def test_after_a_glued_answer_the_next_event_gets_its_own(glued: bytes) -> None:
    async with raw_receiver(answering(OK + glued, close=False)) as receiver, stage() as on:
        webhook = await on.webhook(receiver.url)
        for _ in range(3):
            delivery_id = await on.emit(webhook)
            await on.attempted(delivery_id)
            assert (await on.seen(delivery_id)).status == 200
    assert receiver.connections == 3


async def test_a_thousand_events_to_one_that_promises_to_keep_the_connection_use_no_retry() -> None:
    async with raw_receiver(handlers.promise_and_close) as receiver, stage(budget_s=10.0, clock="real") as on:
        webhook = await on.webhook(receiver.url)
        sent = [await on.emit(webhook) for _ in range(1000)]
        await on.platform.deliveries.wait_settled(sent, timeout_s=30)
        ended = [await on.platform.reads.delivery(name) for name in sent]
        outcomes = Counter([a.outcome for name in sent for a in await on.platform.reads.attempts(name)])
    assert Counter((d.state, d.retries_used) for d in ended) == {(State.SUCCEEDED, 0): 1000}
    assert set(outcomes) <= {"succeeded", "again"}
    assert len(receiver.requests) == 1000


@pytest.mark.parametrize(
    ("statuses", "minutes", "state"),
    [
        ([500, 200], [0, 1], State.SUCCEEDED),
        ([500, 503, 599, 201], [0, 1, 6, 21], State.SUCCEEDED),
        ([500, 500, 500, 500, 500, 200], [0, 1, 6, 21, 81, 441], State.SUCCEEDED),
        ([500, 404], [0, 1], State.DEAD),
        ([500], [0, 1, 6, 21, 81, 441], State.DEAD),
    ],
)
async def test_the_number_of_sends_is_exact_and_success_ends_the_schedule(
    statuses: list[int], minutes: list[int], state: State
) -> None:
    async with raw_receiver(each_in_turn(*statuses)) as receiver, stage() as on:
        delivery_id = await on.emit(await on.webhook(receiver.url))
        await on.attempted(delivery_id)
        await on.platform.timeline.advance(TEN_HOURS)
        attempts = await on.platform.reads.attempts(delivery_id)
        assert [(a.started_at - attempts[0].started_at) / MINUTE for a in attempts] == minutes
        assert (await on.platform.reads.delivery(delivery_id)).state is state
    assert len(receiver.requests) == len(minutes)


async def test_one_that_alternates_gets_two_sends_for_each_event() -> None:
    async with raw_receiver(each_in_turn(*[500, 200] * 5)) as receiver, stage() as on:
        webhook = await on.webhook(receiver.url)
        for _ in range(5):
            await on.attempted(await on.emit(webhook))
            await on.platform.timeline.advance(TEN_HOURS)
    assert len(receiver.requests) == 10


async def test_a_receiver_that_calls_the_platform_from_its_handler_does_not_lock_it() -> None:
    """With one slot: it emits, then replays what ended, then deletes its own webhook, each before it answers."""
    done: list[str] = []
    calls: list[Callable[[], Awaitable[object]]] = []
    ready = asyncio.Event()

    async def call_back(stream: Stream) -> None:
        await stream.request()
        await ready.wait()
        if calls:
            result = await calls.pop(0)()
            done.append(type(result).__name__)
        await stream.answer(OK)

    async with raw_receiver(call_back) as receiver, stage(budget_s=10.0, clock="real", per_webhook=1) as on:
        ended = await on.emit(await on.webhook(on.healthy.url, agent="another"), agent="another")
        await on.attempted(ended)
        webhook = await on.webhook(receiver.url)
        calls += [
            lambda: on.platform.events.emit("misled", type="agent.failed"),
            lambda: on.platform.deliveries.replay(ended),
            lambda: on.platform.webhooks.delete("misled", webhook),
        ]
        sent = [await on.emit(webhook) for _ in range(3)]
        ready.set()
        await on.platform.deliveries.wait_settled(sent, timeout_s=SETTLED_S)
        states = [(await on.platform.reads.delivery(name)).state for name in sent]
    assert done == ["Accepted", "str", "WebhookDeleted"]
    assert states == [State.SUCCEEDED] * 3
    assert len(receiver.requests) == 3  # what it emitted itself ended with its webhook, unsent


async def _ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK)
    await writer.drain()
    writer.close()


async def test_it_is_looked_up_anew_for_each_attempt_when_it_moves_to_another_address() -> None:
    async with raw_receiver(each_in_turn(500)) as before, raw_receiver(each_in_turn(200)) as after, stage() as on:
        with handlers.names({"moving": ["127.0.0.2"]}):
            delivery_id = await on.emit(await on.webhook(f"http://moving:{after.port}/hook"))
            await on.attempted(delivery_id)
        with handlers.names({"moving": ["127.0.0.1"]}):
            await on.platform.timeline.advance(MINUTE)
        attempts = await on.platform.reads.attempts(delivery_id)
    assert [(a.error_class, a.status) for a in attempts] == [("connect_refused", None), (None, 200)]
    assert before.connections == 0


async def test_a_dead_first_address_does_not_keep_an_event_from_the_living_second() -> None:
    async with raw_receiver(each_in_turn(200)) as receiver, stage() as on:
        with handlers.names({"twofold": ["127.0.0.2", "127.0.0.1"]}):
            delivery_id = await on.emit(await on.webhook(f"http://twofold:{receiver.port}/hook"))
            await on.attempted(delivery_id)
        assert (await on.seen(delivery_id)).next == "S"


async def test_it_may_come_back_on_the_other_family_in_mid_schedule() -> None:
    port = free_port()
    async with stage() as on:
        with handlers.names({"both": ["::1", "127.0.0.1"]}):
            delivery_id = await on.emit(await on.webhook(f"http://both:{port}/hook"))
            await on.attempted(delivery_id)
            server = await asyncio.start_server(_ok, "::1", port)
            await on.platform.timeline.advance(MINUTE)
        server.close()
        attempts = await on.platform.reads.attempts(delivery_id)
    assert [(a.error_class, a.status) for a in attempts] == [("connect_refused", None), (None, 200)]
