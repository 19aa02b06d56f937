"""A world of several dispatchers on one PostgreSQL: each dies, freezes and loses its connections by itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar
from unittest.mock import patch

import psycopg

from swiftclaw_local.errors import DatabaseUnreachable, StorageUnavailable
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.serve import GRACE_S
from swiftclaw_local.settings import DatabaseUrl, Settings
from swiftclaw_local.storage.postgres_reads import read_engine
from swiftclaw_local.storage.statements import from_text
from tests.simulation import checks
from tests.simulation.cluster import KEY, Watcher
from tests.simulation.loop import VirtualLoop
from tests.simulation.outside import Hook, Post
from tests.simulation.receiver import TIMEOUT_S
from tests.simulation.scenario import Scenario
from tests.simulation.strands import PROCESS
from tests.simulation.wires import LOCK_S, SILENT_S, Accident, Line, Lines, Moment, PlainWire, connect_async
from tests.simulation.world import EPOCH, Defects, UnreachableError, World

T = TypeVar("T")
_STORAGE: Final = "swiftclaw_local.storage"
# What the shipped settings promise, as the page of promises says it: how long a lease outlasts an attempt, when the last
# attempt under it may begin, and how long the server bears with a transaction that its client left open (seconds).
LEASE_S: Final = TIMEOUT_S + 5.0
BEGIN_WITHIN_S: Final = 3.0
MARGIN_S: Final = 2.0
IDLE_S: Final = 15.0
# How long somebody who asks waits for an answer.
PATIENCE_S: Final = 40.0
_WRITES: Final = ("INSERT", "UPDATE", "WITH")


@dataclass(slots=True)
class Life:
    """One process: from its start to its death or orderly end. `ahead_s` is its host's clock against the others'."""

    number: int
    ended: asyncio.Future[None]
    ahead_s: float
    platform: Platform | None = None
    ready: bool = False
    frozen: list[tuple[float, float]] = field(default_factory=list)
    readers: list[Any] = field(default_factory=list)
    asked: list[asyncio.Task[Any]] = field(default_factory=list)


class Dispatchers(World):
    """Several at a time, on one database."""

    refusals_may_be_wrong = True  # who loses the answer to a COMMIT cannot know whether it was done

    def __init__(self, scenario: Scenario, loop: VirtualLoop, folder: Path, *, url: str) -> None:
        super().__init__(scenario, loop)
        self._url = url
        self._folder = folder
        self._watch = Watcher(url)
        self.lines = Lines(self._watch, self)
        self.lives: dict[int, Life] = {}
        self.freezes = 0
        self._number = 0
        self._choice = Random(f"{scenario.seed} who is asked")
        self._ways = Random(f"{scenario.seed} delays")

    @property
    def watcher(self) -> Any:
        """See `World`."""
        return self._watch.plain

    @property
    def ready(self) -> bool:
        """See `World`."""
        return len(self._ready()) == self.scenario.dispatchers

    def _ready(self) -> list[Life]:
        return [life for life in self.lives.values() if life.ready]

    def engine_now(self, process: int) -> datetime:
        """See `World`."""
        platform = self.lives[process].platform
        assert platform is not None
        return platform.clock.now()

    def wall(self) -> float:
        """Return the wall clock of the host that asks."""
        life = self.lives.get(PROCESS.get())
        return super().wall() + (0.0 if life is None else life.ahead_s)

    # --- what the shipped code runs on --------------------------------------------------------------------------

    def patches(self) -> Iterator[Any]:
        """See `World`."""
        yield patch("swiftclaw_local.logs.logger", lambda: Defects(self.outside))
        yield patch.dict(os.environ, {"SWIFTCLAW_KEY": KEY.hex()})
        yield patch("swiftclaw_local.platform.platform.monotonic", self.monotonic)
        yield patch("swiftclaw_local.dispatcher.engine.monotonic", self.monotonic)
        for module in ("postgres_writer", "listening"):
            yield patch(f"{_STORAGE}.{module}.connect", self._connect)
        for module in ("postgres", "postgres_schema"):
            yield patch(f"{_STORAGE}.{module}.connect_plain", lambda url, **_: self._connect_plain(url, quick=False))
        yield patch(f"{_STORAGE}.postgres_reads.connect_plain", lambda url: self._connect_plain(url, quick=True))
        yield patch(f"{_STORAGE}.postgres.read_engine", self._read_engine)
        yield patch(f"{_STORAGE}.postgres.secrets.token_hex", lambda _: f"owner-{PROCESS.get()}")

    async def _connect(self, url: str) -> Any:
        await asyncio.sleep(self.delay())
        self._check_reachable()
        return await connect_async(self.lines)(url)

    def _connect_plain(self, url: str, *, quick: bool) -> PlainWire:
        self._check_reachable()
        return PlainWire.reach(self.lines, url, quick=quick)

    def _check_reachable(self) -> None:
        if self.armed and self.loop.now < self.outage_until:
            raise psycopg.OperationalError("simulated: connection refused")

    def _read_engine(self, url: str) -> Any:
        engine = read_engine(url)
        self.lives[PROCESS.get()].readers.append(engine)
        return engine

    def database_now(self) -> float:
        """See `wires.Weather`."""
        return EPOCH + self.loop.now + self.scenario.database_ahead_s

    def delay(self) -> float:
        """See `wires.Weather`."""
        return self._ways.choice((0.0, 0.0002, 0.002))

    def committed(self, news: list[tuple[str, str]]) -> None:
        """Tell the news to all who listen, a moment later."""
        for channel, text in news:
            notice = psycopg.Notify(channel, text, 0)
            for line in self.lines.all:
                self.loop.call_later(self.delay(), line.notices.put_nowait, notice, context=self.nobody.copy())

    # --- lives --------------------------------------------------------------------------------------------------

    async def keep_alive(self) -> None:
        """See `World`."""
        await asyncio.gather(*(self._keep_one_alive(place) for place in range(self.scenario.dispatchers)))

    async def _keep_one_alive(self, place: int) -> None:
        random = Random(f"{self.scenario.seed} downtimes {place}")
        while True:
            life = await self._start(ahead_s=random.choice([0.0, 0.0, 0.2, -0.2]))
            await asyncio.wait([life.ended])
            await asyncio.sleep(random.choice([0.0, 0.1, 2.0, 20.0]))

    async def _start(self, *, ahead_s: float) -> Life:
        self._number += 1
        life = self.lives[self._number] = Life(self._number, self.loop.create_future(), ahead_s)
        self.note(f"process {life.number} starts")
        opening = self.loop.spawn(self._open(life), process=life.number)
        await asyncio.wait([opening, life.ended], return_when=asyncio.FIRST_COMPLETED)
        if not life.ended.done() and opening.exception() is not None:
            self.note(f"process {life.number} gives up: {type(opening.exception()).__name__}")
            if not isinstance(opening.exception(), StorageUnavailable | DatabaseUnreachable):
                self.outside.violated("defect", f"process {life.number} cannot start: {opening.exception()!r}")
            self._end(life)
        return life

    async def _open(self, life: Life) -> None:
        scenario = self.scenario
        settings = Settings(
            db=DatabaseUrl(self._url),
            clock="real",
            seed=scenario.seed * 1000 + life.number,
            retry_schedule=scenario.schedule,
            per_webhook=scenario.per_webhook,
            send_timeout=timedelta(seconds=TIMEOUT_S),
            headers="debug",
        )
        log: Any = Defects(self.outside)
        life.platform = await Platform.open(settings, sender=self._receivers, log=log)
        await life.platform.start()
        if not any(not self.loop.is_frozen(other.number) for other in self._ready()):
            self.trouble(0.1)  # nobody ran until now
        life.ready = True
        self.note(f"process {life.number} is ready: {life.platform.opened}")

    def die(self) -> None:
        """See `World`."""
        alive = [life for life in self.lives.values() if not life.ended.done()]
        if alive:
            self._die(self._choice.choice(alive), vanishes=self._choice.random() < 0.3)

    def _die(self, life: Life, *, vanishes: bool) -> None:
        """End a process; when its host vanishes with it, the server learns of that later."""
        if life.ended.done():
            return
        self.outside.deaths += 1
        self.outside.cut_offs += 1
        self.note(f"process {life.number} {'vanishes' if vanishes else 'dies'}")
        self.trouble(SILENT_S + IDLE_S if vanishes else 1.0)
        self._end(life, vanishes=vanishes)

    async def stop(self) -> None:
        """See `World`."""
        ready = self._ready()
        if ready:
            await self._stop(self._choice.choice(ready))

    async def _stop(self, life: Life) -> None:
        assert life.platform is not None
        life.ready = False
        self.note(f"process {life.number} is stopped")
        self.trouble(0.5)
        if life.asked:
            await asyncio.wait(life.asked, timeout=GRACE_S)  # as the server lets requests under way end before it stops
        if life.ended.done():
            return
        stopping = self.loop.spawn(life.platform.stop(), process=life.number)
        await asyncio.wait([stopping, life.ended], return_when=asyncio.FIRST_COMPLETED)
        if life.ended.done():
            return
        if not isinstance(stopping.exception(), StorageUnavailable | None):
            self.outside.violated("defect", f"process {life.number} cannot stop: {stopping.exception()!r}")
        if not self.outside.cut_offs:
            for name in self.deliveries(f"state = 'in_flight' AND lease_owner = 'owner-{life.number}'"):
                self.outside.violated("I3", f"{name} is in flight after an orderly stop")
        self._end(life)

    def _end(self, life: Life, *, vanishes: bool = False) -> None:
        for line in self.lines.of(life.number):
            line.dead = True
        self.loop.kill(life.number)
        for line in self.lines.of(life.number):
            if vanishes and line.in_transaction:
                self.loop.call_later(SILENT_S, self._close, line, context=self.nobody.copy())
            else:
                self._close(line)
        for reader in life.readers:
            reader.dispose()
        self.forget_process(life.number)
        life.ready = False
        life.ended.set_result(None)

    async def settle_down(self) -> None:
        """See `World`."""
        for life in self.lives.values():
            self._thaw(life)
        asked = [task for life in self.lives.values() if not life.ended.done() for task in life.asked]
        if asked:
            await asyncio.wait(asked, timeout=PATIENCE_S)  # what nobody waits for any more may still be done

    def close(self) -> None:
        """See `World`."""
        for life in self.lives.values():
            if not life.ended.done():
                self._end(life)
        for line in list(self.lines.all):
            self._close(line)
        self._watch.close()

    def _close(self, line: Line) -> None:
        self.lines.leave(line)
        line.pgconn.finish()

    async def ask(self, call: Callable[[Platform], Awaitable[T]]) -> T:
        """See `World`."""
        ready = self._ready()
        if not ready:
            raise UnreachableError
        life = self._choice.choice(ready)
        platform = life.platform
        assert platform is not None

        async def answer() -> T:
            return await call(platform)

        answering = self.loop.spawn(answer(), process=life.number)
        life.asked.append(answering)
        answering.add_done_callback(lambda task: task.cancelled() or task.exception(), context=self.nobody.copy())
        either: list[asyncio.Future[Any]] = [answering, life.ended]
        await asyncio.wait(either, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            raise UnreachableError
        return answering.result()

    # --- accidents ----------------------------------------------------------------------------------------------

    def outage(self, seconds: float) -> None:
        """See `World`: the server is killed, and comes back."""
        super().outage(seconds)
        self.outside.cut_offs += 1
        self.trouble(seconds + 2.0)
        for line in list(self.lines.all):
            self.lines.end(line)

    def freeze(self) -> None:
        """Freeze a process at any moment."""
        awake = [life for life in self._ready() if not self.loop.is_frozen(life.number)]
        if awake:
            self._freeze(self.luck.choice(awake))

    def _freeze(self, life: Life) -> None:
        seconds = self.luck.choice([1.0, 4.0, LEASE_S + 0.5, LEASE_S + 3, LEASE_S + 8, 3 * LEASE_S])
        self.freezes += 1
        self.outside.cut_offs += 1
        life.frozen.append((self.loop.now, self.loop.now + seconds))
        self.note(f"process {life.number} freezes for {seconds:.1f} s")
        self.trouble(min(seconds, IDLE_S) + 2.0)
        self.loop.freeze(life.number)
        self.loop.call_later(seconds, self._thaw, life, context=self.nobody.copy())
        for line in self.lines.of(life.number):
            if line.in_transaction and seconds > IDLE_S:
                self.loop.call_later(IDLE_S, self._idle_too_long, life, line, context=self.nobody.copy())

    def _idle_too_long(self, life: Life, line: Line) -> None:
        if self.loop.is_frozen(life.number):
            self.lines.end(line)

    def _thaw(self, life: Life) -> None:
        if self.loop.is_frozen(life.number):
            self.note(f"process {life.number} goes on")
            life.frozen[-1] = (life.frozen[-1][0], self.loop.now)
            still_waits = any(line.silent for line in self.lines.of(life.number))
            self.trouble(2.0 + (LOCK_S if still_waits else 0.0))  # its limits passed while it was frozen
            self.loop.thaw(life.number)

    def accident(self, line: Line, moment: Moment, words: str) -> Accident | None:
        """See `wires.Weather`."""
        life = self.lives[line.process]
        found = self._drawn(life, at=moment, words=words) if self.armed else None
        if found is None:
            return None
        self.note(f"process {life.number} wire: {found} {moment} {words.split(maxsplit=1)[0]}")
        if found in ("dies", "vanishes"):
            self._die(life, vanishes=found == "vanishes")
        elif found == "freezes":
            self._freeze(life)
        else:
            self.outside.cut_offs += found != "full"
            self.trouble(SILENT_S + IDLE_S if found == "swallowed" else 2.0)
        return found

    def _drawn(self, life: Life, *, at: Moment, words: str) -> Accident | None:
        luck, scenario = self.luck, self.scenario
        if at == "before" and self.loop.now < self.outage_until:
            return "lost"
        if life.ready and self.outside.deaths < scenario.deaths and luck.random() < scenario.death_rate / 4:
            return luck.choice(("dies", "dies", "vanishes"))
        if life.ready and self.freezes < scenario.freezes and luck.random() < scenario.freeze_rate:
            return "freezes"
        if luck.random() < (scenario.lost_answer_rate if words == "COMMIT" and at == "after" else scenario.loss_rate):
            return "lost"
        if at == "before" and luck.random() < scenario.silence_rate:
            return "swallowed"
        if at == "before" and words.startswith(_WRITES) and luck.random() < scenario.failure_rate:
            return "full"
        return None

    # --- checks -------------------------------------------------------------------------------------------------

    def check_claim(self, post: Post, row: checks.Row) -> None:
        """I7: whoever sends holds the lease, and it lasts for as long as the attempt may take."""
        if row["lease_owner"] != f"owner-{post.process}":
            self.outside.violated(
                "I7", f"{post.delivery_id} #{post.number} is sent under the lease of {row['lease_owner']}"
            )
            return
        left = from_text(row["leased_until"]).timestamp() - self.database_now()
        if left < TIMEOUT_S:
            self.outside.violated(
                "I7", f"{post.delivery_id} #{post.number} is sent with {left:.3f} s left of its lease"
            )

    def sent_twice(self, earlier: Post, later: Post) -> None:
        """I7: only when the owner was frozen in the middle of its attempt."""
        frozen = self.lives[earlier.process].frozen
        if not any(end > earlier.sent_at and end - start > MARGIN_S for start, end in frozen):
            super().sent_twice(earlier, later)

    def sent_to_deleted(self, hook: Hook, post: Post, row: checks.Row) -> None:
        """D20: only by a dispatcher that was frozen or cut off, and no longer than its claim allows."""
        late = hook.delete_answered_at is None or self.loop.now > hook.delete_answered_at + BEGIN_WITHIN_S
        if late or not self.outside.cut_offs:
            super().sent_to_deleted(hook, post, row)

    def excused_until(self, attempts: list[checks.Row]) -> float:
        """What was cut off waits until its lease is over, and is due from when that is logged; so is what is sent again."""
        if not attempts or attempts[-1]["outcome"] not in ("interrupted", "again"):
            return 0.0
        return from_text(attempts[-1]["ended_at"]).timestamp() - EPOCH + 0.4
