"""The thread of the COMMITs: one after the other, each told of, and none lost at the end."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator

import pytest

from swiftclaw_local.storage.commit_thread import CommitThread
from tests.storage.slow_disk import SlowDisk, slow_disk


@pytest.fixture
def connection() -> Iterator[SlowDisk]:
    with slow_disk() as connection:
        connection.execute("BEGIN")
        yield connection


async def test_the_loop_goes_on_until_a_commit_is_made(connection: SlowDisk) -> None:
    thread = CommitThread(connection)
    made = thread.commit()
    await asyncio.sleep(0.05)
    assert not made.done()
    connection.may_commit.set()
    await made
    assert (connection.threads, connection.in_transaction) == (["commits"], False)
    thread.close()


async def test_who_asked_gets_the_databases_error_and_the_next_commit_is_made(connection: SlowDisk) -> None:
    thread = CommitThread(connection)
    connection.may_commit.set()
    connection.error = sqlite3.OperationalError("disk I/O error")
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        await thread.commit()
    await thread.commit()
    thread.close()


async def test_it_ends_after_what_was_asked_for(connection: SlowDisk) -> None:
    before = set(threading.enumerate())
    thread = CommitThread(connection)
    made = thread.commit()
    closing = asyncio.create_task(asyncio.to_thread(thread.close))
    await asyncio.sleep(0.05)
    assert not closing.done()
    connection.may_commit.set()
    await closing
    await made
    assert not any(other.name == "commits" for other in set(threading.enumerate()) - before)


def test_a_loop_that_was_closed_meanwhile_is_told_nothing(connection: SlowDisk) -> None:
    async def ask() -> CommitThread:
        thread = CommitThread(connection)
        thread.commit()
        return thread

    thread = asyncio.run(ask())
    connection.may_commit.set()
    thread.close()  # an error in the thread would fail this test
    assert not connection.in_transaction
