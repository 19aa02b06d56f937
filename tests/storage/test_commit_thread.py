"""The thread of the COMMITs: one after the other, each told of, and none lost at the end."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from swiftclaw_local.storage.commit_thread import CommitThread


class Slow(sqlite3.Connection):
    """Commits when it may, and fails with an error that is set; `threads` are those that it was committed by."""

    may_commit = threading.Event()
    error: sqlite3.OperationalError | None = None
    threads: list[str] = []  # noqa: RUF012 - set anew for each test

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            self.threads.append(threading.current_thread().name)
            assert self.may_commit.wait(10)
            if self.error is not None:
                raise self.error
        return super().execute(sql, *args)


@pytest.fixture
def connection() -> Iterator[Slow]:
    Slow.may_commit, Slow.error, Slow.threads = threading.Event(), None, []
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, factory=Slow)
    connection.execute("CREATE TABLE t (x)")
    connection.execute("BEGIN")
    yield connection
    connection.close()


async def test_the_loop_goes_on_until_a_commit_is_made(connection: Slow) -> None:
    thread = CommitThread(connection)
    made = thread.commit()
    await asyncio.sleep(0.05)
    assert not made.done()
    Slow.may_commit.set()
    await made
    assert (Slow.threads, connection.in_transaction) == (["commits"], False)
    thread.close()


async def test_who_asked_gets_the_databases_error_and_the_next_commit_is_made(connection: Slow) -> None:
    thread = CommitThread(connection)
    Slow.may_commit.set()
    Slow.error = sqlite3.OperationalError("disk I/O error")
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        await thread.commit()
    Slow.error = None
    await thread.commit()
    thread.close()


async def test_it_ends_after_what_was_asked_for(connection: Slow) -> None:
    before = set(threading.enumerate())
    thread = CommitThread(connection)
    made = thread.commit()
    closing = asyncio.create_task(asyncio.to_thread(thread.close))
    await asyncio.sleep(0.05)
    assert not closing.done()
    Slow.may_commit.set()
    await closing
    await made
    assert not any(other.name == "commits" for other in set(threading.enumerate()) - before)


def test_a_loop_that_was_closed_meanwhile_is_told_nothing(connection: Slow) -> None:
    async def ask() -> CommitThread:
        thread = CommitThread(connection)
        thread.commit()
        return thread

    thread = asyncio.run(ask())
    Slow.may_commit.set()
    thread.close()  # an error in the thread would fail this test
    assert not connection.in_transaction
