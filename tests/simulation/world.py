"""The simulated world: one process at a time that lives, dies and starts again, its database, and who watches it.

Nothing here decides what happens (`people`, `scenario`) or whether it was right (`checks`).
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar
from unittest.mock import patch

from swiftclaw_local.errors import StorageUnavailable
from swiftclaw_local.platform import Platform
from swiftclaw_local.settings import Settings
from swiftclaw_local.storage.queries import read_engine
from swiftclaw_local.storage.sqlite_file import FileLock, connect
from tests.simulation import checks
from tests.simulation.disk import AT_BEGIN, Accident, Disk, NoCheckpoints, leave_image
from tests.simulation.loop import PROCESS, VirtualLoop
from tests.simulation.outside import Outside, Post
from tests.simulation.receiver import Receivers
from tests.simulation.scenario import Scenario

T = TypeVar("T")
EPOCH: Final = datetime(2026, 11, 23, 14, 0, tzinfo=UTC).timestamp()
DB: Final = "swiftclaw.db"
_STORE: Final = "swiftclaw_local.storage.sqlite"
# A due delivery starts within a heartbeat, and a little for the reads and the way to the receiver (promise I9).
LATEST_START_S: Final = 1.1


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
        self._outside.violated("defect", f"{name} {details}")

    error = exception


@dataclass(slots=True)
class Life:
    """One process: from its start to its death or orderly end."""

    number: int
    folder: Path
    ended: asyncio.Future[None]
    platform: Platform | None = None
    ready: bool = False
    disks: list[Disk] = field(default_factory=list)
    locks: list[Any] = field(default_factory=list)
    readers: list[Any] = field(default_factory=list)
    watcher: sqlite3.Connection | None = None


class World:
    """Everything of one seed."""

    def __init__(self, scenario: Scenario, loop: VirtualLoop, folder: Path) -> None:
        self.scenario = scenario
        self.loop = loop
        self.outside = Outside()
        self.trace: list[str] = []
        self.life: Life | None = None
        self.armed = False
        self.skew_s = 0.0
        self.outage_until = 0.0
        self.trouble_until = 0.0
        self.in_flight: Counter[str] = Counter()
        self._sending: set[str] = set()
        self._full_until: dict[str, float] = {}
        self._folder = folder
        self._lives = 0
        self._seen: checks.Tables | None = None
        self._luck = Random(f"{scenario.seed} accidents")
        self._receivers = Receivers(
            Random(f"{scenario.seed} receivers"), sent=self._sent, arrived=self._arrived, ended=self._answered
        )
        loop.lose_timer = self._loses_timer
        loop.set_exception_handler(self._unhandled)

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{self.loop.now:10.4f} {text}")

    # --- the machine: clocks, threads and files of the process --------------------------------------------------

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

        with (
            patch("swiftclaw_local.scheduler.clock.SystemTime", lambda: self),
            patch("apscheduler.schedulers.base.datetime", Now),
            patch("apscheduler.triggers.interval.datetime", Now),
            patch("apscheduler.executors.base.datetime", Now),
            patch(f"{_STORE}.connect", self._kept("disks", connect, self._disk)),
            patch(f"{_STORE}.FileLock", self._kept("locks", FileLock)),
            patch(f"{_STORE}.read_engine", self._kept("readers", read_engine)),
            patch(f"{_STORE}.Checkpoints", NoCheckpoints),
            patch.object(logging.getLogger("apscheduler.executors.default"), "disabled", True),  # it tells of the dead
        ):
            yield

    def _kept(self, kind: str, make: Callable[..., Any], wrap: Callable[[Any], Any] = lambda made: made) -> Any:
        """Return a maker that also remembers what it made with the life it belongs to."""

        def made(*args: Any, **named: Any) -> Any:
            result = wrap(make(*args, **named))
            assert self.life is not None
            getattr(self.life, kind).append(result)
            return result

        return made

    def _disk(self, real: sqlite3.Connection) -> Disk:
        return Disk(real, accident=self._accident, die=self.die)

    # --- lives --------------------------------------------------------------------------------------------------

    async def keep_alive(self) -> None:
        """Start a process, and another whenever one has ended."""
        random = Random(f"{self.scenario.seed} downtimes")
        while True:
            life = await self._start()
            await asyncio.wait([life.ended])
            await asyncio.sleep(random.choice([0.0, 0.1, 2.0]))

    async def _start(self) -> Life:
        self._lives += 1
        folder = self._folder / str(self._lives) if self.life is None else self.life.folder
        self.life = life = Life(self._lives, folder, self.loop.create_future())
        self.note(f"process {life.number} starts")
        opening = self.loop.spawn(self._open(life), process=life.number)
        await asyncio.wait([opening, life.ended], return_when=asyncio.FIRST_COMPLETED)
        if not life.ended.done() and opening.exception() is not None:
            self._gave_up(life, opening.exception())
        self.trouble(0.1)
        return life

    def _gave_up(self, life: Life, error: BaseException | None) -> None:
        """The process could not start: that is an end in order when its database failed it, and a defect otherwise."""
        self.note(f"process {life.number} gives up: {type(error).__name__}")
        if not isinstance(error, StorageUnavailable):
            self.outside.violated("defect", f"process {life.number} cannot start: {error!r}")
        self._end(life)

    async def _open(self, life: Life) -> None:
        scenario = self.scenario
        settings = Settings(
            db=life.folder / DB,
            durability="normal",  # losing power is not simulated
            clock=scenario.clock,
            seed=scenario.seed,
            retry_schedule=scenario.schedule,
            per_webhook=scenario.per_webhook,
            headers="debug",
        )
        log: Any = Defects(self.outside)
        life.platform = await Platform.open(settings, sender=self._receivers, log=log)
        life.watcher = sqlite3.connect(f"file:{life.folder / DB}?mode=ro", uri=True, isolation_level=None)
        await life.platform.start()
        life.ready = True
        self.note(f"process {life.number} is ready: {life.platform.opened}")

    def die(self) -> None:
        """End the process at this very moment, as `kill -9` does, and leave what lies on the disk to the next."""
        assert self.life is not None
        if self.life.ended.done():
            return
        self.outside.deaths += 1
        self.note(f"process {self.life.number} dies")
        self._end(self.life)

    async def stop(self) -> None:
        """End the process in order."""
        life = self.life
        if life is None or not life.ready or life.platform is None:
            return
        life.ready = False
        self.note(f"process {life.number} is stopped")
        self.trouble(0.1)
        stopping = self.loop.spawn(life.platform.stop(), process=life.number)
        await asyncio.wait([stopping, life.ended], return_when=asyncio.FIRST_COMPLETED)
        if not life.ended.done():
            stopping.result()
            self.look(stopped=True)
            self._end(life)

    def _end(self, life: Life) -> None:
        heir = self._folder / str(life.number + 1)
        leave_image(life.folder, heir)
        self.loop.kill(life.number)
        for disk in life.disks:
            disk.dead = True
            disk.close()
        for lock in life.locks:
            lock.release()
        for reader in life.readers:
            reader.dispose()
        if life.watcher is not None:
            life.watcher.close()
        shutil.rmtree(life.folder)
        life.folder, life.ready, life.watcher = heir, False, None
        self.in_flight.clear()
        self._sending.clear()
        life.ended.set_result(None)

    async def ask(self, call: Callable[[Platform], Awaitable[T]]) -> T:
        """Make a call to the process, as over the network.

        Raises: UnreachableError when there is no answer; what the call raises.
        """
        life = self.life
        if life is None or not life.ready or life.platform is None:
            raise UnreachableError
        platform = life.platform

        async def answer() -> T:
            return await call(platform)

        answering = self.loop.spawn(answer(), process=life.number)
        either: list[asyncio.Future[Any]] = [answering, life.ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            raise UnreachableError
        return answering.result()

    # --- accidents ----------------------------------------------------------------------------------------------

    def trouble(self, lasting_s: float) -> None:
        """Something went wrong or was changed: what is due may start late until so many seconds from now."""
        self.trouble_until = max(self.trouble_until, self.loop.now + lasting_s)

    def outage(self, seconds: float) -> None:
        """Have the database fail for so long."""
        self.outage_until = self.loop.now + seconds
        self.trouble(seconds + 1.0)
        self.note(f"the database fails for {seconds:.2f} s")

    def _accident(self, at_commit: bool, repeatable: bool) -> Accident | None:
        accident = self._drawn(at_commit=at_commit, repeatable=repeatable)
        if accident is not None:
            self.note(f"disk: {accident}")
            self.trouble(1.0)
        return accident

    def _drawn(self, *, at_commit: bool, repeatable: bool) -> Accident | None:
        luck, scenario = self._luck, self.scenario
        if not self.armed:
            return None
        if not at_commit:
            if self.loop.now < self.outage_until:
                return "begin fails"
            return luck.choice(AT_BEGIN) if luck.random() < scenario.failure_rate / 2 else None
        if self.outside.deaths < scenario.deaths and luck.random() < scenario.death_rate:
            return luck.choice(("dies before", "dies after"))
        if repeatable and luck.random() < scenario.lost_answer_rate:
            if luck.random() < 0.5:
                self.outage(luck.choice([0.01, 0.3, 1.0]))  # so that it is not simply asked again at once
            return "answer lost"
        return "full" if luck.random() < scenario.failure_rate / 2 else None

    def _loses_timer(self, timer: asyncio.TimerHandle) -> bool:
        callback: Any = timer._callback  # type: ignore[attr-defined]  # to tell the engine's wake-ups from all else
        if not self.armed or getattr(callback, "__name__", "") != "wake" or not self.scenario.lost_timer_rate:
            return False
        lost = self._luck.random() < self.scenario.lost_timer_rate
        if lost:
            self.note("a wake is lost")
        return lost

    def _unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is None or type(error).__name__ != "DiedError":
            self.outside.violated("defect", f"{context.get('message')} {error!r}")

    # --- what the receivers' side sees --------------------------------------------------------------------------

    def _sent(self, post: Post) -> None:
        post.process = PROCESS.get()
        self.outside.posts.append(post)
        self.outside.by_attempt[post.delivery_id, post.number] = post
        self.in_flight[post.url] += 1
        if self.in_flight[post.url] >= self.scenario.per_webhook:
            self._full_until[post.url] = float("inf")
        if post.delivery_id in self._sending:
            self.outside.violated("I7", f"{post.delivery_id} is sent twice at once")
        self._sending.add(post.delivery_id)
        hook = next(hook for hook in self.outside.hooks.values() if hook.url == post.url)
        if hook.delete_answered:
            self.outside.violated("D20", f"{post.delivery_id} is sent after {hook.id} was deleted")
        row, attempts = self._standing(post)
        self.note(f"sent {post.delivery_id} #{post.number} of {post.event_id} to {post.url}")
        if (row["state"], row["attempts"]) != ("in_flight", post.number - 1):
            self.outside.violated("I4", f"#{post.number} of {post.delivery_id} is sent, SQL says {row['state']}")
        self._check_due(post, row, attempts)

    def _arrived(self, post: Post) -> None:
        post.arrived = True

    def _answered(self, post: Post) -> None:
        post.ended_at = self._engine_now()
        self._sending.discard(post.delivery_id)
        if self.in_flight[post.url] >= self.scenario.per_webhook:
            self._full_until[post.url] = self.loop.now
        self.in_flight[post.url] -= 1
        self.note(f"answered {post.delivery_id} #{post.number}: {post.outcome}")

    def _standing(self, post: Post) -> tuple[checks.Row, list[checks.Row]]:
        assert self.life is not None
        assert self.life.watcher is not None
        tables = checks.read_tables(self.life.watcher, delivery_id=post.delivery_id)
        return tables.deliveries[post.delivery_id], tables.attempts[post.delivery_id]

    def _check_due(self, post: Post, row: checks.Row, attempts: list[checks.Row]) -> None:
        """I9: never before its due time, and never long after it without a reason."""
        due = checks.expected_due(self.outside, row, attempts, schedule=self.scenario.schedule)
        now = self._engine_now()
        if due is None or post.delivery_id in self.outside.brought_forward:
            return
        if now < due:
            self.outside.violated("I9", f"{post.delivery_id} #{post.number} is sent {due - now} early")
        if self.scenario.clock == "manual":
            return
        rate = 60 if self.scenario.clock == "x60" else 1
        due_for = (now - due) / timedelta(seconds=rate)
        since = max(self.loop.now - due_for, self.trouble_until, self._full_until.get(post.url, 0.0))
        if self.loop.now - since > LATEST_START_S:
            self.outside.violated("I9", f"{post.delivery_id} #{post.number} starts {self.loop.now - since:.3f} s late")

    def _engine_now(self) -> datetime:
        assert self.life is not None
        assert self.life.platform is not None
        return self.life.platform.clock.now()

    # --- looking at SQL -----------------------------------------------------------------------------------------

    def look(self, *, settled: bool = False, stopped: bool = False) -> None:
        """Check what must hold at any moment; with `settled`, also what must hold when nothing is left to do."""
        if self.life is None or self.life.watcher is None:
            if settled:
                self.outside.violated("I3", "no process runs any more")
            return
        tables = checks.read_tables(self.life.watcher)
        violations = self.outside.violations
        if self._seen is not None:
            violations += checks.check_history(self._seen, tables)
        self._seen = tables
        violations += checks.check_durable(self.outside, tables)
        if stopped:
            left = [name for name, row in tables.deliveries.items() if row["state"] == "in_flight"]
            violations += [f"I3: {name} is in flight after an orderly stop" for name in left]
        if settled:
            violations += checks.check_settled(self.outside, tables)
            violations += checks.check_attempts(self.outside, tables)
            violations += checks.check_bytes(self.outside, tables)
            violations += checks.check_budget(self.outside, tables, retries=len(self.scenario.schedule))
            for name, row in tables.deliveries.items():
                self.note(f"{name} {row['event_id']} {row['state']} {row['reason']} {row['attempts']} {row['due_at']}")

    def is_gone(self, webhook_id: str) -> bool:
        """Return whether SQL says that a webhook is deleted."""
        if self.life is None or self.life.watcher is None:
            return False
        found = self.life.watcher.execute("SELECT deleted_at FROM webhook WHERE id = ?", (webhook_id,)).fetchone()
        return bool(found and found[0])

    def open_deliveries(self) -> int:
        """Return how many deliveries of enabled webhooks have not ended; 1 when nobody answers."""
        if self.life is None or self.life.watcher is None:
            return 1
        count: int = self.life.watcher.execute(
            "SELECT count(*) FROM delivery d JOIN webhook w ON w.id = d.webhook_id"
            " WHERE d.ended_at IS NULL AND (d.state = 'in_flight' OR (w.enabled AND w.deleted_at IS NULL))"
        ).fetchone()[0]
        return count
