"""Recording attempts: each edge, the fence against late writers, and the same answer given twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from swiftclaw_local.errors import UnknownDelivery
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import Attempt, AttemptMade, Claim, Mark, MarkRetry, MarkSucceeded
from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.store import Store
from tests.storage.databases import Database
from tests.storage.laps import claimed, failed_once, leased
from tests.storage.values import NOW, dead, event, later, made, retry, succeeded, webhook


@pytest.fixture
async def claim(store: Store) -> Claim:
    """A delivery in flight."""
    await store.add_webhook(webhook(), secret="s")
    return await leased(store)


async def test_a_success_ends_the_delivery(store: Store, reads: Reads, claim: Claim) -> None:
    recorded = await store.record(succeeded(claim, at=later(seconds=2)))
    delivery = await reads.delivery(claim.delivery_id)
    assert (recorded.outcome, recorded.state, recorded.superseded) == ("succeeded", State.SUCCEEDED, False)
    assert (delivery.state, delivery.reason, delivery.ended_at) == (State.SUCCEEDED, None, later(seconds=2))
    assert (delivery.attempts, delivery.retries_used) == (1, 0)
    assert (delivery.last_attempt_at, delivery.last_status, delivery.last_duration_ms) == (later(seconds=2), 200, 7)


async def test_a_failure_to_be_retried_is_pending_until_its_due_time(store: Store, reads: Reads, claim: Claim) -> None:
    recorded = await store.record(retry(claim, at=later(seconds=2), due_at=later(seconds=62)))
    delivery = await reads.delivery(claim.delivery_id)
    assert (recorded.outcome, recorded.state, recorded.attempt_number) == ("retry", State.PENDING, 1)
    assert (delivery.state, delivery.due_at, delivery.ended_at) == (State.PENDING, later(seconds=62), None)
    assert (delivery.attempts, delivery.retries_used, delivery.last_status) == (1, 1, 500)


async def test_an_attempt_made_again_uses_no_retry(store: Store, reads: Reads, claim: Claim) -> None:
    stale = made(claim, status=None, cause="stale_connection")
    recorded = await store.record(MarkRetry(stale, NOW, uses_retry=False))
    delivery = await reads.delivery(claim.delivery_id)
    assert recorded.outcome == "again"
    assert (delivery.attempts, delivery.retries_used, delivery.due_at) == (1, 0, NOW)
    assert (delivery.last_status, delivery.last_error_class) == (None, "stale_connection")
    (again,) = await claimed(store)
    assert (again.attempt_number, again.retries_used) == (2, 0)


async def test_a_second_request_under_one_lease_gets_a_row_that_changes_nothing(
    store: Store, reads: Reads, claim: Claim
) -> None:
    twin = replace(made(claim), lease_token=-claim.lease_token, fault="duplicate_simultaneous")
    recorded = await store.record(MarkSucceeded(twin))
    assert (recorded.outcome, recorded.superseded, recorded.state) == ("superseded", True, State.IN_FLIGHT)
    await store.record(succeeded(claim))
    rows = [(row.outcome, row.fault) for row in await reads.attempts(claim.delivery_id)]
    assert rows == [("superseded", "duplicate_simultaneous"), ("succeeded", None)]
    assert (await reads.delivery(claim.delivery_id)).attempts == 1


async def test_a_dead_delivery_has_ended_with_its_reason(store: Store, reads: Reads, claim: Claim) -> None:
    recorded = await store.record(dead(claim, at=later(seconds=2), reason="rejected"))
    delivery = await reads.delivery(claim.delivery_id)
    assert (recorded.outcome, recorded.state) == ("dead", State.DEAD)
    assert (delivery.state, delivery.reason, delivery.ended_at) == (State.DEAD, "rejected", later(seconds=2))


async def test_the_attempts_row_holds_everything_byte_for_byte(store: Store, reads: Reads, claim: Claim) -> None:
    attempt = AttemptMade(
        delivery_id=claim.delivery_id,
        lease_token=claim.lease_token,
        started_at=later(seconds=1, microseconds=5),
        ended_at=later(seconds=2),
        duration_ms=999,
        url="http://localhost/x",
        request_head=b"Host: localhost\r\nX: \xff\x00\r\n",
        signature="ab" * 32,
        status=200,
        error_class=None,
        error_detail="detail",
        response_head=b"Server: \xfe\x00\r\n",
        response_body=b"\x00\xff<script>",
        response_size=12345,
        fault="delay:30s",
        truncated="size",
    )
    recorded = await store.record(MarkSucceeded(attempt))
    assert await reads.attempts(claim.delivery_id) == [
        Attempt(
            id=recorded.attempt_id,
            delivery_id=claim.delivery_id,
            number=1,
            retry=0,
            outcome="succeeded",
            scheduled_at=NOW,
            started_at=attempt.started_at,
            ended_at=attempt.ended_at,
            duration_ms=999,
            url=attempt.url,
            request_head=attempt.request_head,
            signature=attempt.signature,
            status=200,
            error_class=None,
            error_detail="detail",
            response_head=attempt.response_head,
            response_body=attempt.response_body,
            response_size=12345,
            truncated="size",
            fault="delay:30s",
        )
    ]


async def test_attempts_are_numbered_and_know_when_they_were_due(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    await failed_once(store, due_at=later(minutes=1))
    (claim,) = await claimed(store, now=later(minutes=2))
    await store.record(succeeded(claim, at=later(minutes=3)))
    attempts = await reads.attempts(claim.delivery_id)
    assert [(a.number, a.retry, a.outcome) for a in attempts] == [(1, 0, "retry"), (2, 1, "succeeded")]
    assert [a.scheduled_at for a in attempts] == [NOW, later(minutes=1)]
    assert attempts[0].id < attempts[1].id


async def test_recording_the_same_attempt_twice_writes_it_once(store: Store, reads: Reads, claim: Claim) -> None:
    mark = retry(claim, due_at=later(minutes=1))
    first = await store.record(mark)
    assert await store.record(mark) == first
    assert len(await reads.attempts(claim.delivery_id)) == 1
    delivery = await reads.delivery(claim.delivery_id)
    assert (delivery.attempts, delivery.retries_used, delivery.due_at) == (1, 1, later(minutes=1))


async def test_recording_the_same_attempt_twice_in_one_group_writes_it_once(
    store: Store, reads: Reads, claim: Claim
) -> None:
    mark = retry(claim, due_at=later(minutes=1))
    first, second = await asyncio.gather(store.record(mark), store.record(mark))
    assert first == second
    assert len(await reads.attempts(claim.delivery_id)) == 1
    assert (await reads.delivery(claim.delivery_id)).attempts == 1


async def test_an_answer_repeated_after_the_next_claim_still_changes_nothing(
    store: Store, reads: Reads, claim: Claim
) -> None:
    first = await store.record(retry(claim, due_at=NOW))
    await claimed(store)
    again = await store.record(retry(claim, due_at=NOW))
    assert (again.attempt_id, again.outcome, again.superseded) == (first.attempt_id, "retry", False)
    assert (await reads.delivery(claim.delivery_id)).state is State.IN_FLIGHT


async def test_a_late_owner_changes_nothing_while_the_next_one_is_sending(
    store: Store, reads: Reads, claim: Claim
) -> None:
    await store.give_back([claim], now=NOW)
    (current,) = await claimed(store)
    assert (await reads.delivery(claim.delivery_id)).state is State.IN_FLIGHT  # both owners see this very state
    late = await store.record(succeeded(claim, at=later(seconds=1)))
    assert (late.superseded, late.outcome, late.state) == (True, "superseded", State.IN_FLIGHT)
    delivery = await reads.delivery(claim.delivery_id)
    assert (delivery.state, delivery.attempts, delivery.last_status) == (State.IN_FLIGHT, 0, None)
    recorded = await store.record(retry(current, due_at=later(minutes=1)))
    assert (recorded.superseded, recorded.state) == (False, State.PENDING)
    assert [a.outcome for a in await reads.attempts(claim.delivery_id)] == ["superseded", "retry"]


async def test_a_late_owner_changes_nothing_while_nobody_is_sending(store: Store, reads: Reads, claim: Claim) -> None:
    await store.give_back([claim], now=NOW)  # pending, and the token is still the late owner's
    late = await store.record(succeeded(claim))
    assert (late.superseded, late.state) == (True, State.PENDING)
    assert (await reads.delivery(claim.delivery_id)).state is State.PENDING


async def test_a_late_owner_does_not_bring_an_ended_delivery_back(store: Store, reads: Reads, claim: Claim) -> None:
    await store.give_back([claim], now=NOW)
    (current,) = await claimed(store)
    await store.record(succeeded(current))
    late = await store.record(retry(claim, due_at=NOW))
    assert (late.superseded, late.state) == (True, State.SUCCEEDED)
    assert await claimed(store) == []


async def test_a_superseded_answer_repeated_is_logged_once(store: Store, reads: Reads, claim: Claim) -> None:
    await store.give_back([claim], now=NOW)
    first = await store.record(succeeded(claim))
    assert await store.record(succeeded(claim)) == first
    assert [a.outcome for a in await reads.attempts(claim.delivery_id)] == ["superseded"]


async def test_what_only_some_of_a_group_have_to_say_is_kept(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    claims = [await leased(store, number) for number in range(4)]
    said: list[dict[str, Any]] = [{}, {"truncated": "size"}, {"fault": "delay:1s"}, {"error_detail": "x"}]
    marks = [MarkSucceeded(replace(made(claim, status=200), **more)) for claim, more in zip(claims, said, strict=True)]
    await asyncio.gather(*(store.record(mark) for mark in marks))
    kept = [(await reads.attempts(claim.delivery_id))[0] for claim in claims]
    assert said == [
        {name: value for name in ("truncated", "fault", "error_detail") if (value := getattr(one, name)) is not None}
        for one in kept
    ]
    assert {(State.SUCCEEDED, 1, 200)} == {
        (one.state, one.attempts, one.last_status)
        for one in [await reads.delivery(claim.delivery_id) for claim in claims]
    }


async def test_one_late_writer_does_not_disturb_the_others_of_its_group(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    claims = [await leased(store, number) for number in range(4)]
    await store.give_back(claims[1:2], now=NOW)
    results = await asyncio.gather(*(store.record(succeeded(claim)) for claim in claims))
    assert [r.superseded for r in results] == [False, True, False, False]
    states = [(await reads.delivery(claim.delivery_id)).state for claim in claims]
    assert states == [State.SUCCEEDED, State.PENDING, State.SUCCEEDED, State.SUCCEEDED]
    for claim in claims:
        assert len(await reads.attempts(claim.delivery_id)) == 1


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ("UPDATE delivery SET lease_token = lease_token + 1", State.IN_FLIGHT),
        ("UPDATE delivery SET state = 'pending'", State.PENDING),
    ],
)
@pytest.mark.parametrize("ending", [succeeded, dead])
async def test_a_delivery_changed_behind_the_stores_back_is_fenced_all_the_same(  # noqa: PLR0917 - its fixtures
    store: Store, database: Database, reads: Reads, claim: Claim, change: str, state: State, ending: Callable[..., Mark]
) -> None:
    database.meddle(change)
    late = await store.record(ending(claim))
    delivery = await reads.delivery(claim.delivery_id)
    assert late.superseded
    assert (delivery.state, delivery.attempts) == (state, 0)


async def test_the_attempts_row_and_the_edge_are_written_together_or_not_at_all(
    store: Store, database: Database, reads: Reads, claim: Claim
) -> None:
    database.refuse_attempts()
    with pytest.raises(Exception, match="no attempts today"):
        await store.record(succeeded(claim))
    assert (await reads.delivery(claim.delivery_id)).state is State.IN_FLIGHT
    database.take_attempts()
    assert (await store.record(succeeded(claim))).state is State.SUCCEEDED


async def test_a_retry_of_a_deleted_webhook_ends_as_canceled(store: Store, reads: Reads, claim: Claim) -> None:
    await store.remove_webhook(claim.webhook_id, now=NOW)
    recorded = await store.record(retry(claim, at=later(seconds=2), due_at=later(minutes=1)))
    delivery = await reads.delivery(claim.delivery_id)
    assert (recorded.outcome, recorded.state) == ("retry", State.CANCELED)
    assert (delivery.state, delivery.reason, delivery.ended_at) == (
        State.CANCELED,
        "webhook_deleted",
        later(seconds=2),
    )
    assert delivery.attempts == 1


async def test_a_success_of_a_deleted_webhook_counts(store: Store, reads: Reads, claim: Claim) -> None:
    await store.remove_webhook(claim.webhook_id, now=NOW)
    assert (await store.record(succeeded(claim))).state is State.SUCCEEDED


async def test_an_attempt_of_a_forgotten_delivery_is_refused(store: Store, database: Database, claim: Claim) -> None:
    await store.reset(keep_webhooks=True)
    with pytest.raises(UnknownDelivery):
        await store.record(succeeded(claim))
    assert database.rows("SELECT count(*) FROM attempt") == [(0,)]


async def test_one_forgotten_delivery_does_not_disturb_the_others_of_its_group(store: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    forgotten = await leased(store, 1)
    await store.reset(keep_webhooks=True)
    kept = await leased(store, 2)
    lost, recorded = await asyncio.gather(
        store.record(succeeded(forgotten)), store.record(succeeded(kept)), return_exceptions=True
    )
    assert isinstance(lost, UnknownDelivery)
    assert not isinstance(recorded, BaseException)
    assert recorded.state is State.SUCCEEDED


async def test_many_attempts_recorded_at_once_all_come_out_right(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    claims = [await leased(store, of=event(number)) for number in range(60)]
    marks = [
        (succeeded(c), dead(c), retry(c, due_at=later(minutes=number + 1)))[number % 3]
        for number, c in enumerate(claims)
    ]
    results = await asyncio.gather(*(store.record(mark) for mark in marks))
    assert [r.outcome for r in results] == ["succeeded", "dead", "retry"] * 20
    assert len({r.attempt_id for r in results}) == 60
    for number, claim in enumerate(claims):
        delivery = await reads.delivery(claim.delivery_id)
        assert delivery.state is (State.SUCCEEDED, State.DEAD, State.PENDING)[number % 3]
        assert delivery.due_at == (later(minutes=number + 1) if number % 3 == 2 else NOW)
