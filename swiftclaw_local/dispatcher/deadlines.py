"""Ends what takes longer than a fixed time, for many at once: one timer serves all, as all are given the same time.

asyncio.timeout arms and cancels a timer of the loop for each; that was a tenth of sending a request.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

from swiftclaw_local.scheduler.clock import monotonic


class Deadlines:
    """Gives each `with Deadlines.one():` block so many real seconds. A block that comes later ends later."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._open: dict[Deadline, None] = {}  # in the order in which they end
        self._timer: asyncio.TimerHandle | None = None

    def one(self) -> Deadline:
        """Return a block's deadline, which counts from now."""
        return Deadline(self, monotonic() + self._seconds)

    def close(self) -> None:
        """Let go of the timer; no block may be open."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def begin(self, deadline: Deadline) -> None:
        """Watch over a block from now on."""
        self._open[deadline] = None
        if self._timer is None:
            self._arm(deadline)

    def end(self, deadline: Deadline) -> None:
        """Watch over a block no longer; the timer stays as it is, for the next."""
        self._open.pop(deadline, None)

    def _arm(self, first: Deadline) -> None:
        self._timer = asyncio.get_running_loop().call_later(max(0.0, first.at - monotonic()), self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        now = monotonic()
        for deadline in list(self._open):
            if deadline.at > now:
                self._arm(deadline)
                return
            del self._open[deadline]
            deadline.pass_by()


class Deadline:
    """One block's time: when it has passed, the block ends with a TimeoutError, as under asyncio.timeout."""

    __slots__ = ("_canceled_before", "_deadlines", "_passed", "_task", "at")

    def __init__(self, deadlines: Deadlines, at: float) -> None:
        task = asyncio.current_task()
        assert task is not None, "only a task can be ended"
        self.at = at
        self._deadlines = deadlines
        self._task = task
        self._canceled_before = task.cancelling()
        self._passed = False

    def pass_by(self) -> None:
        """End the block."""
        self._passed = True
        self._task.cancel()

    def __enter__(self) -> Deadline:
        self._deadlines.begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadlines.end(self)
        # a cancellation that somebody else asked for at the same time is theirs, and goes on
        if self._passed and self._task.uncancel() <= self._canceled_before and kind is asyncio.CancelledError:
            raise TimeoutError from error
