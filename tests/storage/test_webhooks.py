"""Webhooks: their numbers, changes, deletion, and their secrets at rest."""

from __future__ import annotations

import pytest

from swiftclaw_local.errors import UnknownWebhook, WrongKey
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import WebhookChange
from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.store import Store
from tests.storage.databases import Database, ReadableStore
from tests.storage.laps import claimed, failed_once, leased
from tests.storage.values import NOW, event, later, succeeded, webhook

SECRET = "scsec_VeryUnusualSecret0123456789ab"


async def test_the_first_webhook_is_webhook_123_and_numbers_are_never_used_again(store: Store) -> None:
    assert (await store.add_webhook(webhook(), secret="s")).id == "webhook-123"
    second = await store.add_webhook(webhook(), secret="s")
    assert second.id == "webhook-124"
    await store.remove_webhook(second.id, now=NOW)
    assert (await store.add_webhook(webhook(), secret="s")).id == "webhook-125"


async def test_a_webhook_is_kept_as_it_was_given(store: Store, reads: Reads) -> None:
    added = await store.add_webhook(webhook("my-agent", events=("agent.failed",), enabled=False), secret="s")
    read = await reads.webhook(added.id)
    assert read == added
    assert (read.agent, read.events, read.enabled, read.created_at) == ("my-agent", ("agent.failed",), False, NOW)
    assert read.deleted_at is None


async def test_only_what_is_given_changes(store: Store, reads: Reads) -> None:
    before = await store.add_webhook(webhook(), secret=SECRET)
    after = await store.change_webhook(before.id, WebhookChange(url="http://localhost:9/", description="new"))
    assert (after.url, after.description) == ("http://localhost:9/", "new")
    assert (after.events, after.enabled, after.agent) == (before.events, before.enabled, before.agent)
    assert await reads.webhook(before.id) == after
    assert await store.secret_of(before.id) == SECRET


async def test_everything_given_changes(store: Store) -> None:
    before = await store.add_webhook(webhook(), secret=SECRET)
    change = WebhookChange(events=("agent.failed",), secret="other", description="", enabled=False)
    after = await store.change_webhook(before.id, change)
    assert (after.events, after.description, after.enabled) == (("agent.failed",), "", False)
    assert await store.secret_of(before.id) == "other"


async def test_an_unknown_or_deleted_webhook_is_neither_changed_nor_deleted_nor_opened(store: Store) -> None:
    gone = await store.add_webhook(webhook(), secret="s")
    await store.remove_webhook(gone.id, now=NOW)
    for name in ("webhook-9", gone.id):
        with pytest.raises(UnknownWebhook):
            await store.change_webhook(name, WebhookChange(enabled=False))
        with pytest.raises(UnknownWebhook):
            await store.remove_webhook(name, now=NOW)
        with pytest.raises(UnknownWebhook):
            await store.secret_of(name)


async def test_deleting_cancels_what_is_pending_and_says_how_many(store: Store, reads: Reads) -> None:
    hook = await store.add_webhook(webhook(), secret="s")
    other = await store.add_webhook(webhook(), secret="s")
    await store.add_event(event(), now=NOW)
    assert await store.remove_webhook(hook.id, now=later(seconds=9)) == 1
    by_webhook = {d.webhook_id: d for d in await reads.deliveries_of_event(event().id)}
    canceled = by_webhook[hook.id]
    assert (canceled.state, canceled.reason, canceled.ended_at) == (
        State.CANCELED,
        "webhook_deleted",
        later(seconds=9),
    )
    assert by_webhook[other.id].state is State.PENDING
    assert [claim.webhook_id for claim in await claimed(store, now=later(days=1))] == [other.id]


async def test_a_deleted_webhook_and_its_history_stay_readable(store: Store, reads: Reads) -> None:
    hook = await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    await store.record(succeeded(claim))
    await store.remove_webhook(hook.id, now=later(seconds=9))
    assert (await reads.webhook(hook.id)).deleted_at == later(seconds=9)
    assert (await reads.webhooks()).rows == []
    delivery = await reads.delivery(claim.delivery_id)
    assert (delivery.webhook_url, delivery.webhook_enabled, delivery.state) == (hook.url, False, State.SUCCEEDED)
    assert len(await reads.attempts(claim.delivery_id)) == 1


async def test_deleting_lets_what_is_in_flight_go_on_to_its_end(store: Store, reads: Reads) -> None:
    hook = await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    assert await store.remove_webhook(hook.id, now=NOW) == 0
    assert (await reads.delivery(claim.delivery_id)).state is State.IN_FLIGHT
    assert (await store.record(succeeded(claim))).state is State.SUCCEEDED


async def test_disabling_holds_what_is_pending_and_what_comes_new(store: Store, reads: Reads) -> None:
    hook = await store.add_webhook(webhook(), secret="s")
    await failed_once(store, due_at=later(minutes=1))
    await store.change_webhook(hook.id, WebhookChange(enabled=False))
    accepted = await store.add_event(event(2), now=NOW)
    assert len(accepted.delivery_ids) == 1
    assert await claimed(store, now=later(days=1)) == []
    await store.change_webhook(hook.id, WebhookChange(enabled=True))
    assert len(await claimed(store, now=later(days=1))) == 2


async def test_secrets_do_not_lie_on_the_disk(store: Store, database: Database) -> None:
    hook = await store.add_webhook(webhook(), secret=SECRET)
    await store.change_webhook(hook.id, WebhookChange(secret=SECRET + "-rotated"))
    await leased(store)
    assert b"webhook-123" in database.bytes_at_rest()
    assert SECRET.encode() not in database.bytes_at_rest()
    await store.close()
    assert SECRET.encode() not in database.bytes_at_rest()


async def test_secrets_swapped_between_two_webhooks_are_refused(store: ReadableStore, database: Database) -> None:
    first = await store.add_webhook(webhook(), secret="first")
    second = await store.add_webhook(webhook(), secret="second")
    await store.close()
    database.meddle(
        "UPDATE webhook SET secret_box = (SELECT secret_box FROM webhook WHERE id = 'webhook-124') WHERE id = 'webhook-123'"
    )
    again = database.store()
    await again.open()
    with pytest.raises(WrongKey):
        await again.secret_of(first.id)
    assert await again.secret_of(second.id) == "second"
    await again.close()


async def test_a_secret_sealed_twice_looks_different(store: Store, database: Database) -> None:
    await store.add_webhook(webhook(), secret=SECRET)
    await store.add_webhook(webhook(), secret=SECRET)
    (first,), (second,) = database.rows("SELECT secret_box FROM webhook")
    assert first != second
