"""The simulated world: processes that live, die and start again, their database, and who watches it.

Nothing here decides what happens (`people`, `scenario`) or whether it was right (`checks`). What the world is made of, one
process on SQLite or several dispatchers on PostgreSQL, is in `alone` and `dispatchers`.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, TypeVar
from unittest.mock import patch

from swiftclaw_local.platform import Platform
from tests.simulation import checks
from tests.simulation.loop import VirtualLoop
from tests.simulation.outside import Hook, Outside, Post
from tests.simulation.receiver import Receivers
from tests.simulation.scenario import Scenario
from tests.simulation.strands import PROCESS

T = TypeVar("T")
EPOCH: Final = datetime(2026, 11, 23, 14, 0, tzinfo=UTC).timestamp()
# A due delivery starts within a heartbeat, and a little for the reads and the way to the receiver (promise I9).
LATEST_START_S: Final = 1.1
_NEVER: Final = float("inf")


class UnreachableError(Exception):
    """No process answers, or the answer was lost on the way."""


class Defects:
    """In the place of the log: a step that failed is a defect, whatever became of it."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def info(self, name: str, **_: Any) -> None:
        """Nothing to note."""

    debug = warning = info

    def exception(self, name: str, **details: Any) -> None:
        self._outside.violated("defect", f"{name} {details} {sys.exc_info()[1]!r}")

    error = exception


class World(ABC):
    """Everything of one seed."""

    refusals_may_be_wrong = False  # whether what was refused may be there all the same

    def __init__(self, scenario: Scenario, loop: VirtualLoop) -> None:
        self.scenario = scenario
        self.loop = loop
        self.outside = Outside()
        self.trace: list[str] = []
        self.armed = False
        self.skew_s = 0.0
        self.outage_until = 0.0
        self.trouble_until = 0.0
        self.luck = Random(f"{scenario.seed} accidents")
        self.nobody = copy_context()  # the world outside: no process dies or freezes with what runs in it
        self._in_flight: Counter[tuple[int, str]] = Counter()
        self._full_until: dict[str, float] = {}
        self.sending: dict[str, Post] = {}
        self.interrupted = 0
        self._seen: checks.Tables | None = None
        self._receivers = Receivers(
            Random(f"{scenario.seed} receivers"), sent=self._sent, arrived=self._arrived, ended=self._answered
        )
        loop.lose_timer = self._loses_timer
        loop.set_exception_handler(self._unhandled)

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{self.loop.now:10.4f} {text}")

    # --- what a world is made of --------------------------------------------------------------------------------

    @property
    @abstractmethod
    def watcher(self) -> Any:
        """A connection that sees what is committed, spoken to as SQLite's is; None when nobody runs."""

    @property
    @abstractmethod
    def ready(self) -> bool:
        """Whether everything that shall run at the beginning does."""

    @abstractmethod
    async def keep_alive(self) -> None:
        """Start processes, and another whenever one has ended."""

    @abstractmethod
    async def ask(self, call: Callable[[Platform], Awaitable[T]]) -> T:
        """Make a call to a process, as over the network.

        Raises: UnreachableError when there is no answer; what the call raises.
        """

    @abstractmethod
    async def stop(self) -> None:
        """End a process in order."""

    @abstractmethod
    def die(self) -> None:
        """End a process at this very moment, as `kill -9` does."""

    @abstractmethod
    async def settle_down(self) -> None:
        """No accidents any more: what still hangs comes to its end."""

    @abstractmethod
    def close(self) -> None:
        """End all that runs, at the end of the world."""

    @abstractmethod
    def patches(self) -> Iterator[Any]:
        """Yield what has the shipped code use the database of this world."""

    @abstractmethod
    def engine_now(self, process: int) -> datetime:
        """Return the time of a process's engine."""

    # --- the machine --------------------------------------------------------------------------------------------

    def wall(self) -> float:
        """Return the machine's wall clock, in unix seconds."""
        return EPOCH + self.loop.now + self.skew_s

    def monotonic(self) -> float:
        """Return the machine's clock that never goes back, in seconds."""
        return self.loop.now

    def set_wall_clock(self, by_s: float) -> None:
        """Set the machine's wall clock."""
        self.skew_s += by_s
        self.trouble(1.0)
        self.note(f"the wall clock is set by {by_s:+.0f} s")

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have the shipped code run on this machine while the block lasts."""
        world = self

        class Now(datetime):
            """What APScheduler asks for the time."""

            @classmethod
            def now(cls, tz: Any = None) -> Now:
                return cls.fromtimestamp(EPOCH + world.loop.now, tz)

        with ExitStack() as placed:
            placed.enter_context(patch("swiftclaw_local.scheduler.clock.SystemTime", lambda: self))
            for name in ("schedulers.base", "triggers.interval", "executors.base"):
                placed.enter_context(patch(f"apscheduler.{name}.datetime", Now))
            for name in ("executors.default", "scheduler"):  # they tell of the dead
                placed.enter_context(patch.object(logging.getLogger(f"apscheduler.{name}"), "disabled", True))
            for place in self.patches():
                placed.enter_context(place)
            yield

    # --- accidents ----------------------------------------------------------------------------------------------

    def trouble(self, lasting_s: float) -> None:
        """Something went wrong or was changed: what is due may start late until so many seconds from now."""
        self.trouble_until = max(self.trouble_until, self.loop.now + lasting_s)

    def outage(self, seconds: float) -> None:
        """Have the database fail for so long."""
        self.outage_until = self.loop.now + seconds
        self.trouble(seconds + 1.0)
        self.note(f"the database fails for {seconds:.2f} s")

    def _loses_timer(self, timer: asyncio.TimerHandle) -> bool:
        callback: Any = timer._callback  # type: ignore[attr-defined]  # to tell the engine's wake-ups from all else
        if not self.armed or getattr(callback, "__name__", "") != "wake" or not self.scenario.lost_timer_rate:
            return False
        lost = self.luck.random() < self.scenario.lost_timer_rate
        if lost:
            self.note("a wake is lost")
        return lost

    def _unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is None or type(error).__name__ != "DiedError":
            self.outside.violated("defect", f"{context.get('message')} {error!r}")

    def forget_process(self, process: int) -> None:
        """A process has ended: nothing of it is in flight any more."""
        for place in [place for place in self._in_flight if place[0] == process]:
            self._leave(place, count=self._in_flight[place])
        self.sending = {name: post for name, post in self.sending.items() if post.process != process}

    # --- what the receivers' side sees --------------------------------------------------------------------------

    def _sent(self, post: Post) -> None:
        post.process, post.sent_at = PROCESS.get(), self.loop.now
        self.outside.posts.append(post)
        self.outside.by_attempt[post.delivery_id, post.number] = post
        self._in_flight[post.process, post.url] += 1
        if self._in_flight[post.process, post.url] >= self.scenario.per_webhook:
            self._full_until[post.url] = _NEVER
        if self._in_flight[post.process, post.url] > self.scenario.per_webhook:
            self.outside.violated("I12", f"{post.url} is sent to beyond its slots")
        if post.delivery_id in self.sending:
            self.sent_twice(self.sending[post.delivery_id], post)
        self.sending[post.delivery_id] = post
        hook = next(hook for hook in self.outside.hooks.values() if hook.url == post.url)
        row, attempts = self._standing(post)
        if hook.delete_answered:
            self.sent_to_deleted(hook, post, row)
        self.note(f"sent {post.delivery_id} #{post.number} of {post.event_id} to {post.url}")
        if (row["state"], row["attempts"]) != ("in_flight", post.number - 1):
            self.outside.violated("I4", f"#{post.number} of {post.delivery_id} is sent, SQL says {row['state']}")
        self.check_claim(post, row)
        self._check_due(post, row, attempts)

    def sent_twice(self, earlier: Post, later: Post) -> None:
        """Two attempts of one delivery are in flight."""
        self.outside.violated("I7", f"{later.delivery_id} is sent twice at once")

    def sent_to_deleted(self, hook: Hook, post: Post, row: checks.Row) -> None:
        """A request goes to a webhook that was deleted."""
        self.outside.violated("D20", f"{post.delivery_id} is sent after {hook.id} was deleted")

    @abstractmethod
    def check_claim(self, post: Post, row: checks.Row) -> None:
        """Check what else must be true of the row of a delivery that is sent."""

    def _arrived(self, post: Post) -> None:
        post.arrived = True

    def _answered(self, post: Post) -> None:
        post.ended_at = self.engine_now(post.process)
        if self.sending.get(post.delivery_id) is post:
            del self.sending[post.delivery_id]
        self._leave((post.process, post.url), count=1)
        self.note(f"answered {post.delivery_id} #{post.number}: {post.outcome}")

    def _leave(self, place: tuple[int, str], *, count: int) -> None:
        self._in_flight[place] -= count
        if not self._in_flight[place]:
            del self._in_flight[place]
        slots, url = self.scenario.per_webhook, place[1]
        anywhere = any(found >= slots for (_, name), found in self._in_flight.items() if name == url)
        if self._full_until.get(url) == _NEVER and not anywhere:
            self._full_until[url] = self.loop.now

    def _standing(self, post: Post) -> tuple[checks.Row, list[checks.Row]]:
        tables = checks.read_tables(self.watcher, delivery_id=post.delivery_id)
        return tables.deliveries[post.delivery_id], tables.attempts[post.delivery_id]

    def _check_due(self, post: Post, row: checks.Row, attempts: list[checks.Row]) -> None:
        """I9: never before its due time, and never long after it without a reason."""
        due = checks.expected_due(self.outside, row, attempts, schedule=self.scenario.schedule)
        now = self.engine_now(post.process)
        if due is None or post.delivery_id in self.outside.brought_forward:
            return
        if now < due:
            self.outside.violated("I9", f"{post.delivery_id} #{post.number} is sent {due - now} early")
        if self.scenario.clock == "manual":
            return
        rate = 60 if self.scenario.clock == "x60" else 1
        due_for = (now - due) / timedelta(seconds=rate)
        excused = (self.trouble_until, self._full_until.get(post.url, 0.0), self.excused_until(attempts))
        late = self.loop.now - max(self.loop.now - due_for, *excused)
        if late > LATEST_START_S:
            self.outside.violated("I9", f"{post.delivery_id} #{post.number} starts {late:.3f} s late")

    def excused_until(self, attempts: list[checks.Row]) -> float:
        """Return until when (seconds of the world) a delivery with this log may have waited for a reason."""
        return 0.0

    # --- looking at SQL -----------------------------------------------------------------------------------------

    def look(self, *, settled: bool = False) -> None:
        """Check what must hold at any moment; with `settled`, also what must hold when nothing is left to do."""
        if self.watcher is None:
            if settled:
                self.outside.violated("I3", "no process runs any more")
            return
        tables = checks.read_tables(self.watcher)
        violations = self.outside.violations
        if self._seen is not None:
            violations += checks.check_history(self._seen, tables)
        self._seen = tables
        violations += checks.check_durable(self.outside, tables)
        if settled:
            violations += checks.check_settled(
                self.outside, tables, now=datetime.fromtimestamp(EPOCH + self.loop.now, UTC)
            )
            violations += checks.check_attempts(self.outside, tables)
            violations += checks.check_bytes(self.outside, tables)
            violations += checks.check_budget(self.outside, tables, retries=len(self.scenario.schedule))
            self.interrupted = sum(row["outcome"] == "interrupted" for log in tables.attempts.values() for row in log)
            for name, row in tables.deliveries.items():
                self.note(f"{name} {row['event_id']} {row['state']} {row['reason']} {row['attempts']} {row['due_at']}")

    def deliveries(self, where: str) -> list[str]:
        """Return the ids of the deliveries of which something is true. Raises: UnreachableError when nobody runs."""
        if self.watcher is None:
            raise UnreachableError
        asked = f"SELECT id FROM delivery WHERE {where} ORDER BY id"  # noqa: S608 - words of the simulation
        return [row[0] for row in self.watcher.execute(asked).fetchall()]

    def is_gone(self, webhook_id: str) -> bool:
        """Return whether SQL says that a webhook is deleted."""
        if self.watcher is None:
            return False
        found = self.watcher.execute("SELECT deleted_at FROM webhook WHERE id = ?", (webhook_id,)).fetchone()
        return bool(found and found[0])

    def open_deliveries(self) -> int:
        """Return how many deliveries of enabled webhooks have not ended; 1 when nobody answers."""
        if self.watcher is None:
            return 1
        count: int = self.watcher.execute(
            "SELECT count(*) FROM delivery d JOIN webhook w ON w.id = d.webhook_id"
            " WHERE d.ended_at IS NULL AND (d.state = 'in_flight' OR (w.enabled AND w.deleted_at IS NULL))"
        ).fetchone()[0]
        return count
