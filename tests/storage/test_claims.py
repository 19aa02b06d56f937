"""Claiming: what is due, in order, within limits, each once; and giving back."""

from __future__ import annotations

import asyncio
from datetime import datetime

from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import Webhook, WebhookChange
from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.store import Store
from tests.storage.databases import Database
from tests.storage.laps import claimed, failed_once, leased
from tests.storage.values import NOW, event, later, succeeded, webhook


async def pending(store: Store, number: int, *, due_at: datetime, hook: Webhook) -> str:
    """Add an event whose delivery to one webhook is due at a time; return the delivery's id."""
    accepted = await store.add_event(event(number, created_at=due_at), now=NOW, only_webhook=hook.id)
    return accepted.delivery_ids[0]


async def test_a_claim_raises_the_token_and_comes_with_all_that_sending_needs(store: Store, reads: Reads) -> None:
    hook = await store.add_webhook(webhook(), secret="scsec_x")
    accepted = await store.add_event(event(), now=NOW)
    (claim,) = await claimed(store, now=later(seconds=3))
    assert (claim.delivery_id, claim.lease_token) == (accepted.delivery_ids[0], 1)
    assert (claim.webhook_id, claim.agent, claim.url, claim.secret) == (hook.id, hook.agent, hook.url, "scsec_x")
    assert (claim.event_id, claim.event_type, claim.body) == (event().id, event().type, event().body)
    assert (claim.trigger, claim.scheduled, claim.attempt_number, claim.retries_used) == ("event", True, 1, 0)
    assert claim.due_at == NOW
    assert (await reads.delivery(claim.delivery_id)).state is State.IN_FLIGHT


async def test_a_claim_is_committed_before_it_is_returned(store: Store, database: Database) -> None:
    await store.add_webhook(webhook(), secret="s")
    await store.add_event(event(), now=NOW)
    await claimed(store, now=later(seconds=3))
    assert database.rows("SELECT state, lease_token FROM delivery") == [("in_flight", 1)]


async def test_nothing_is_claimed_twice(store: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    await store.add_event(event(), now=NOW)
    assert len(await claimed(store)) == 1
    assert await claimed(store) == []


async def test_nothing_is_claimed_twice_at_the_same_time(store: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    owed = {(await store.add_event(event(number), now=NOW)).delivery_ids[0] for number in range(5)}
    claims = [claim for part in await asyncio.gather(claimed(store), claimed(store)) for claim in part]
    assert len(claims) == 5
    assert {claim.delivery_id for claim in claims} == owed


async def test_a_second_claim_knows_what_came_before(store: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    await failed_once(store, due_at=later(minutes=1))
    (claim,) = await claimed(store, now=later(minutes=1))
    assert (claim.lease_token, claim.attempt_number, claim.retries_used) == (2, 2, 1)
    assert claim.due_at == later(minutes=1)


async def test_nothing_is_claimed_before_it_is_due(store: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    await failed_once(store, due_at=later(minutes=1))
    assert await claimed(store, now=later(seconds=59, microseconds=999_999)) == []
    assert len(await claimed(store, now=later(minutes=1))) == 1


async def test_claims_come_in_order_of_due_time_then_id_over_all_webhooks(store: Store) -> None:
    first = await store.add_webhook(webhook(), secret="s")
    second = await store.add_webhook(webhook(), secret="s")
    late = await pending(store, 1, due_at=later(seconds=9), hook=first)
    early = await pending(store, 2, due_at=later(seconds=2), hook=second)
    middle = await pending(store, 3, due_at=later(seconds=5), hook=first)
    middle_too = await pending(store, 4, due_at=later(seconds=5), hook=second)
    claims = await claimed(store, now=later(minutes=1))
    assert [claim.delivery_id for claim in claims] == [early, middle, middle_too, late]


async def test_a_limit_takes_the_earliest(store: Store) -> None:
    first = await store.add_webhook(webhook(), secret="s")
    second = await store.add_webhook(webhook(), secret="s")
    ids = [
        await pending(store, n, due_at=later(seconds=n), hook=hook) for n, hook in enumerate([first, second, first], 1)
    ]
    now = later(minutes=1)
    assert [claim.delivery_id for claim in await claimed(store, now=now, limit=2)] == ids[:2]
    assert [claim.delivery_id for claim in await claimed(store, now=now, limit=2)] == ids[2:]


async def test_no_webhook_is_given_more_than_its_share_less_what_it_is_busy_with(store: Store) -> None:
    first = await store.add_webhook(webhook(), secret="s")
    second = await store.add_webhook(webhook(), secret="s")
    for number in range(5):
        await store.add_event(event(number), now=NOW)
    claims = await store.claim_due(now=NOW, limit=100, per_webhook=3, busy={first.id: 2, "webhook-gone": 9})
    assert sorted(claim.webhook_id for claim in claims) == [first.id, second.id, second.id, second.id]
    assert await store.claim_due(now=NOW, limit=100, per_webhook=3, busy={first.id: 3, second.id: 7}) == []


async def test_a_disabled_webhooks_deliveries_are_held_until_it_is_enabled(store: Store, reads: Reads) -> None:
    hook = await store.add_webhook(webhook(enabled=False), secret="s")
    accepted = await store.add_event(event(), now=NOW)
    assert await claimed(store) == []
    assert await store.next_due_at() is None
    assert (await reads.delivery(accepted.delivery_ids[0])).state is State.PENDING
    await store.change_webhook(hook.id, WebhookChange(enabled=True))
    assert await store.next_due_at() == NOW
    assert len(await claimed(store)) == 1


async def test_the_next_due_time_is_the_earliest_of_webhooks_not_left_out(store: Store) -> None:
    assert await store.next_due_at() is None
    first = await store.add_webhook(webhook(), secret="s")
    second = await store.add_webhook(webhook(), secret="s")
    await pending(store, 1, due_at=later(seconds=9), hook=first)
    await pending(store, 2, due_at=later(seconds=5), hook=second)
    assert await store.next_due_at() == later(seconds=5)
    assert await store.next_due_at(except_webhooks=frozenset({second.id})) == later(seconds=9)
    assert await store.next_due_at(except_webhooks=frozenset({first.id, second.id})) is None


async def test_what_is_in_flight_or_ended_has_no_due_time(store: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    assert await store.next_due_at() is None
    await store.record(succeeded(claim))
    assert await store.next_due_at() is None


async def test_what_is_given_back_keeps_its_due_time_and_is_claimed_again_with_a_new_token(store: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    await store.give_back([claim], now=later(seconds=5))
    assert await store.next_due_at() == NOW
    (again,) = await claimed(store, now=later(seconds=5))
    assert (again.delivery_id, again.lease_token) == (claim.delivery_id, 2)
    assert (again.attempt_number, again.retries_used, again.due_at) == (1, 0, NOW)


async def test_giving_back_with_an_old_token_changes_nothing(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    old = await leased(store)
    await store.give_back([old], now=NOW)
    (current,) = await claimed(store)
    await store.give_back([old], now=NOW)
    assert (await reads.delivery(old.delivery_id)).state is State.IN_FLIGHT
    assert (await store.record(succeeded(current))).superseded is False


async def test_what_is_given_back_to_a_deleted_webhook_is_canceled(store: Store, reads: Reads) -> None:
    hook = await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    await store.remove_webhook(hook.id, now=NOW)
    await store.give_back([claim], now=later(seconds=5))
    delivery = await reads.delivery(claim.delivery_id)
    assert (delivery.state, delivery.reason) == (State.CANCELED, "webhook_deleted")
    assert delivery.ended_at == later(seconds=5)


async def test_a_claim_reads_url_and_secret_as_they_are_now(store: Store) -> None:
    hook = await store.add_webhook(webhook(), secret="old")
    await leased(store, 1)
    await store.add_event(event(2), now=NOW)
    await store.change_webhook(hook.id, WebhookChange(url="http://localhost:9/new", secret="new"))
    (claim,) = await claimed(store)
    assert (claim.url, claim.secret) == ("http://localhost:9/new", "new")
    fresh = await leased(store, 3)
    assert (fresh.url, fresh.secret) == ("http://localhost:9/new", "new")
