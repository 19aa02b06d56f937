"""Adding events: who gets what, when it is due, and the same event again."""

from __future__ import annotations

import pytest

from swiftclaw_local.errors import EventIdTaken, UnknownWebhook
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import StoredEvent
from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.store import Store
from tests.storage.databases import Database
from tests.storage.laps import LEASE, claimed
from tests.storage.values import NOW, event, later, webhook


async def receivers(store: Store, reads: Reads, of: StoredEvent) -> list[str]:
    """Return the webhooks an event went to."""
    accepted = await store.add_event(of, now=NOW)
    return [(await reads.delivery(id)).webhook_id for id in accepted.delivery_ids]


async def test_an_agents_event_goes_to_its_webhooks_that_subscribe(store: Store, reads: Reads) -> None:
    mine = await store.add_webhook(webhook("a", events=("agent.failed", "agent.completed")), secret="s")
    await store.add_webhook(webhook("a", events=("agent.failed",)), secret="s")
    await store.add_webhook(webhook("b", events=("agent.completed",)), secret="s")
    assert await receivers(store, reads, event(1, type="agent.completed", agent="a")) == [mine.id]
    assert await receivers(store, reads, event(2, type="agent.timeout", agent="a")) == []
    assert await receivers(store, reads, event(3, type="agent.completed", agent="nobody")) == []


async def test_a_deployments_event_goes_to_its_agents_webhooks_only(store: Store, reads: Reads) -> None:
    mine = await store.add_webhook(webhook("a"), secret="s")
    await store.add_webhook(webhook("b"), secret="s")
    assert await receivers(store, reads, event(type="deployment.started", agent="a")) == [mine.id]


async def test_a_systems_event_goes_to_every_agents_webhooks_that_subscribe(store: Store, reads: Reads) -> None:
    first = await store.add_webhook(webhook("a"), secret="s")
    second = await store.add_webhook(webhook("b", events=("system.incident",)), secret="s")
    await store.add_webhook(webhook("c", events=("agent.failed",)), secret="s")
    assert await receivers(store, reads, event(type="system.incident", agent=None)) == [first.id, second.id]


async def test_who_gets_what_follows_every_change_of_a_webhook(store: Store, reads: Reads) -> None:
    assert await receivers(store, reads, event(1)) == []
    first = await store.add_webhook(webhook(), secret="s")
    assert await receivers(store, reads, event(2)) == [first.id]
    second = await store.add_webhook(webhook(), secret="s")
    assert await receivers(store, reads, event(3)) == [first.id, second.id]
    await store.remove_webhook(first.id, now=NOW)
    assert await receivers(store, reads, event(4)) == [second.id]
    await store.reset(keep_webhooks=False)
    assert await receivers(store, reads, event(5)) == []


async def test_only_the_webhook_asked_for_gets_it_and_only_if_it_matches(store: Store, reads: Reads) -> None:
    first = await store.add_webhook(webhook(), secret="s")
    other = await store.add_webhook(webhook(events=("agent.failed",)), secret="s")
    accepted = await store.add_event(event(1), now=NOW, only_webhook=first.id)
    assert [(await reads.delivery(id)).webhook_id for id in accepted.delivery_ids] == [first.id]
    assert (await store.add_event(event(2), now=NOW, only_webhook=other.id)).delivery_ids == ()


async def test_an_event_is_kept_byte_for_byte(store: Store, reads: Reads) -> None:
    body = b'{"id":"x","data":"\x00\xff \xe2\x82\xac"}'
    await store.add_event(event(body=body), now=NOW)
    assert await reads.event(event().id) == event(body=body)


async def test_a_new_delivery_is_pending_and_due_now(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    accepted = await store.add_event(event(), now=NOW)
    delivery = await reads.delivery(accepted.delivery_ids[0])
    assert (delivery.state, delivery.due_at, delivery.created_at) == (State.PENDING, NOW, NOW)
    assert (delivery.trigger, delivery.scheduled, delivery.attempts, delivery.retries_used) == ("event", True, 0, 0)
    assert (delivery.event_id, delivery.event_type, delivery.agent) == (event().id, "agent.completed", "my-agent")
    assert delivery.body_size == len(event().body)
    assert (accepted.claims, accepted.known) == ((), False)


async def test_an_event_created_later_is_due_then_and_not_leased(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    accepted = await store.add_event(event(created_at=later(minutes=5)), now=NOW, lease_unless_full=LEASE)
    assert accepted.claims == ()
    assert (await reads.delivery(accepted.delivery_ids[0])).due_at == later(minutes=5)


async def test_an_event_created_long_ago_is_due_now(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    accepted = await store.add_event(event(created_at=later(days=-5)), now=NOW)
    assert (await reads.delivery(accepted.delivery_ids[0])).due_at == NOW


async def test_a_delivery_leased_at_once_comes_with_all_that_sending_needs(store: Store, reads: Reads) -> None:
    hook = await store.add_webhook(webhook(), secret="scsec_x")
    accepted = await store.add_event(event(), now=NOW, lease_unless_full=LEASE)
    (claim,) = accepted.claims
    assert (claim.delivery_id, claim.lease_token) == (accepted.delivery_ids[0], 1)
    assert (claim.webhook_id, claim.agent, claim.url, claim.secret) == (hook.id, hook.agent, hook.url, "scsec_x")
    assert (claim.event_id, claim.event_type, claim.body) == (event().id, event().type, event().body)
    assert (claim.trigger, claim.scheduled, claim.attempt_number, claim.retries_used) == ("event", True, 1, 0)
    assert claim.due_at == NOW
    assert (await reads.delivery(claim.delivery_id)).state is State.IN_FLIGHT
    assert await claimed(store) == []


async def test_full_and_disabled_webhooks_are_not_leased_to(store: Store, reads: Reads) -> None:
    free = await store.add_webhook(webhook(), secret="s")
    full = await store.add_webhook(webhook(), secret="s")
    disabled = await store.add_webhook(webhook(enabled=False), secret="s")
    accepted = await store.add_event(event(), now=NOW, lease_unless_full=frozenset({full.id}))
    assert [claim.webhook_id for claim in accepted.claims] == [free.id]
    states = {d.webhook_id: d.state for d in await reads.deliveries_of_event(event().id)}
    assert states == {free.id: State.IN_FLIGHT, full.id: State.PENDING, disabled.id: State.PENDING}


async def test_the_same_event_again_is_known_and_adds_nothing(store: Store, database: Database) -> None:
    await store.add_webhook(webhook(), secret="s")
    first = await store.add_event(event(), now=NOW)
    await store.add_webhook(webhook(), secret="s")
    again = await store.add_event(event(), now=later(hours=1), lease_unless_full=LEASE)
    assert again.known
    assert (again.event, again.delivery_ids, again.claims) == (event(), first.delivery_ids, ())
    assert database.rows("SELECT count(*) FROM delivery") == [(1,)]


async def test_a_known_event_names_its_first_deliveries_and_not_its_replays(store: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    first = await store.add_event(event(), now=NOW)
    await store.cancel(first.delivery_ids[0], now=NOW)
    await store.replay(first.delivery_ids[0], now=NOW, scheduled=False)
    assert (await store.add_event(event(), now=NOW)).delivery_ids == first.delivery_ids


@pytest.mark.parametrize(
    "other",
    [event(body=b"{}"), event(type="agent.failed"), event(agent="other")],
    ids=["body", "type", "agent"],
)
async def test_the_same_id_with_another_content_is_refused(
    store: Store, database: Database, other: StoredEvent
) -> None:
    await store.add_webhook(webhook(), secret="s")
    await store.add_event(event(), now=NOW)
    with pytest.raises(EventIdTaken):
        await store.add_event(other, now=NOW)
    assert database.rows("SELECT count(*) FROM delivery") == [(1,)]


async def test_a_test_delivery_ignores_what_the_webhook_subscribed_to(store: Store, reads: Reads) -> None:
    hook = await store.add_webhook(webhook(events=("agent.failed",)), secret="s")
    accepted = await store.add_delivery(event(), hook.id, now=NOW, trigger="test", scheduled=False, lease=True)
    (claim,) = accepted.claims
    assert (claim.trigger, claim.scheduled, claim.delivery_id) == ("test", False, accepted.delivery_ids[0])
    assert (await reads.delivery(claim.delivery_id)).trigger == "test"


async def test_a_delivery_to_an_unknown_webhook_is_refused_and_leaves_no_event(
    store: Store, database: Database
) -> None:
    with pytest.raises(UnknownWebhook):
        await store.add_delivery(event(), "webhook-9", now=NOW, trigger="test", scheduled=False, lease=True)
    assert database.rows("SELECT count(*) FROM event") == [(0,)]


async def test_a_test_delivery_with_a_taken_event_id_is_refused(store: Store, database: Database) -> None:
    hook = await store.add_webhook(webhook(), secret="s")
    await store.add_event(event(), now=NOW)
    with pytest.raises(EventIdTaken):
        await store.add_delivery(event(body=b"{}"), hook.id, now=NOW, trigger="test", scheduled=False, lease=False)
    assert database.rows("SELECT count(*) FROM delivery") == [(1,)]
