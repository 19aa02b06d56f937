"""An event loop whose time is made up: it moves only when nothing is ready, and costs nothing.

Tasks that are ready at the same moment go on in an order drawn from the seed; what was scheduled by callbacks keeps its
order, as asyncio promises. What belongs to a process that died is dropped, and what belongs to one that is frozen waits.
There are no sockets on it; a thread runs only while the loop waits for it (`strands`).
"""

from __future__ import annotations

import asyncio
import heapq
import warnings
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, copy_context
from random import Random
from typing import Any, Final, TypeVar

from tests.simulation.strands import PROCESS, Strand

T = TypeVar("T")

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
        self._frozen: dict[int, list[asyncio.Handle]] = {}
        self._strands: list[Strand] = []
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
        for handle in (*self._ready, *self._scheduled, *self._frozen.pop(process, [])):
            self._drop_if_dead(handle)
        for strand in [strand for strand in self._strands if strand.process == process]:
            strand.end()

    def freeze(self, process: int) -> None:
        """Stop a process where it is, as SIGSTOP does: what it waits for goes on without it."""
        timers = sorted(self._scheduled, key=lambda timer: timer.when())
        self._frozen.setdefault(process, []).extend(timer for timer in timers if self._process_of(timer) == process)
        self._scheduled[:] = [handle for handle in self._scheduled if self._process_of(handle) != process]
        heapq.heapify(self._scheduled)

    def is_frozen(self, process: int) -> bool:
        """Return whether a process is frozen."""
        return process in self._frozen

    def thaw(self, process: int) -> None:
        """Let a process go on: what became due meanwhile is due now."""
        for handle in self._frozen.pop(process, []):
            if isinstance(handle, asyncio.TimerHandle):
                heapq.heappush(self._scheduled, handle)
            else:
                self._ready.append(handle)

    def bury(self, *, unheard: type[BaseException]) -> None:
        """Forget the tasks of dead processes, at the end of the world; what their `finally` blocks raise does not matter."""
        for task in self._tasks:
            coroutine: Any = task.get_coro()
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # they died on purpose
                with suppress(RuntimeError, unheard), warnings.catch_warnings():
                    warnings.simplefilter("ignore", RuntimeWarning)  # some died before their first step
                    coroutine.close()
        self._tasks = []

    def _drop_if_dead(self, handle: asyncio.Handle) -> None:
        if self._process_of(handle) in self._dead:
            handle.cancel()

    @staticmethod
    def _process_of(handle: asyncio.Handle) -> int:
        context: Context = handle._context  # type: ignore[attr-defined]  # the process is in the context
        return context.get(PROCESS, 0)

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
        """Run a function a moment later while the loop waits: what it does must not depend on the machine's threads."""
        future: asyncio.Future[T] = self.create_future()

        def run() -> None:
            if not future.done():
                strand = Strand(lambda: func(*args), future, gone=self._strands.remove)
                self._strands.append(strand)
                strand.go_on()

        self.call_later(self._random.uniform(0, LONGEST_READ_S), run)
        return future

    def _run_once(self) -> None:
        """Mix the tasks that are ready among themselves, then let everything that is ready run."""
        self._set_frozen_aside()
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

    def _set_frozen_aside(self) -> None:
        if not self._frozen:
            return
        for handle in [handle for handle in self._ready if self._process_of(handle) in self._frozen]:
            self._ready.remove(handle)
            self._frozen[self._process_of(handle)].append(handle)

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no sockets."""

    def _write_to_self(self) -> None:
        """There is no other thread to be woken by."""


def _of_task(handle: asyncio.Handle) -> bool:
    return isinstance(getattr(handle._callback, "__self__", None), asyncio.Task)  # type: ignore[attr-defined]  # as above
