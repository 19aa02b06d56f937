"""A world of one process at a time on SQLite: it lives, dies with its memory, and the next one opens what lies on the disk."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
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
from tests.simulation.disk import AT_BEGIN, Accident, Disk, NoCheckpoints, SimulatedCommits, leave_image
from tests.simulation.loop import VirtualLoop
from tests.simulation.outside import Post
from tests.simulation.scenario import Scenario
from tests.simulation.world import Defects, UnreachableError, World

T = TypeVar("T")
DB: Final = "swiftclaw.db"
_STORE: Final = "swiftclaw_local.storage.sqlite"


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


class Alone(World):
    """One process after the other on one file."""

    def __init__(self, scenario: Scenario, loop: VirtualLoop, folder: Path) -> None:
        super().__init__(scenario, loop)
        (folder / "1").mkdir(mode=0o700)
        self.life: Life | None = None
        self._folder = folder
        self._lives = 0

    @property
    def watcher(self) -> sqlite3.Connection | None:
        """See `World`."""
        return None if self.life is None else self.life.watcher

    @property
    def ready(self) -> bool:
        """See `World`."""
        return self.life is not None and self.life.ready

    def engine_now(self, process: int) -> datetime:
        """See `World`."""
        assert self.life is not None
        assert self.life.platform is not None
        return self.life.platform.clock.now()

    def patches(self) -> Iterator[Any]:
        """See `World`."""
        yield patch(f"{_STORE}.connect", self._kept("disks", connect, self._disk))
        yield patch(f"{_STORE}.FileLock", self._kept("locks", FileLock))
        yield patch(f"{_STORE}.read_engine", self._kept("readers", read_engine))
        yield patch(f"{_STORE}.Checkpoints", NoCheckpoints)
        yield patch("swiftclaw_local.storage.group_commit.CommitThread", SimulatedCommits)

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

    def check_claim(self, post: Post, row: checks.Row) -> None:
        """See `World`: with one process there are no leases."""

    # --- lives --------------------------------------------------------------------------------------------------

    async def keep_alive(self) -> None:
        """See `World`."""
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
        life.watcher = sqlite3.connect(
            f"file:{life.folder / DB}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,  # closed where the process dies, which may be the thread that commits
        )
        await life.platform.start()
        life.ready = True
        self.note(f"process {life.number} is ready: {life.platform.opened}")

    def die(self) -> None:
        """See `World`; what lies on the disk is left to the next."""
        if self.life is None or self.life.ended.done():
            return
        self.outside.deaths += 1
        self.outside.cut_offs += 1
        self.note(f"process {self.life.number} dies")
        self._end(self.life)

    async def stop(self) -> None:
        """See `World`."""
        life = self.life
        if life is None or not life.ready or life.platform is None:
            return
        life.ready = False
        self.note(f"process {life.number} is stopped")
        self.trouble(0.1)
        stopping = self.loop.spawn(life.platform.stop(), process=life.number)
        await asyncio.wait([stopping, life.ended], return_when=asyncio.FIRST_COMPLETED)
        if not life.ended.done():
            if isinstance(stopping.exception(), StorageUnavailable):  # it ends all the same, with an error
                self._end(life)
                return
            stopping.result()
            self.look()
            for name in self.deliveries("state = 'in_flight'"):
                self.outside.violated("I3", f"{name} is in flight after an orderly stop")
            self._end(life)

    async def settle_down(self) -> None:
        """See `World`."""

    def close(self) -> None:
        """See `World`."""
        self.die()

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
        self.forget_process(life.number)
        life.ended.set_result(None)

    async def ask(self, call: Callable[[Platform], Awaitable[T]]) -> T:
        """See `World`."""
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

    def _accident(self, at_commit: bool, repeatable: bool) -> Accident | None:
        accident = self._drawn(at_commit=at_commit, repeatable=repeatable)
        if accident is not None:
            self.note(f"disk: {accident}")
            self.trouble(1.0)
        return accident

    def _drawn(self, *, at_commit: bool, repeatable: bool) -> Accident | None:
        luck, scenario = self.luck, self.scenario
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
