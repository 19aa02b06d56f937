"""Several dispatchers on one PostgreSQL: who holds what, for how long, and what becomes of it when its holder dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from swiftclaw_local.errors import (
    ClockShared,
    DatabaseTooNew,
    DeliveryEnded,
    DeliveryInFlight,
    ForeignDatabase,
    ReplayOpen,
    StorageUnavailable,
    WrongKey,
)
from swiftclaw_local.ids import IdFactory
from swiftclaw_local.scheduler.clock import SystemTime
from swiftclaw_local.storage import postgres, postgres_writer
from swiftclaw_local.storage.postgres import Lease, PostgresStore
from swiftclaw_local.storage.postgres_link import connect
from swiftclaw_local.storage.postgres_reads import read_engine
from swiftclaw_local.storage.records import WebhookChange
from swiftclaw_local.storage.replay_records import Replayable, ReplayWish
from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.store import DUE, LOG, WEBHOOKS, Store
from swiftclaw_local.storage.tables import METADATA
from tests.postgres_server import PostgresServer
from tests.storage.databases import KEY, PostgresDatabase, ReadableStore
from tests.storage.laps import claimed, leased
from tests.storage.values import NOW, dead, event, later, succeeded, webhook

EDIT = WebhookChange(url="http://localhost:9/new")


@pytest.fixture
def database(postgres: PostgresServer, tmp_path: Path) -> PostgresDatabase:
    PostgresDatabase.server = postgres
    return PostgresDatabase(tmp_path)


@pytest.fixture
async def other(database: PostgresDatabase, store: ReadableStore) -> AsyncIterator[ReadableStore]:
    """A second dispatcher on the database of `store`."""
    async with opened(database) as second:
        yield second


@asynccontextmanager
async def opened(database: PostgresDatabase) -> AsyncIterator[ReadableStore]:
    store = database.store()
    await store.open()
    yield store
    await store.close()


@asynccontextmanager
async def locked_rows(database: PostgresDatabase) -> AsyncIterator[None]:
    """Hold every delivery, as another dispatcher's claim does until its commit."""
    async with await psycopg.AsyncConnection.connect(database.url) as connection:
        await connection.execute("SELECT id FROM delivery FOR UPDATE")
        yield


async def somebody_waits_for(connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
    """Come back when another connection waits for what this one holds."""
    waiting = "SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    async with asyncio.timeout(5):
        await connection.execute(
            f"DO $$BEGIN WHILE NOT EXISTS ({waiting}) LOOP PERFORM pg_sleep(0.002); END LOOP; END$$".encode()
        )


async def test_what_another_claims_at_the_same_moment_is_not_said_to_be_canceled(
    store: ReadableStore, database: PostgresDatabase
) -> None:
    await store.add_webhook(webhook(), secret="s")
    (delivery_id,) = (await store.add_event(event(), now=NOW)).delivery_ids
    async with await psycopg.AsyncConnection.connect(database.url) as claiming:
        await claiming.execute("UPDATE delivery SET state = 'in_flight', lease_token = 1")
        canceling = asyncio.create_task(store.cancel(delivery_id, now=NOW))
        await somebody_waits_for(claiming)
    with pytest.raises(DeliveryInFlight):
        await canceling


async def test_of_two_replays_at_the_same_moment_the_second_is_told_of_the_first(
    store: ReadableStore, database: PostgresDatabase
) -> None:
    await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    await store.record(succeeded(claim))
    async with await psycopg.AsyncConnection.connect(database.url) as replaying:
        await replaying.execute(
            "INSERT INTO delivery SELECT (jsonb_populate_record(d, jsonb_build_object('id', 'dlv_first', 'replay_of', d.id,"
            " 'state', 'pending', 'ended_at', NULL))).* FROM delivery d"
        )
        second = asyncio.create_task(store.replay(claim.delivery_id, now=NOW, scheduled=False))
        await somebody_waits_for(replaying)
    with pytest.raises(ReplayOpen) as caught:
        await second
    assert caught.value.extra == {"replay": "dlv_first"}


async def test_what_one_claimed_the_other_does_not_get(store: Store, other: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    for number in range(20):
        await store.add_event(event(number), now=NOW)
    both = await asyncio.gather(claimed(store, limit=12), claimed(other, limit=12))
    ids = [claim.delivery_id for claims in both for claim in claims]
    assert (len(ids), len(set(ids))) == (20, 20)


async def test_a_claim_does_not_wait_for_rows_that_another_claim_holds(
    store: Store, database: PostgresDatabase
) -> None:
    await store.add_webhook(webhook(), secret="s")
    await store.add_event(event(), now=NOW)
    async with locked_rows(database), asyncio.timeout(2):
        assert await claimed(store) == []
    assert len(await claimed(store)) == 1


async def test_a_lease_that_holds_is_not_taken_over(store: Store, other: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    assert await other.reap(now=later(days=1)) == 0  # the engine's clock has no say in it
    assert (await store.record(succeeded(claim))).superseded is False


async def test_what_a_dead_dispatcher_held_is_interrupted_and_due_again(
    store: ReadableStore, other: Store, database: PostgresDatabase
) -> None:
    await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    database.let_leases_run_out()
    assert await other.reap(now=later(seconds=20)) == 1
    (attempt,) = await store.reads().attempts(claim.delivery_id)
    assert (attempt.outcome, attempt.started_at, attempt.ended_at) == ("interrupted", NOW, later(seconds=20))
    (again,) = await claimed(other, now=later(seconds=20))
    assert (again.lease_token, again.attempt_number, again.retries_used) == (2, 2, 0)


async def test_a_frozen_dispatcher_that_wakes_inside_the_next_ones_attempt_changes_nothing(
    store: ReadableStore, other: Store, database: PostgresDatabase
) -> None:
    await store.add_webhook(webhook(), secret="s")
    frozen = await leased(store)
    database.let_leases_run_out()
    await other.reap(now=NOW)
    (current,) = await claimed(other)
    late = await store.record(succeeded(frozen))
    assert (late.outcome, late.state) == ("interrupted", State.IN_FLIGHT)
    assert (await store.reads().delivery(frozen.delivery_id)).state is State.IN_FLIGHT
    assert (await other.record(succeeded(current))).superseded is False


async def test_two_that_reap_at_once_write_one_row(
    store: ReadableStore, other: Store, database: PostgresDatabase
) -> None:
    await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    database.let_leases_run_out()
    assert sorted(await asyncio.gather(store.reap(now=NOW), other.reap(now=NOW))) == [0, 1]
    assert len(await store.reads().attempts(claim.delivery_id)) == 1


async def test_a_reaper_does_not_wait_for_a_result_that_is_being_written(
    store: Store, other: Store, database: PostgresDatabase
) -> None:
    await store.add_webhook(webhook(), secret="s")
    await leased(store)
    database.let_leases_run_out()
    async with locked_rows(database), asyncio.timeout(2):
        assert await other.reap(now=NOW) == 0
    assert await other.reap(now=NOW) == 1


async def test_a_claim_says_until_when_its_attempt_may_begin_counted_from_before_it_was_asked_for(
    database: PostgresDatabase,
) -> None:
    moments = iter(range(100, 200))
    lease = Lease(lasts_s=15, begin_within_s=3, monotonic=lambda: next(moments))
    store = PostgresStore(database.url, shown="the tests", ids=IdFactory(), find_key=lambda _: KEY, lease=lease)
    await store.open()
    await store.add_webhook(webhook(), secret="s")
    first = await leased(store)
    await store.add_event(event(2), now=NOW)
    (second,) = await claimed(store)
    await store.close()
    assert (first.begin_by, second.begin_by) == (103, 105)


async def test_a_webhook_changed_by_one_is_known_to_the_next_event_of_the_other(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LET_GO_LOOKS", 0)  # it is held throughout
    hook = await store.add_webhook(webhook(), secret="old")
    assert (await leased(other, 1)).secret == "old"
    await store.change_webhook(hook.id, WebhookChange(url="http://localhost:9/new", secret="new"))
    claim = await leased(other, 2)
    assert (claim.url, claim.secret) == ("http://localhost:9/new", "new")
    await store.remove_webhook(hook.id, now=NOW)
    assert (await other.add_event(event(3), now=NOW)).delivery_ids == ()


@pytest.mark.parametrize("change", ["removal", "edit"])
async def test_a_changed_webhook_is_answered_for_when_the_others_have_let_go_of_what_they_claimed_before(
    store: Store, other: Store, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LET_GO_LOOKS", 10_000)
    hook = await store.add_webhook(webhook(), secret="s")
    claim = await leased(other)
    change_it = store.remove_webhook(hook.id, now=NOW) if change == "removal" else store.change_webhook(hook.id, EDIT)
    changing = asyncio.ensure_future(change_it)
    done, _ = await asyncio.wait([changing], timeout=0.3)
    assert done == set()
    await other.give_back([claim], now=NOW)
    async with asyncio.timeout(5):
        await changing


async def test_a_changed_webhook_does_not_wait_for_ever_for_a_dispatcher_that_is_dead(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LET_GO_LOOKS", 2)
    hook = await store.add_webhook(webhook(), secret="s")
    await leased(other)
    async with asyncio.timeout(5):
        assert await store.remove_webhook(hook.id, now=NOW) == 0


async def test_others_are_told_of_what_is_due_and_of_changed_webhooks(store: Store, other: Store) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    other.listen(heard.put_nowait)
    await other.hold_clock(virtual=False)
    await store.add_webhook(webhook(), secret="s")
    assert await asyncio.wait_for(heard.get(), 5) == WEBHOOKS
    await store.add_event(event(), now=NOW)
    assert await asyncio.wait_for(heard.get(), 5) == DUE


async def test_that_the_log_grew_is_told_to_those_who_look_on_and_to_nobody_else(store: Store, other: Store) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    other.listen(heard.put_nowait)
    await other.hold_clock(virtual=False)
    await store.hold_clock(virtual=False)
    await store.add_webhook(webhook(), secret="s")
    assert await asyncio.wait_for(heard.get(), 5) == WEBHOOKS
    await store.record(succeeded(await leased(store, 1)))
    await store.add_event(event(2), now=NOW)
    assert await asyncio.wait_for(heard.get(), 5) == DUE
    await other.look_on()
    news, number = "", 3
    async with asyncio.timeout(5):
        while news != LOG:  # until `store` has heard that it is looked on
            await store.record(succeeded(await leased(store, number)))
            number += 1
            with suppress(TimeoutError):
                news = await asyncio.wait_for(heard.get(), 0.1)


async def test_one_dispatcher_sees_to_a_replay_and_another_one_when_it_is_gone(store: Store, other: Store) -> None:
    await store.add_webhook(webhook(), secret="s")
    claims = [await leased(store, number) for number in range(3)]
    for claim in claims:
        await store.record(dead(claim))
    items = [
        Replayable(one.delivery_id, one.event_id, one.event_type, one.webhook_id, State.DEAD, NOW, NOW)
        for one in claims
    ]
    replay_id = await store.add_replay(ReplayWish("{}", 10, 0, None, False, None), items, now=NOW)
    first = await store.replay_next(replay_id, now=NOW, limit=1)
    assert await other.replay_next(replay_id, now=NOW, limit=1) is None
    second = await store.replay_next(replay_id, now=NOW, limit=1)
    await store.close()
    async with asyncio.timeout(5):
        while (third := await other.replay_next(replay_id, now=NOW, limit=5)) is None:  # noqa: ASYNC110 - the server tells nobody that it noticed
            await asyncio.sleep(0.01)
    assert [step and [number for number, _ in step.made] for step in (first, second, third)] == [[1], [2], [3]]
    await store.open()


async def test_a_virtual_clock_is_for_one_alone(store: Store, other: Store) -> None:
    await store.hold_clock(virtual=False)
    await other.hold_clock(virtual=False)
    with pytest.raises(ClockShared):
        await other.hold_clock(virtual=True)
    await store.close()
    await other.hold_clock(virtual=True)
    await store.open()
    with pytest.raises(ClockShared):
        await store.hold_clock(virtual=False)


async def test_a_lost_connection_is_made_anew_by_the_next_call(
    store: ReadableStore, other: Store, database: PostgresDatabase
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    other.listen(heard.put_nowait)
    await other.hold_clock(virtual=False)
    await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    database.end_connections()
    with pytest.raises(StorageUnavailable):
        await store.record(succeeded(claim))
    assert (await store.record(succeeded(claim))).state is State.SUCCEEDED
    assert (await store.reads().delivery(claim.delivery_id)).state is State.SUCCEEDED
    with pytest.raises(DeliveryEnded):  # what people ask for is asked on a connection that was seen to work
        await store.cancel(claim.delivery_id, now=NOW)
    async with asyncio.timeout(5):  # what it may have missed: it looks at everything when it listens again
        while await heard.get() != WEBHOOKS:
            pass


async def test_an_emit_that_waits_for_a_lock_for_ever_is_given_up_and_the_next_one_works(
    store: Store, database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_writer, "CALL_S", 0.2)
    await store.add_webhook(webhook(), secret="s")
    async with await psycopg.AsyncConnection.connect(database.url) as connection:
        await connection.execute("LOCK TABLE event")
        with pytest.raises(StorageUnavailable, match="in time"):
            await store.add_event(event(), now=NOW)
    monkeypatch.undo()
    assert (await store.add_event(event(), now=NOW)).known is False


async def test_a_connection_whose_caller_is_stopped_while_it_is_set_up_is_closed(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[psycopg.AsyncConnection[Any]] = []

    async def stopped(connection: psycopg.AsyncConnection[Any], *_: Any) -> None:
        made.append(connection)
        raise asyncio.CancelledError

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", stopped)
    with pytest.raises(asyncio.CancelledError):
        await connect(database.url)
    assert [connection.closed for connection in made] == [True]


def test_the_scripts_make_what_the_tables_say_and_the_leases(database: PostgresDatabase) -> None:
    engine = read_engine(database.url)
    asyncio.run(opened_once(database))
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), METADATA)
    engine.dispose()
    only_here = {getattr(difference[-1], "name", None) for difference in found if isinstance(difference, tuple)}
    assert only_here == {"lease_owner", "leased_until", "delivery_leased"}


async def opened_once(database: PostgresDatabase) -> None:
    async with opened(database):
        pass


async def test_many_that_start_at_once_make_the_tables_once(database: PostgresDatabase) -> None:
    stores = [database.store() for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    await asyncio.gather(*(store.close() for store in stores))
    assert database.rows("SELECT count(*) FROM key_check") == [(1,)]


async def test_another_key_is_refused(database: PostgresDatabase, store: Store) -> None:
    lease = Lease(lasts_s=15, begin_within_s=3, monotonic=SystemTime.monotonic)
    wrong = PostgresStore(database.url, shown="x", ids=IdFactory(), find_key=lambda _: bytes(32), lease=lease)
    with pytest.raises(WrongKey):
        await wrong.open()
    await wrong.close()


async def test_a_newer_database_is_refused(database: PostgresDatabase, store: Store) -> None:
    database.meddle("UPDATE alembic_version SET version_num = '0099'")
    newer = database.store()
    with pytest.raises(DatabaseTooNew, match="tables 99"):
        await newer.open()
    await newer.close()


async def test_another_programs_tables_are_refused_and_not_touched(database: PostgresDatabase) -> None:
    database.meddle("CREATE TABLE event (theirs int)")
    ours = database.store()
    with pytest.raises(ForeignDatabase):
        await ours.open()
    await ours.close()
    assert database.rows("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()") == [("event",)]
