"""Every kind of fault, as a receiver sees it: the bytes on a raw socket, and the rows that tell of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from swiftclaw_local.dispatcher.armed import HELD_FOR
from swiftclaw_local.dispatcher.faults import NOT_JSON, OTHER_SECRET, ROTATED_SECRET, UNKNOWN_TYPE
from swiftclaw_local.dispatcher.signing import sign
from swiftclaw_local.platform import Platform
from swiftclaw_local.scheduler.clock import Stopwatch
from swiftclaw_local.settings import Settings
from swiftclaw_local.storage.states import State
from tests.engine.stage import SECRET, SIGNATURE, Stage
from tests.receivers import Stream, raw_receiver

SUCCEEDED = ("succeeded", 200, None)


# --- one request, changed -------------------------------------------------------------------------------------------


async def test_without_a_fault_the_stored_bytes_go_out_and_the_row_tells_of_none(stage: Stage) -> None:
    (name,) = await stage.emit()
    body = await stage.body(name)
    assert (stage.sent(), await stage.told(name)) == ([(body, sign(SECRET, body))], [(*SUCCEEDED, None)])


async def test_wrong_signature_has_the_form_of_one_and_is_none(stage: Stage) -> None:
    await stage.add("wrong_signature")
    (name,) = await stage.emit()
    ((body, signature),) = stage.sent()
    right = sign(SECRET, body)
    assert signature is not None
    assert sum(a != b for a, b in zip(signature, right, strict=True)) == 1
    assert int(signature, 16) >= 0
    assert (body, await stage.told(name)) == (await stage.body(name), [(*SUCCEEDED, "wrong_signature")])


async def test_missing_signature_leaves_the_header_out_and_nothing_else(stage: Stage) -> None:
    (plain,) = await stage.emit(id="evt_1")
    await stage.platform.deliveries.replay(plain)
    await stage.add("missing_signature")
    await stage.platform.timeline.advance(timedelta())
    first, second = stage.receiver.requests
    assert second == b"".join(line for line in first.splitlines(keepends=True) if not line.startswith(SIGNATURE))


@pytest.mark.parametrize(
    ("kind", "secret"), [("other_secret", OTHER_SECRET), ("secret_rotated_midway", ROTATED_SECRET)]
)
async def test_another_secret_signs_the_same_bytes(stage: Stage, kind: str, secret: str) -> None:
    await stage.add(kind)
    (name,) = await stage.emit()
    body = await stage.body(name)
    assert (stage.sent(), await stage.told(name)) == ([(body, sign(secret, body))], [(*SUCCEEDED, kind)])


async def test_a_secret_rotated_midway_signs_the_first_half_as_before(stage: Stage) -> None:
    await stage.add("secret_rotated_midway", times=4)
    await stage.emit(5)
    secrets = [[s for s in (SECRET, ROTATED_SECRET) if sign(s, body) == signature] for body, signature in stage.sent()]
    assert secrets == [[SECRET], [SECRET], [ROTATED_SECRET], [ROTATED_SECRET], [SECRET]]


async def test_tampered_body_is_an_event_with_another_time_under_the_old_signature(stage: Stage) -> None:
    await stage.add("tampered_body")
    (name,) = await stage.emit()
    stored = await stage.body(name)
    ((body, signature),) = stage.sent()
    assert signature == sign(SECRET, stored)
    changed, right = json.loads(body), json.loads(stored)
    assert {key for key in right if changed[key] != right[key]} == {"created"}
    assert len(body) == len(stored)


async def test_truncated_body_is_the_first_half_under_the_signature_of_the_whole(stage: Stage) -> None:
    await stage.add("truncated_body")
    (name,) = await stage.emit()
    stored = await stage.body(name)
    assert stage.sent() == [(stored[: len(stored) // 2], sign(SECRET, stored))]


SIGNED: dict[str, Callable[[bytes], bytes]] = {
    "not_json": lambda stored: NOT_JSON,
    "empty_body": lambda stored: b"",
    "body_shape:pretty": lambda stored: json.dumps(json.loads(stored), indent=2).encode(),
    "body_shape:spaced": lambda stored: json.dumps(json.loads(stored)).encode(),
    "body_shape:newline": lambda stored: stored + b"\n",
    "body_shape:floats": lambda stored: stored.replace(b"1250,", b"1250.0,").replace(b"450,", b"450.0,"),
    "unknown_type": lambda stored: stored.replace(b"agent.completed", UNKNOWN_TYPE.encode()),
    "old_created:1d": lambda stored: stored.replace(
        str(json.loads(stored)["created"]).encode(), str(json.loads(stored)["created"] - 86_400).encode()
    ),
}


@pytest.mark.parametrize("kind", SIGNED)
async def test_a_body_that_is_made_anew_is_signed_as_it_is_sent(stage: Stage, kind: str) -> None:
    await stage.add(kind)
    (name,) = await stage.emit()
    body = SIGNED[kind](await stage.body(name))
    assert (stage.sent(), await stage.told(name)) == ([(body, sign(SECRET, body))], [(*SUCCEEDED, kind)])


async def test_huge_body_is_the_same_event_and_so_many_bytes_long(stage: Stage) -> None:
    await stage.add("huge_body", params={"bytes": 100_000})
    (name,) = await stage.emit()
    ((body, signature),) = stage.sent()
    event = json.loads(body)
    assert event["data"].pop("padding").strip("x") == ""
    assert (event, len(body), signature) == (json.loads(await stage.body(name)), 100_000, sign(SECRET, body))


@pytest.mark.parametrize("kind", ["body_shape:utf8", "body_shape:escaped"])
async def test_shapes_of_letters_beyond_ascii_have_some(stage: Stage, kind: str) -> None:
    await stage.add(kind)
    await stage.emit()
    ((body, signature),) = stage.sent()
    assert "Grüße" in json.loads(body)["data"]["note"]
    assert (body.isascii(), signature) == (kind.endswith("escaped"), sign(SECRET, body))


async def test_the_stored_event_is_never_changed(stage: Stage) -> None:
    kinds = ["tampered_body", "unknown_type", "old_created", "huge_body:2000", "empty_body", "not_json"]
    for kind in kinds:
        await stage.add(kind)
    (name,) = await stage.emit()
    for _ in kinds:
        await stage.platform.deliveries.replay(name)
        await stage.platform.timeline.advance(timedelta())
    bodies = [body for body, _ in stage.sent()]
    assert bodies[-1] == await stage.body(name)
    assert len(set(bodies)) == len(kinds) + 1


# --- more than one request, or none ---------------------------------------------------------------------------------


async def test_duplicate_sends_the_same_bytes_twice_each_with_its_row(stage: Stage) -> None:
    await stage.add("duplicate")
    (name,) = await stage.emit()
    first, second = stage.receiver.requests
    assert first == second
    assert await stage.told(name) == [("again", 200, None, "duplicate"), (*SUCCEEDED, None)]
    assert (await stage.delivery(name)).state is State.SUCCEEDED


async def test_a_duplicate_that_is_armed_for_two_doubles_two_deliveries(stage: Stage) -> None:
    await stage.add("duplicate", times=2)
    await stage.emit(3)
    ids = [json.loads(body)["id"] for body, _ in stage.sent()]
    assert [ids.count(name) for name in dict.fromkeys(ids)] == [2, 2, 1]


async def test_duplicate_simultaneous_has_both_requests_in_before_either_is_answered() -> None:
    together = asyncio.Barrier(2)

    async def both(stream: Stream) -> None:
        await stream.request()
        async with asyncio.timeout(5):
            await together.wait()
        await stream.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with raw_receiver(both) as receiver:
        platform = await Platform.open(Settings(ephemeral=True, clock="manual", seed=7))
        await platform.start()
        await platform.webhooks.create("my-agent", url=receiver.url)
        stage = Stage(platform, receiver)
        await stage.add("duplicate_simultaneous")
        (name,) = await stage.emit()
        first, second = receiver.requests
        told = await stage.told(name)
        await platform.stop()
    assert first == second
    assert told == [
        ("superseded", 200, None, "duplicate_simultaneous"),
        ("succeeded", 200, None, "duplicate_simultaneous"),
    ]


async def test_lost_reply_is_retried_on_the_schedule_with_the_same_bytes(stage: Stage) -> None:
    await stage.add("lost_reply")
    (name,) = await stage.emit()
    (row,) = await stage.rows(name)
    assert (row.outcome, row.status, row.error_class, row.fault) == ("retry", None, "timeout", "lost_reply")
    assert "answered 200" in (row.error_detail or "")
    await stage.platform.timeline.advance(timedelta(seconds=59))
    assert len(stage.receiver.requests) == 1
    await stage.platform.timeline.advance(timedelta(seconds=1))
    first, second = stage.receiver.requests
    assert first == second
    assert (await stage.told(name))[1] == (*SUCCEEDED, None)


async def test_drop_sends_nothing_and_ends_the_delivery(stage: Stage) -> None:
    await stage.add("drop")
    (name,) = await stage.emit()
    delivery = await stage.delivery(name)
    assert stage.receiver.connections == 0
    assert (delivery.state, delivery.reason) == (State.DEAD, "dropped")
    (row,) = await stage.rows(name)
    assert (row.request_head, row.error_class, row.fault) == (b"", "dropped", "drop")


async def test_delay_holds_a_delivery_back_on_the_engines_clock_and_uses_up_no_retry(stage: Stage) -> None:
    await stage.add("delay:2h")
    (name,) = await stage.emit()
    await stage.platform.timeline.advance(timedelta(hours=2, seconds=-1))
    assert stage.receiver.connections == 0
    await stage.platform.timeline.advance(timedelta(seconds=1))
    assert [body for body, _ in stage.sent()] == [await stage.body(name)]
    assert await stage.told(name) == [("again", None, "held_back", "delay:2h"), (*SUCCEEDED, None)]
    assert (await stage.delivery(name)).retries_used == 0


async def test_reorder_turns_the_order_of_three_around(stage: Stage) -> None:
    await stage.add("reorder:3")
    names = [*await stage.emit(3), *await stage.emit()]
    order = [json.loads(body)["id"] for body, _ in stage.sent()]
    ids = [(await stage.delivery(name)).event_id for name in names]
    assert order == [ids[2], ids[1], ids[0], ids[3]]
    held = ("again", None, "held_back", "reorder:3")
    assert [await stage.told(name) for name in names] == [
        [held, (*SUCCEEDED, None)],
        [held, (*SUCCEEDED, None)],
        [(*SUCCEEDED, "reorder:3")],
        [(*SUCCEEDED, None)],
    ]


async def test_reorder_goes_past_a_delivery_that_was_canceled_meanwhile(stage: Stage) -> None:
    await stage.add("reorder:3")
    names = await stage.emit(2)
    await stage.platform.deliveries.cancel(names[1])
    names += await stage.emit(1)
    order = [json.loads(body)["id"] for body, _ in stage.sent()]
    assert order == [(await stage.delivery(name)).event_id for name in (names[2], names[0])]


async def test_what_waits_in_vain_for_others_to_be_reordered_goes_after_a_minute(stage: Stage) -> None:
    await stage.add("reorder:2")
    (name,) = await stage.emit()
    assert stage.receiver.connections == 0
    await stage.platform.timeline.advance(HELD_FOR)
    assert (len(stage.sent()), (await stage.delivery(name)).state) == (1, State.SUCCEEDED)


async def test_burst_sends_all_at_once_when_the_last_one_is_there() -> None:
    together = asyncio.Barrier(3)

    async def all_three(stream: Stream) -> None:
        while await stream.request():
            async with asyncio.timeout(5):
                await together.wait()
            await stream.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with raw_receiver(all_three) as receiver:
        platform = await Platform.open(Settings(ephemeral=True, seed=7))
        await platform.start()
        await platform.webhooks.create("my-agent", url=receiver.url)
        await platform.faults.arm("burst:3")
        ids = [
            name
            for _ in range(3)
            for name in (await platform.events.emit("my-agent", type="agent.completed")).delivery_ids
        ]
        await platform.deliveries.wait_settled(ids, timeout_s=5)
        told = [(row.outcome, row.fault) for name in ids for row in await platform.reads.attempts(name)]
        await platform.stop()
    assert told == [("again", "burst:3"), ("succeeded", None)] * 3


# --- what needs the wire --------------------------------------------------------------------------------------------


async def test_slow_upload_sends_the_body_at_its_rate() -> None:
    arrived: list[bytes] = []

    async def piecemeal(stream: Stream) -> None:
        head = await stream.reader.readuntil(b"\r\n\r\n")
        left = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        while left:
            arrived.append(await stream.reader.read(left))
            left -= len(arrived[-1])
        await stream.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    stopwatch = Stopwatch()
    async with raw_receiver(piecemeal) as receiver:
        platform = await Platform.open(Settings(ephemeral=True, clock="manual", seed=7))
        await platform.start()
        await platform.webhooks.create("my-agent", url=receiver.url)
        stage = Stage(platform, receiver)
        await stage.add("slow_upload:1000")
        (name,) = await stage.emit()
        stored, told = await stage.body(name), await stage.told(name)
        await platform.stop()
    assert (b"".join(arrived), told) == (stored, [(*SUCCEEDED, "slow_upload:1000")])
    assert max(len(piece) for piece in arrived) <= 100
    assert stopwatch.elapsed_ms() >= len(stored) // 100 * 100


async def test_slow_upload_ends_with_an_answer_that_comes_early() -> None:
    async def hasty(stream: Stream) -> None:
        await stream.reader.readuntil(b"\r\n\r\n")
        await stream.answer(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await stream.reader.read()

    async with raw_receiver(hasty) as receiver:
        platform = await Platform.open(Settings(ephemeral=True, clock="manual", seed=7))
        await platform.start()
        await platform.webhooks.create("my-agent", url=receiver.url)
        stage = Stage(platform, receiver)
        await stage.add("slow_upload:1")
        (name,) = await stage.emit()
        told = await stage.told(name)
        await platform.stop()
    assert told == [("dead", 413, None, "slow_upload:1")]


async def test_hang_up_early_ends_the_connection_in_the_middle_of_the_body() -> None:
    arrived: list[bytes] = []

    async def to_the_end(stream: Stream) -> None:
        arrived.append(await stream.reader.read())

    async with raw_receiver(to_the_end) as receiver:
        platform = await Platform.open(Settings(ephemeral=True, clock="manual", seed=7))
        await platform.start()
        await platform.webhooks.create("my-agent", url=receiver.url)
        stage = Stage(platform, receiver)
        await stage.add("hang_up_early")
        (name,) = await stage.emit()
        stored, told = await stage.body(name), await stage.told(name)
        await platform.stop()
    head, _, body = arrived[0].partition(b"\r\n\r\n")
    assert f"Content-Length: {len(stored)}".encode() in head
    assert (body, told) == (stored[: len(stored) // 2], [("retry", None, "hung_up", "hang_up_early")])


async def test_what_is_carried_badly_gets_a_connection_of_its_own(stage: Stage) -> None:
    await stage.emit()
    await stage.add("hang_up_early")
    (name,) = await stage.emit()
    assert await stage.told(name) == [("retry", None, "hung_up", "hang_up_early")]


async def test_who_waits_for_the_first_attempt_waits_for_both_of_a_duplicate(stage: Stage) -> None:
    await stage.add("duplicate")
    accepted = await stage.platform.events.emit("my-agent", type="agent.completed")
    await stage.platform.deliveries.wait_attempted(list(accepted.delivery_ids), timeout_s=5)
    assert (await stage.delivery(accepted.delivery_ids[0])).state is State.SUCCEEDED


# --- nothing sent, and an outcome made up -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("refused", ("retry", None, "connect_refused", "refused")),
        ("status", ("retry", 503, None, "status:503")),
        ("status:429", ("dead", 429, None, "status:429")),
    ],
)
async def test_an_outcome_is_made_up_and_the_receiver_not_asked(
    stage: Stage, kind: str, told: tuple[str, int | None, str | None, str]
) -> None:
    await stage.add(kind)
    (name,) = await stage.emit()
    (row,) = await stage.rows(name)
    assert (stage.sent(), await stage.told(name)) == ([], [told])
    assert (row.request_head, row.signature, row.response_body or b"") == (b"", "", b"")


async def test_what_was_taken_for_refused_is_retried_on_the_schedule_and_uses_up_a_retry(stage: Stage) -> None:
    await stage.add("refused")
    (name,) = await stage.emit()
    await stage.platform.timeline.advance(timedelta(minutes=1))
    assert [row.retry for row in await stage.rows(name)] == [0, 1]
    assert (await stage.delivery(name)).state is State.SUCCEEDED
