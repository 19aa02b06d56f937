"""Writing in groups: who fails fails alone, what is acknowledged is there, and nobody sees half."""

from __future__ import annotations

import asyncio

import pytest

from swiftclaw_local.errors import EventIdTaken, StorageUnavailable, UnknownDelivery, WrongKey
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import WebhookChange
from swiftclaw_local.storage.store import Store
from tests.storage.databases import Database, ReadableStore
from tests.storage.laps import LEASE, claimed, leased
from tests.storage.values import NOW, event, succeeded, webhook


async def test_a_refused_event_does_not_disturb_the_others_of_its_group(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    await store.add_event(event(2), now=NOW)
    wanted = [event(1), event(2, body=b"other"), event(2), event(3)]
    first, refused, known, third = await asyncio.gather(
        *(store.add_event(one, now=NOW, lease_unless_full=LEASE) for one in wanted), return_exceptions=True
    )
    assert isinstance(refused, EventIdTaken)
    assert not isinstance(first, BaseException)
    assert not isinstance(known, BaseException)
    assert not isinstance(third, BaseException)
    assert (first.known, known.known, third.known) == (False, True, False)
    assert [e.id for e in (await reads.events()).rows] == [event(3).id, event(1).id, event(2).id]
    for accepted in (first, third):
        assert (await store.record(succeeded(accepted.claims[0]))).superseded is False


async def test_the_same_event_twice_in_one_group_is_added_once(store: Store, database: Database) -> None:
    await store.add_webhook(webhook(), secret="s")
    both = await asyncio.gather(*(store.add_event(event(), now=NOW) for _ in range(2)))
    assert sorted(accepted.known for accepted in both) == [False, True]
    assert both[0].delivery_ids == both[1].delivery_ids
    assert database.rows("SELECT count(*) FROM delivery") == [(1,)]


async def test_a_refused_verb_does_not_disturb_the_others_of_its_group(store: Store, reads: Reads) -> None:
    hook = await store.add_webhook(webhook(), secret="s")
    changed, refused, accepted = await asyncio.gather(
        store.change_webhook(hook.id, WebhookChange(description="new")),
        store.cancel("dlv_none", now=NOW),
        store.add_event(event(), now=NOW),
        return_exceptions=True,
    )
    assert isinstance(refused, UnknownDelivery)
    assert not isinstance(changed, BaseException)
    assert not isinstance(accepted, BaseException)
    assert (await reads.webhook(hook.id)).description == "new"
    assert len(accepted.delivery_ids) == 1


async def test_a_webhook_whose_secret_cannot_be_opened_harms_no_other_agent(
    store: ReadableStore, database: Database
) -> None:
    await store.add_webhook(webhook("broken"), secret="s")
    await store.add_webhook(webhook("whole"), secret="s")
    await store.close()
    database.break_secret("broken")
    again = database.store()
    await again.open()
    refused, accepted = await asyncio.gather(
        *(
            again.add_event(event(number, agent=agent), now=NOW, lease_unless_full=LEASE)
            for number, agent in enumerate(["broken", "whole"])
        ),
        return_exceptions=True,
    )
    assert isinstance(refused, WrongKey)
    assert not isinstance(accepted, BaseException)
    assert [claim.agent for claim in accepted.claims] == ["whole"]
    assert database.rows("SELECT agent FROM event") == [("whole",)]
    await again.close()


async def test_what_a_failing_group_wrote_is_gone_and_each_is_written_by_itself(
    store: Store, database: Database
) -> None:
    await store.add_webhook(webhook(), secret="s")
    database.refuse_events("agent.failed")
    kinds = ["agent.completed", "agent.failed", "agent.completed"]
    results = await asyncio.gather(
        *(store.add_event(event(number, type=kind), now=NOW) for number, kind in enumerate(kinds)),
        return_exceptions=True,
    )
    assert [isinstance(result, BaseException) for result in results] == [False, True, False]
    assert database.rows("SELECT id FROM event ORDER BY id") == [(event(0).id,), (event(2).id,)]
    assert database.rows("SELECT event_id FROM delivery ORDER BY id") == [(event(0).id,), (event(2).id,)]


async def test_a_caller_who_went_away_does_not_disturb_the_others_of_its_group(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    tasks = [asyncio.ensure_future(store.add_event(event(number), now=NOW)) for number in range(3)]
    await asyncio.sleep(0)  # all have asked; nothing is written yet
    tasks[1].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, asyncio.CancelledError) for result in results] == [False, True, False]
    written = {e.id for e in (await reads.events()).rows}
    assert {event(0).id, event(2).id} <= written


async def test_a_claim_of_a_caller_who_went_away_fences_the_owner_before_it(store: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    await store.give_back([claim], now=NOW)
    task = asyncio.create_task(store.claim_due(now=NOW, limit=1, per_webhook=1, busy={}))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await claimed(store) == []  # it was leased all the same, and nobody knows
    late = await store.record(succeeded(claim))
    assert late.superseded


async def test_what_is_asked_for_just_before_closing_is_written(store: ReadableStore, database: Database) -> None:
    await store.add_webhook(webhook(), secret="s")
    task = asyncio.ensure_future(store.add_event(event(), now=NOW, lease_unless_full=LEASE))
    await asyncio.sleep(0)
    await store.close()
    assert len((await task).claims) == 1
    assert database.rows("SELECT id FROM event") == [(event().id,)]


async def test_a_read_that_fails_says_that_the_database_does_not_answer(
    store: Store, database: Database, reads: Reads
) -> None:
    await store.add_webhook(webhook(), secret="s")
    database.meddle("DROP TABLE clock")
    with pytest.raises(StorageUnavailable):
        await reads.kept_clock()
