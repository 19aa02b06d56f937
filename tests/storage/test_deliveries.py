"""What people ask of a delivery: replay, cancel, bring forward."""

from __future__ import annotations

import pytest

from swiftclaw_local.errors import (
    DeliveryEnded,
    DeliveryInFlight,
    DeliveryPending,
    ReplayOpen,
    UnknownDelivery,
    WebhookDeleted,
)
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import Claim
from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.store import Store
from tests.storage.laps import claimed, failed_once, leased
from tests.storage.values import NOW, dead, event, later, succeeded, webhook

NEVER = "dlv_00000000000000000000000000"


@pytest.fixture
async def failed(store: Store) -> Claim:
    """A delivery that ended dead."""
    await store.add_webhook(webhook(), secret="old")
    claim = await leased(store)
    await store.record(dead(claim))
    return claim


async def test_a_replay_is_a_new_delivery_of_the_same_event_and_the_old_row_stays(
    store: Store, reads: Reads, failed: Claim
) -> None:
    before = await reads.delivery(failed.delivery_id)
    new_id = await store.replay(failed.delivery_id, now=later(hours=1), scheduled=False)
    replayed = await reads.delivery(new_id)
    assert new_id > failed.delivery_id
    assert (replayed.trigger, replayed.replay_of, replayed.scheduled) == ("replay", failed.delivery_id, False)
    assert (replayed.event_id, replayed.webhook_id, replayed.agent) == (before.event_id, before.webhook_id, "my-agent")
    assert (replayed.state, replayed.due_at, replayed.attempts) == (State.PENDING, later(hours=1), 0)
    assert replayed.body_size == before.body_size
    assert await reads.delivery(failed.delivery_id) == before


async def test_a_replay_sends_the_same_bytes(store: Store, failed: Claim) -> None:
    await store.replay(failed.delivery_id, now=NOW, scheduled=True)
    (claim,) = await claimed(store)
    assert (claim.event_id, claim.body, claim.trigger) == (failed.event_id, failed.body, "replay")
    assert (claim.scheduled, claim.attempt_number, claim.lease_token) == (True, 1, 1)


@pytest.mark.parametrize("end", [succeeded, dead], ids=["succeeded", "dead"])
async def test_whatever_was_sent_to_its_end_can_be_replayed(store: Store, end: type) -> None:
    await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    await store.record(end(claim))
    await store.replay(claim.delivery_id, now=NOW, scheduled=False)


async def test_a_canceled_delivery_can_be_replayed(store: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    accepted = await store.add_event(event(), now=NOW)
    await store.cancel(accepted.delivery_ids[0], now=NOW)
    await store.replay(accepted.delivery_ids[0], now=NOW, scheduled=False)


async def test_a_delivery_still_to_be_sent_is_not_replayed(store: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    in_flight = await leased(store, 1)
    retrying = await failed_once(store, number=2, due_at=later(minutes=1))
    for claim in (in_flight, retrying):
        with pytest.raises(DeliveryPending) as caught:
            await store.replay(claim.delivery_id, now=NOW, scheduled=False)
        assert caught.value.hint == f"Send that attempt now: swiftclaw deliveries replay {claim.delivery_id} --now"


async def test_there_is_one_open_replay_of_a_delivery_at_most(store: Store, failed: Claim) -> None:
    first = await store.replay(failed.delivery_id, now=NOW, scheduled=False)
    with pytest.raises(ReplayOpen) as caught:
        await store.replay(failed.delivery_id, now=NOW, scheduled=False)
    assert caught.value.extra == {"replay": first}
    (claim,) = await claimed(store)
    with pytest.raises(ReplayOpen):
        await store.replay(failed.delivery_id, now=NOW, scheduled=False)
    await store.record(dead(claim))
    assert await store.replay(failed.delivery_id, now=NOW, scheduled=False) > first


async def test_a_replay_can_be_replayed(store: Store, reads: Reads, failed: Claim) -> None:
    first = await store.replay(failed.delivery_id, now=NOW, scheduled=False)
    (claim,) = await claimed(store)
    await store.record(dead(claim))
    second = await store.replay(first, now=NOW, scheduled=False)
    assert (await reads.delivery(second)).replay_of == first


async def test_nothing_is_replayed_to_a_deleted_webhook(store: Store, failed: Claim) -> None:
    await store.remove_webhook(failed.webhook_id, now=NOW)
    with pytest.raises(WebhookDeleted):
        await store.replay(failed.delivery_id, now=NOW, scheduled=False)


async def test_a_pending_delivery_is_canceled(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    claim = await failed_once(store, due_at=later(minutes=1))
    await store.cancel(claim.delivery_id, now=later(seconds=9))
    delivery = await reads.delivery(claim.delivery_id)
    assert (delivery.state, delivery.reason, delivery.ended_at) == (State.CANCELED, "canceled", later(seconds=9))
    assert await claimed(store, now=later(days=1)) == []


async def test_a_delivery_brought_forward_is_due_now_and_keeps_its_number(store: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    claim = await failed_once(store, due_at=later(hours=1))
    await store.bring_forward(claim.delivery_id, now=later(seconds=9))
    assert await store.next_due_at() == later(seconds=9)
    (again,) = await claimed(store, now=later(seconds=9))
    assert (again.attempt_number, again.retries_used) == (2, 1)


async def test_a_delivery_already_due_is_not_put_off_by_bringing_it_forward(store: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    accepted = await store.add_event(event(), now=NOW)
    await store.bring_forward(accepted.delivery_ids[0], now=later(hours=1))
    assert await store.next_due_at() == NOW


async def test_what_is_in_flight_is_neither_canceled_nor_brought_forward(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    for verb in (store.cancel, store.bring_forward):
        with pytest.raises(DeliveryInFlight):
            await verb(claim.delivery_id, now=NOW)
    assert (await reads.delivery(claim.delivery_id)).state is State.IN_FLIGHT


async def test_what_has_ended_is_neither_canceled_nor_brought_forward(
    store: Store, reads: Reads, failed: Claim
) -> None:
    before = await reads.delivery(failed.delivery_id)
    for verb in (store.cancel, store.bring_forward):
        with pytest.raises(DeliveryEnded) as caught:
            await verb(failed.delivery_id, now=NOW)
        assert caught.value.message == f"{failed.delivery_id} has ended (dead)."
    assert await reads.delivery(failed.delivery_id) == before


async def test_an_unknown_delivery_is_unknown_to_every_verb(store: Store) -> None:
    with pytest.raises(UnknownDelivery):
        await store.replay(NEVER, now=NOW, scheduled=False)
    for verb in (store.cancel, store.bring_forward):
        with pytest.raises(UnknownDelivery):
            await verb(NEVER, now=NOW)
