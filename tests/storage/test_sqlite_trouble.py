"""What only SQLite can suffer: a full disk, a lock held by another, a log that grows; and what a read sees."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from swiftclaw_local.errors import StorageFull, StorageUnavailable, UnknownDelivery
from swiftclaw_local.ids import IdFactory
from swiftclaw_local.storage import group_commit, sqlite_file, statements
from swiftclaw_local.storage.group_commit import GroupCommit
from swiftclaw_local.storage.records import Accepted
from swiftclaw_local.storage.sqlite import SqliteStore
from swiftclaw_local.storage.sqlite_file import Checkpoints
from swiftclaw_local.storage.states import State
from tests.storage.laps import leased
from tests.storage.slow_disk import SlowDisk, slow_disk
from tests.storage.values import NOW, event, succeeded, webhook


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "swiftclaw.db"


@pytest.fixture
async def store(path: Path) -> Any:
    opened = SqliteStore(path, ids=IdFactory(), durability="off", key=bytes(32))
    await opened.open()
    await opened.add_webhook(webhook(), secret="s")
    yield opened
    await opened.close()


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def allow_pages(store: SqliteStore, *, more: int) -> None:
    """Let the database grow by so many pages, as a disk with that much left would."""
    connection = store._running.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + more}")


async def test_a_full_disk_is_said_and_what_was_acknowledged_is_there(store: SqliteStore, path: Path) -> None:
    allow_pages(store, more=30)
    acknowledged = set()
    for start in range(0, 40, 8):
        batch = [event(number, body=b"x" * 9000) for number in range(start, start + 8)]
        results = await asyncio.gather(*(store.add_event(e, now=NOW) for e in batch), return_exceptions=True)
        for one, result in zip(batch, results, strict=True):
            if isinstance(result, BaseException):
                assert isinstance(result, StorageFull)
            else:
                acknowledged.add(one.id)
    assert 0 < len(acknowledged) < 40
    assert {id for (id,) in rows(path, "SELECT id FROM event")} == acknowledged
    assert {id for (id,) in rows(path, "SELECT event_id FROM delivery")} == acknowledged
    assert len((await store.reads().events(limit=100)).rows) == len(acknowledged)


async def test_a_result_that_a_full_disk_refused_is_written_when_there_is_space_again(store: SqliteStore) -> None:
    claim = await leased(store, of=event(body=b"x" * 3000))
    allow_pages(store, more=0)
    with pytest.raises(StorageFull):
        await asyncio.gather(*(store.add_event(event(number, body=b"x" * 3000), now=NOW) for number in range(2, 50)))
    allow_pages(store, more=1000)
    assert (await store.record(succeeded(claim))).state is State.SUCCEEDED
    await store.add_event(event(99), now=NOW)


async def test_only_what_was_committed_is_held_as_leased(store: SqliteStore) -> None:
    claim = await leased(store)
    store._running.connection.execute(
        "CREATE TEMP TRIGGER refuse BEFORE INSERT ON attempt BEGIN SELECT RAISE(ABORT, 'refused'); END"
    )
    # written, and rolled back with the other
    adding = store.add_event(event(2), now=NOW, lease_unless_full=frozenset())
    added, recorded = await asyncio.gather(adding, store.record(succeeded(claim)), return_exceptions=True)
    assert isinstance(recorded, sqlite3.IntegrityError)
    assert isinstance(added, Accepted)
    assert store._running.held.claims == {claim.delivery_id: claim for claim in added.claims}


async def test_an_event_that_was_there_already_leases_nothing(store: SqliteStore) -> None:
    (claim,) = (await store.add_event(event(1), now=NOW, lease_unless_full=frozenset())).claims
    adding = [store.add_event(event(number), now=NOW, lease_unless_full=frozenset()) for number in (1, 2)]
    again, new = await asyncio.gather(*adding)
    assert (again.known, again.claims, len(new.claims)) == (True, (), 1)
    assert set(store._running.held.claims) == {claim.delivery_id, *new.delivery_ids}


@pytest.fixture
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Another connection, to hold the write lock with."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        yield other


async def test_a_lock_held_by_another_is_waited_for_without_blocking(
    store: SqliteStore, locked: sqlite3.Connection, path: Path
) -> None:
    locked.execute("BEGIN IMMEDIATE")
    first = asyncio.ensure_future(store.add_event(event(1), now=NOW))
    await asyncio.sleep(0.01)  # looks and finds it locked; the loop goes on meanwhile
    second = asyncio.ensure_future(store.add_event(event(2), now=NOW))
    assert not first.done()
    locked.execute("ROLLBACK")
    await asyncio.gather(first, second)
    assert rows(path, "SELECT count(*) FROM event") == [(2,)]


async def test_a_lock_held_too_long_is_said_and_nothing_is_written(
    store: SqliteStore, locked: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "_LOCKED_LOOKS", 2)
    locked.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable, match="database is locked"):
        await store.add_event(event(1), now=NOW)
    locked.execute("ROLLBACK")
    assert rows(path, "SELECT count(*) FROM event") == [(0,)]
    assert not (await store.add_event(event(1), now=NOW)).known


async def test_a_read_sees_one_moment_from_its_first_statement_to_its_last(store: SqliteStore, path: Path) -> None:
    def ask(connection: Any) -> list[int]:
        seen = []
        for _ in range(2):
            seen.append(connection.exec_driver_sql("SELECT count(*) FROM counter").scalar_one())
            with closing(sqlite3.connect(path)) as other, other:
                other.execute("INSERT INTO counter VALUES (?, 1)", (f"extra-{seen}",))
        return seen

    assert await store.reads()._read(ask) == [3, 3]
    assert await store.reads()._read(ask) == [5, 5]


async def test_a_read_cannot_write(store: SqliteStore) -> None:
    with pytest.raises(StorageUnavailable):
        await store.reads()._read(lambda connection: connection.exec_driver_sql("DELETE FROM counter"))


async def test_a_verb_that_is_refused_after_it_wrote_leaves_nothing_behind(store: SqliteStore, path: Path) -> None:
    def refused(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO counter VALUES ('refused', 1)")
        raise UnknownDelivery

    results = await asyncio.gather(
        store._running.writer.run(refused), store.add_event(event(), now=NOW), return_exceptions=True
    )
    assert isinstance(results[0], UnknownDelivery)
    assert rows(path, "SELECT count(*) FROM event") == [(1,)]
    assert rows(path, "SELECT count(*) FROM counter WHERE name = 'refused'") == [(0,)]


async def test_an_event_whose_deliveries_cannot_be_written_is_not_there_either(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "INSERT_DELIVERY", "INSERT INTO no_such_table VALUES (?)")
    results = await asyncio.gather(*(store.add_event(event(n), now=NOW) for n in range(3)), return_exceptions=True)
    assert all(isinstance(result, Exception) for result in results)
    assert rows(path, "SELECT count(*) FROM event") == [(0,)]


@pytest.fixture
async def slow() -> AsyncIterator[tuple[GroupCommit, SlowDisk, list[str]]]:
    told: list[str] = []
    with slow_disk() as connection:
        writer = GroupCommit(
            connection,
            held_up=lambda: False,
            committed=lambda: told.append("committed"),
            rolled_back=lambda: told.append("rolled back"),
        )
        yield writer, connection, told
        connection.may_commit.set()
        await writer.close()


def adds(number: int) -> Any:
    """Return a work that adds a row and returns how many there are."""

    def work(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO t VALUES (?)", (number,))
        return int(connection.execute("SELECT count(*) FROM t").fetchone()[0])

    return work


async def test_the_loop_goes_on_while_a_disk_is_slow_and_the_connection_is_left_alone(slow: Any) -> None:
    writer, connection, told = slow
    first = writer.run(adds(1))
    await asyncio.sleep(0.05)
    second, seen = writer.run(adds(2)), asyncio.create_task(writer.look(lambda c: c.total_changes))
    await asyncio.sleep(0.05)  # the loop turns; what came meanwhile waits
    assert (first.done(), second.done(), seen.done(), told) == (False, False, False, [])
    connection.may_commit.set()
    assert (await first, await second) == (1, 2)
    assert await seen == 1  # before the next group was written: groups that follow closely keep nobody from reading
    assert told == ["committed", "committed"]


async def test_a_commit_that_fails_is_undone_and_made_again(slow: Any) -> None:
    writer, connection, told = slow
    connection.error = sqlite3.OperationalError("disk I/O error")
    written = asyncio.gather(writer.run(adds(1)), writer.run(adds(2)))
    await asyncio.sleep(0.05)
    connection.may_commit.set()
    assert tuple(await written) == (1, 2)
    assert told == ["rolled back", "committed", "committed"]  # together, then each by itself
    assert connection.execute("SELECT x FROM t").fetchall() == [(1,), (2,)]


async def test_a_commit_that_is_locked_out_is_made_again_together_with_what_came_meanwhile(slow: Any) -> None:
    writer, connection, told = slow
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
    connection.error = busy
    first = writer.run(adds(1))
    await asyncio.sleep(0.05)
    second = writer.run(adds(2))
    connection.may_commit.set()
    async with asyncio.timeout(10):
        assert (await first, await second) == (1, 2)
    assert told == ["rolled back", "committed"]
    assert connection.execute("SELECT x FROM t").fetchall() == [(1,), (2,)]


async def test_closing_waits_for_what_was_asked(slow: Any) -> None:
    writer, connection, _ = slow
    first = writer.run(adds(1))
    await asyncio.sleep(0.05)
    second = writer.run(adds(2))
    closing_it = asyncio.create_task(writer.close())
    await asyncio.sleep(0.05)
    assert not closing_it.done()
    connection.may_commit.set()
    await closing_it
    assert (first.result(), second.result(), connection.in_transaction) == (1, 2, False)


async def test_those_who_remember_are_told_of_every_rollback() -> None:
    told: list[str] = []
    with closing(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)) as connection:
        writer = GroupCommit(
            connection,
            held_up=lambda: False,
            committed=lambda: told.append("committed"),
            rolled_back=lambda: told.append("rolled back"),
        )
        await writer.run(lambda connection: connection.execute("CREATE TABLE t (x)") and None)
        with pytest.raises(ZeroDivisionError):
            await writer.run(lambda _: 1 // 0)
        await writer.close()
    assert told == ["committed", "rolled back", "rolled back"]  # with its group, and by itself


async def test_the_log_stays_short_although_the_writer_never_pauses(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "CHECKPOINT_S", 0.005)
    monkeypatch.setattr(sqlite_file, "LONG_LOG_PAGES", 250)  # 1 MB
    store = SqliteStore(path, ids=IdFactory(), durability="off", key=bytes(32))
    await store.open()
    numbers = iter(range(2500))  # 50 MB in all

    async def add_one_after_the_other() -> None:
        for number in numbers:
            await store.add_event(event(number, body=b"x" * 20_000), now=NOW)

    await asyncio.gather(*(add_one_after_the_other() for _ in range(20)))
    assert path.with_name(f"{path.name}-wal").stat().st_size < 40_000_000
    await store.close()


def test_the_checkpoints_thread_ends(path: Path) -> None:
    before = set(threading.enumerate())  # of whatever ran in this process, too
    checkpoints = Checkpoints(path)
    checkpoints.start()
    checkpoints.stop()
    assert set(threading.enumerate()) <= before


async def test_a_connection_that_is_read_from_when_all_are_closed_is_closed_after_its_read(store: SqliteStore) -> None:
    reads, begun, may_end = store.reads(), threading.Event(), threading.Event()
    seen: list[Any] = []

    def ask(connection: Connection) -> int:
        seen.append(connection.connection.dbapi_connection)
        begun.set()
        assert may_end.wait(10)
        return int(connection.exec_driver_sql("SELECT 1").scalar_one())

    asking = asyncio.ensure_future(reads._read(ask))
    await asyncio.to_thread(begun.wait, 10)
    reads.close()
    may_end.set()
    assert await asking == 1
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        seen[0].execute("SELECT 1")
