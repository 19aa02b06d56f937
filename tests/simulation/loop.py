"""An event loop whose time is made up: it moves only when nothing is ready, and costs nothing.

Tasks that are ready at the same moment go on in an order drawn from the seed; what was scheduled by callbacks keeps its
order, as asyncio promises. What belongs to a process that died is dropped. There are no sockets and no threads on it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, Final, TypeVar

T = TypeVar("T")

# The process that the running code belongs to; 0 is the world outside.
PROCESS: Final[ContextVar[int]] = ContextVar("process", default=0)
# How long a read on a thread takes, at most (seconds).
LONGEST_READ_S: Final = 0.003


class DeadlockError(Exception):
    """Nothing is ready and nothing is scheduled: the simulated world waits for ever."""


class _NoSockets:
    """In the place of a selector: waiting moves the time on."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise DeadlockError
        self._loop.now += timeout
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """`now` is the time in seconds since the beginning of the world."""

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.now = 0.0
        self._selector = _NoSockets(self)
        self._random = random
        self._dead: set[int] = set()
        self._tasks: list[asyncio.Task[Any]] = []  # a task that is forgotten would run its `finally` blocks
        self.lose_timer: Callable[[asyncio.TimerHandle], bool] = lambda _: False

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self.now

    # --- processes ----------------------------------------------------------------------------------------------

    def spawn(self, coroutine: Coroutine[Any, Any, T], *, process: int) -> asyncio.Task[T]:
        """Run a coroutine as part of a process."""
        context = copy_context()
        context.run(PROCESS.set, process)
        return self.create_task(coroutine, context=context)

    def kill(self, process: int) -> None:
        """End a process: none of its code runs again, not even its `finally` blocks."""
        self._dead.add(process)
        for handle in (*self._ready, *self._scheduled):
            self._drop_if_dead(handle)

    def bury(self, *, unheard: type[BaseException]) -> None:
        """Forget the tasks of dead processes, at the end of the world; what their `finally` blocks raise does not matter."""
        for task in self._tasks:
            coroutine: Any = task.get_coro()
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # they died on purpose
                with suppress(RuntimeError, unheard):
                    coroutine.close()
        self._tasks = []

    def _drop_if_dead(self, handle: asyncio.Handle) -> None:
        context: Context = handle._context  # type: ignore[attr-defined]  # the process is in the context
        if context.get(PROCESS, 0) in self._dead:
            handle.cancel()

    # --- what asyncio asks of a loop ----------------------------------------------------------------------------

    def create_task(self, *args: Any, **named: Any) -> asyncio.Task[Any]:
        task = super().create_task(*args, **named)
        self._tasks.append(task)
        return task

    def call_soon(self, *args: Any, **named: Any) -> asyncio.Handle:  # type: ignore[override]  # passed on as it is
        handle = super().call_soon(*args, **named)
        self._drop_if_dead(handle)
        return handle

    def call_at(self, *args: Any, **named: Any) -> asyncio.TimerHandle:  # type: ignore[override]  # passed on as it is
        handle = super().call_at(*args, **named)
        self._drop_if_dead(handle)
        if self.lose_timer(handle):
            handle.cancel()
        return handle

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]  # asyncio's own is looser
        """Run a function a moment later on this thread: what a thread would do meanwhile must not depend on the machine."""
        future: asyncio.Future[T] = self.create_future()

        def run() -> None:
            if future.done():
                return
            try:
                future.set_result(func(*args))
            except Exception as error:  # handed to the caller, as an executor does
                future.set_exception(error)

        self.call_later(self._random.uniform(0, LONGEST_READ_S), run)
        return future

    def _run_once(self) -> None:
        """Mix the tasks that are ready among themselves, then let everything that is ready run."""
        ready = list(self._ready)
        places = [place for place, handle in enumerate(ready) if _of_task(handle)]
        if len(places) > 1:
            mixed = [ready[place] for place in places]
            self._random.shuffle(mixed)
            for place, handle in zip(places, mixed, strict=True):
                ready[place] = handle
            self._ready.clear()
            self._ready.extend(ready)
        super()._run_once()  # type: ignore[misc]  # not in the stubs

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no sockets."""

    def _write_to_self(self) -> None:
        """There is no other thread to be woken by."""


def _of_task(handle: asyncio.Handle) -> bool:
    return isinstance(getattr(handle._callback, "__self__", None), asyncio.Task)  # type: ignore[attr-defined]  # as above
