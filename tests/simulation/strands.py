"""Threads of the simulated processes: one runs only while the loop waits for it, and may pause, so that the seed has the order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any, Final

# The process that the running code belongs to; 0 is the world outside.
PROCESS: Final[ContextVar[int]] = ContextVar("process", default=0)
_HERE = threading.local()


class DiedError(BaseException):
    """The process that ran this code is dead; nothing of it may go on."""


class Strand:
    """One function on its own thread. Whoever calls `go_on` waits until it pauses or ends; `gone` is told of its end."""

    def __init__(self, work: Callable[[], Any], future: asyncio.Future[Any], *, gone: Callable[[Strand], None]) -> None:
        self._work = work
        self._future = future
        self._gone = gone
        self._turn, self._rest = threading.Semaphore(0), threading.Semaphore(0)
        self._waits_for: asyncio.Future[Any] | None = None
        self._result: Any = None
        self._error: BaseException | None = None
        self._dead = False
        self._context = copy_context()
        self.process = PROCESS.get()
        self._thread = threading.Thread(target=self._context.copy().run, args=(self._run,), daemon=True)
        self._thread.start()

    def go_on(self, _: object = None) -> None:
        """Let it run until it pauses or ends."""
        self._turn.release()
        self._rest.acquire()
        if self._waits_for is not None:
            waits_for, self._waits_for = self._waits_for, None
            waits_for.add_done_callback(self.go_on, context=self._context)
            return
        self._thread.join()
        self._gone(self)
        if self._error is not None and not self._future.done():
            self._future.set_exception(self._error)
        elif not self._future.done():
            self._future.set_result(self._result)

    def end(self) -> None:
        """End it where it is, unless that is where this is called."""
        self._dead = True
        if threading.current_thread() is not self._thread:
            self._turn.release()
            self._thread.join()
            self._gone(self)

    def pause(self, until: asyncio.Future[Any]) -> None:
        """Give the loop its turn; come back when `until` is done. Raises: DiedError."""
        if self._dead:
            raise DiedError
        self._waits_for = until
        self._rest.release()
        self._turn.acquire()
        if self._dead:
            raise DiedError

    def _run(self) -> None:
        _HERE.strand = self
        self._turn.acquire()
        try:
            if not self._dead:
                self._result = self._work()
        except Exception as error:  # handed to the caller, as an executor does
            self._error = error
        except DiedError:
            self._future.cancel()
        finally:
            self._rest.release()


def pause(until: asyncio.Future[Any]) -> None:
    """Let the loop go on until a future is done; to be called on a strand."""
    strand: Strand = _HERE.strand
    strand.pause(until)
