"""Pruning: what ended long ago goes as a whole, what has not ended stays, whatever its age."""

from __future__ import annotations

from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.store import Store
from tests.storage.databases import Database
from tests.storage.laps import claimed, leased
from tests.storage.values import NOW, dead, event, later, retry, succeeded, webhook


async def test_an_event_whose_deliveries_ended_before_goes_with_all_that_belongs_to_it(
    store: Store, database: Database
) -> None:
    await store.add_webhook(webhook(), secret="s")
    await store.record(succeeded(await leased(store, 1)))
    await store.record(dead(await leased(store, 2)))
    assert await store.prune(before=later(seconds=1), limit=10) == 2
    for table in ("event", "delivery", "attempt"):
        assert database.rows(f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608 - our own names


async def test_what_has_not_ended_or_ended_since_stays(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    await store.record(retry(await leased(store, 1), due_at=later(days=9)))
    await store.record(succeeded(await leased(store, 2), at=later(days=1)))
    assert await store.prune(before=later(days=1), limit=10) == 0
    assert [kept.id for kept in (await reads.events()).rows] == [event(2).id, event(1).id]


async def test_a_replay_that_has_not_ended_keeps_its_event(store: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    await store.record(dead(claim))
    await store.replay(claim.delivery_id, now=NOW, scheduled=False)
    assert await store.prune(before=later(days=1), limit=10) == 0
    (again,) = await claimed(store)
    await store.record(succeeded(again))
    assert await store.prune(before=later(days=1), limit=10) == 1


async def test_an_event_that_nobody_wanted_goes_by_the_time_it_was_accepted(store: Store) -> None:
    await store.add_event(event(1), now=NOW)
    assert await store.prune(before=NOW, limit=10) == 0
    assert await store.prune(before=later(seconds=1), limit=10) == 1


async def test_the_oldest_go_first_and_no_more_than_asked_for(store: Store, reads: Reads) -> None:
    for number in range(5):
        await store.add_event(event(number), now=NOW)
    assert await store.prune(before=later(days=1), limit=3) == 3
    assert [kept.id for kept in (await reads.events()).rows] == [event(4).id, event(3).id]
