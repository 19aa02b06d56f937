"""A database whose COMMIT takes as long as a test wants, and fails when it is told to."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any


class SlowDisk(sqlite3.Connection):
    """A connection whose COMMIT waits until `may_commit`, and then fails with `error`, once. `threads` made its COMMITs."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.may_commit = threading.Event()
        self.error: Exception | None = None
        self.threads: list[str] = []

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        """Execute, in its time."""
        if sql == "COMMIT":
            self.threads.append(threading.current_thread().name)
            assert self.may_commit.wait(10)
            error, self.error = self.error, None  # the next one works
            if error is not None:
                raise error
        return super().execute(sql, *args)


@contextmanager
def slow_disk() -> Iterator[SlowDisk]:
    """Open one in memory, with a table `t` of one column `x`."""
    with closing(
        sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, factory=SlowDisk)
    ) as connection:
        connection.execute("CREATE TABLE t (x)")
        yield connection
