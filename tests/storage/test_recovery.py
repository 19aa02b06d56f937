"""What a dead process left in flight: given back once, counted, and in the end given up."""

from __future__ import annotations

from datetime import datetime

import pytest

from swiftclaw_local.storage.records import Claim, Opened, WebhookChange
from swiftclaw_local.storage.states import State
from tests.storage.databases import Database, ReadableStore
from tests.storage.laps import claimed, leased
from tests.storage.values import NOW, event, later, retry, succeeded, webhook


async def restarted(database: Database, store: ReadableStore, *, now: datetime) -> tuple[ReadableStore, Opened]:
    """Close the store, as death would, and return the next one after its recovery."""
    await store.close()
    database.let_leases_run_out()
    following = database.store()
    await following.open()
    return following, await following.recover(now=now)


@pytest.fixture
async def claim(store: ReadableStore) -> Claim:
    """A delivery in flight."""
    await store.add_webhook(webhook(), secret="s")
    return await leased(store)


async def test_a_delivery_in_flight_is_logged_as_interrupted_and_due_again(
    database: Database, store: ReadableStore, claim: Claim
) -> None:
    following, opened = await restarted(database, store, now=later(seconds=30))
    assert opened == Opened(interrupted=1, overdue=1, webhooks=1, deliveries=1)
    delivery = await following.reads().delivery(claim.delivery_id)
    assert (delivery.state, delivery.attempts, delivery.retries_used) == (State.PENDING, 1, 0)
    (attempt,) = await following.reads().attempts(claim.delivery_id)
    assert (attempt.outcome, attempt.number, attempt.error_class) == ("interrupted", 1, "interrupted")
    assert (attempt.started_at, attempt.ended_at) == (NOW, later(seconds=30))
    (again,) = await claimed(following, now=later(seconds=30))
    assert (again.lease_token, again.attempt_number, again.retries_used) == (2, 2, 0)
    await following.close()


async def test_a_claim_given_back_by_recovery_fences_its_dead_owner(
    database: Database, store: ReadableStore, claim: Claim
) -> None:
    following, _ = await restarted(database, store, now=NOW)
    await claimed(following)
    late = await following.record(succeeded(claim))
    assert (late.outcome, late.state) == ("interrupted", State.IN_FLIGHT)
    await following.close()


async def test_recovery_finds_nothing_after_an_orderly_end(
    database: Database, store: ReadableStore, claim: Claim
) -> None:
    await store.record(succeeded(claim))
    following, opened = await restarted(database, store, now=NOW)
    assert opened == Opened(interrupted=0, overdue=0, webhooks=1, deliveries=1)
    await following.close()


async def test_what_is_overdue_counts_enabled_webhooks_only(database: Database, store: ReadableStore) -> None:
    await store.add_webhook(webhook("a"), secret="s")
    await store.add_webhook(webhook("b", enabled=False), secret="s")
    await store.add_event(event(1, agent="a"), now=NOW)
    await store.add_event(event(2, agent="a", created_at=later(hours=2)), now=NOW)
    await store.add_event(event(3, agent="b"), now=NOW)
    following, opened = await restarted(database, store, now=later(hours=1))
    assert opened == Opened(interrupted=0, overdue=1, webhooks=2, deliveries=3)
    await following.close()


async def begun(store: ReadableStore) -> Claim:
    """Claim a delivery that was cut off, and begin to send it."""
    (claim,) = await claimed(store)
    assert await store.begin_again(claim)
    return claim


async def test_the_fifth_attempt_in_a_row_that_is_cut_off_ends_the_delivery(
    database: Database, store: ReadableStore, claim: Claim
) -> None:
    for _ in range(4):
        store, _ = await restarted(database, store, now=NOW)
        await begun(store)
    store, _ = await restarted(database, store, now=later(seconds=9))
    delivery = await store.reads().delivery(claim.delivery_id)
    assert (delivery.state, delivery.reason) == (State.DEAD, "interrupted_repeatedly")
    assert (delivery.ended_at, delivery.attempts, delivery.retries_used) == (later(seconds=9), 5, 0)
    assert await claimed(store) == []
    await store.replay(claim.delivery_id, now=later(seconds=9), scheduled=True)
    await store.close()


async def test_what_only_waited_in_processes_that_died_is_never_given_up(
    database: Database, store: ReadableStore, claim: Claim
) -> None:
    for _ in range(7):
        store, opened = await restarted(database, store, now=NOW)
        (waiting,) = await claimed(store)
        assert (opened.interrupted, waiting.interruptions) == (1, 1)
    await store.close()


async def test_a_beginning_counts_once_and_not_when_the_claim_goes_back_unsent(
    database: Database, store: ReadableStore, claim: Claim
) -> None:
    store, _ = await restarted(database, store, now=NOW)
    claim = await begun(store)
    assert await store.begin_again(claim)  # as when the answer to the first COMMIT was lost
    store, _ = await restarted(database, store, now=NOW)
    claim = await begun(store)
    assert claim.interruptions == 2
    await store.give_back([claim], now=NOW)
    (claim,) = await claimed(store)
    assert claim.interruptions == 2
    await store.close()


async def test_what_another_holds_by_now_is_not_begun(database: Database, store: ReadableStore, claim: Claim) -> None:
    store, _ = await restarted(database, store, now=NOW)
    (late,) = await claimed(store)
    store, _ = await restarted(database, store, now=NOW)
    await claimed(store)
    assert not await store.begin_again(late)
    await store.close()


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (None, State.CANCELED),
        (WebhookChange(enabled=False), State.PENDING),
        (WebhookChange(url="http://localhost:9/new"), State.PENDING),
        (WebhookChange(secret="new"), State.PENDING),
    ],
)
async def test_what_was_claimed_before_its_webhook_changed_is_not_begun_and_goes_back(
    database: Database, store: ReadableStore, claim: Claim, change: WebhookChange | None, state: State
) -> None:
    store, _ = await restarted(database, store, now=NOW)
    (before,) = await claimed(store)
    if change is None:
        await store.remove_webhook(before.webhook_id, now=NOW)
    else:
        await store.change_webhook(before.webhook_id, change)
    assert not await store.begin_again(before)
    await store.give_back([before], now=NOW)
    delivery = await store.reads().delivery(before.delivery_id)
    assert (delivery.state, delivery.attempts) == (state, before.attempt_number - 1)
    await store.close()


async def test_an_attempt_that_ended_starts_the_count_of_interruptions_anew(
    database: Database, store: ReadableStore, claim: Claim
) -> None:
    for _ in range(4):
        store, _ = await restarted(database, store, now=NOW)
        claim = await begun(store)
    await store.record(retry(claim, due_at=NOW))
    await claimed(store)
    store, _ = await restarted(database, store, now=NOW)
    assert (await store.reads().delivery(claim.delivery_id)).state is State.PENDING
    await store.close()


async def test_what_was_in_flight_to_a_deleted_webhook_is_canceled(
    database: Database, store: ReadableStore, claim: Claim
) -> None:
    await store.remove_webhook(claim.webhook_id, now=NOW)
    store, opened = await restarted(database, store, now=later(seconds=9))
    delivery = await store.reads().delivery(claim.delivery_id)
    assert (opened.interrupted, delivery.state, delivery.reason) == (1, State.CANCELED, "webhook_deleted")
    await store.close()
