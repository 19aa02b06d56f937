"""The connections of simulated dispatchers: psycopg's own, whose waiting, and whose accidents, are the world's.

A statement is sent and its answer waited for while the whole world stands still, unless it waits for a lock that another
connection holds: then the world goes on until it has it. What a lock's end sets free has come to rest before anything else
happens, so that the order is the seed's.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, Literal, Protocol

import psycopg
from psycopg import Notify, waiting
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGconn

from swiftclaw_local.storage import postgres_link
from tests.simulation.cluster import Watcher
from tests.simulation.loop import VirtualLoop
from tests.simulation.strands import PROCESS, DiedError, pause

Accident = Literal["dies", "vanishes", "freezes", "lost", "swallowed", "full"]
Moment = Literal["before", "after"]

# Seconds: the server's limits on a lock and on a transaction left open, and the kernel's on a silent network.
LOCK_S: Final = 5.0
SILENT_S: Final = 11.0
_LOOK_S: Final = 0.001
_NO_LIMITS: Final = "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0"


class Weather(Protocol):
    """What the world says about a statement on its way."""

    loop: VirtualLoop

    def delay(self) -> float:
        """Return how long a statement or its answer is under way, in seconds."""

    def accident(self, line: Line, moment: Moment, words: str) -> Accident | None:
        """Return what goes wrong; a death or a freeze has happened by then."""

    def committed(self, news: list[tuple[str, str]]) -> None:
        """Somebody committed, and has news for who listens."""

    def database_now(self) -> float:
        """Return the database's clock, in unix seconds."""


class Line:
    """One connection as the server knows it."""

    def __init__(self, lines: Lines, pgconn: PGconn) -> None:
        self.lines = lines
        self.pgconn = pgconn
        self.pid = pgconn.backend_pid
        self.process = PROCESS.get()
        self.dead = False
        self.silent = False  # somebody waits for an answer that never comes
        self.news: list[tuple[str, str]] = []
        self.notices: asyncio.Queue[Notify | None] = asyncio.Queue()

    @property
    def in_transaction(self) -> bool:
        """Whether it holds a transaction open."""
        return self.pgconn.transaction_status not in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)

    def check_alive(self) -> None:
        """Raises: DiedError when its process is dead."""
        if self.dead:
            raise DiedError

    def hear_commit(self, words: str) -> None:
        """Take notice of the end of a transaction."""
        news, self.news = self.news, [] if words in ("COMMIT", "ROLLBACK") else self.news
        if words == "COMMIT" and news:
            self.lines.weather.committed(news)


class Lines:
    """All connections to one database, and which of them wait for a lock."""

    def __init__(self, watcher: Watcher, weather: Weather) -> None:
        self.watcher = watcher
        self.weather = weather
        self.all: list[Line] = []
        self._waiting: dict[Line, asyncio.Future[None]] = {}

    def of(self, process: int) -> list[Line]:
        """Return the connections of a process."""
        return [line for line in self.all if line.process == process]

    def drive(self, line: Line, steps: Generator[Any, Any, Any], wanted: Any) -> tuple[bool, Any]:
        """Run a call of psycopg until it has ended (True and its result) or waits for a lock (False and what it waits for)."""
        if wanted is not None:
            self.tell_time()
        try:
            wanted = next(steps) if wanted is None else wanted
            while True:
                ready = _ready(line.pgconn.socket, wanted)
                if ready:
                    wanted = steps.send(ready)
                elif self.watcher.waits(line.pid):
                    return False, wanted
        except StopIteration as ended:
            self.come_to_rest()
            return True, ended.value
        except psycopg.Error:
            self.come_to_rest()
            raise

    def tell_time(self, words: str = "clock_timestamp") -> None:
        """Set the database's clock, for a statement that asks for it."""
        if "clock_timestamp" in words:
            self.watcher.set_clock(self.weather.database_now())

    def lock_of(self, line: Line) -> asyncio.Future[None]:
        """Return a future that is done when a waiting connection waits no more; the server gives it up after its limit."""
        loop = self.weather.loop
        future: asyncio.Future[None] = loop.create_future()
        self._waiting[line] = future
        nobody: Any = self.weather
        timer = loop.call_later(LOCK_S, self._give_up, line, context=nobody.nobody.copy())
        future.add_done_callback(lambda _: timer.cancel(), context=nobody.nobody.copy())
        return future

    def _give_up(self, line: Line) -> None:
        if line in self._waiting:
            self.watcher.cancel(line.pid)
            self._rest(line)

    def come_to_rest(self) -> None:
        """Wait until each connection that waited for a lock has its answer, or waits again."""
        for line in list(self._waiting):
            self._rest(line)

    def _rest(self, line: Line) -> None:
        while line in self._waiting:
            if _ready(line.pgconn.socket, waiting.Wait.R):
                future = self._waiting.pop(line)
                if not future.done():
                    future.set_result(None)
            elif self.watcher.waits(line.pid):
                return

    def end(self, line: Line) -> None:
        """End a connection from the server's side."""
        self.watcher.end(line.pid)
        line.notices.put_nowait(None)
        self.come_to_rest()

    def leave(self, line: Line) -> None:
        """End a connection from its own side; its locks are gone at once, and not a moment later."""
        if line in self.all:
            self.all.remove(line)
            self.watcher.end(line.pid)
            self.come_to_rest()


class Wire(psycopg.AsyncConnection[Any]):
    """An asynchronous connection of a dispatcher."""

    line: Line

    @classmethod
    def reach(cls, lines: Lines, url: str) -> Wire:
        """Connect, while the world stands still, as `postgres_link.connect` sets a connection up."""
        wire = waiting.wait_conn(cls._connect_gen(make_conninfo(url)), interval=0.1)
        wire._autocommit, wire.prepare_threshold = True, 1
        wire.line = Line(lines, wire.pgconn)
        lines.all.append(wire.line)
        return wire

    async def wait(self, gen: Any, *_: Any, **__: Any) -> Any:
        """See psycopg: a caller that is cancelled has the server cancel the statement, and waits for that."""
        line, wanted = self.line, None
        line.check_alive()
        while True:
            ended, wanted = line.lines.drive(line, gen, wanted)
            if ended:
                return wanted
            try:
                await line.lines.lock_of(line)
            except asyncio.CancelledError:
                line.lines.watcher.cancel(line.pid)
                line.lines.come_to_rest()
                with suppress(psycopg.errors.QueryCanceled):
                    line.lines.drive(line, gen, wanted)
                raise

    async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        words, line = _words(query), self.line
        if words.startswith("LISTEN"):
            words = query = "SELECT 1"  # the world tells the news itself
        elif words.startswith("SELECT pg_notify"):
            line.news.append((str(params[0]), str(params[1])))
        weather = line.lines.weather
        await asyncio.sleep(weather.delay())
        await self._meet(weather.accident(line, "before", words))
        line.lines.tell_time(words)
        cursor = await super().execute(query, params, **options)
        line.hear_commit(words)
        await self._meet(weather.accident(line, "after", words))
        await asyncio.sleep(weather.delay())
        return cursor

    async def _meet(self, accident: Accident | None) -> None:
        line = self.line
        if accident in ("dies", "vanishes"):
            raise DiedError
        if accident == "freezes":
            await asyncio.sleep(0)
        elif accident == "lost":
            line.lines.end(line)
            self.pgconn.finish()
            raise psycopg.OperationalError("simulated: the connection is lost")
        elif accident == "full":
            raise psycopg.errors.DiskFull("simulated: no space left on device")
        elif accident == "swallowed":
            await self._hear_nothing()

    async def _hear_nothing(self) -> None:
        """Wait for an answer that never comes; whoever gives up waits for psycopg, which asks for a cancel in vain."""
        line = self.line
        nobody: Any = line.lines.weather
        nobody.loop.call_later(SILENT_S, line.lines.end, line, context=nobody.nobody.copy())
        line.silent = True
        try:
            await nobody.loop.create_future()
        except asyncio.CancelledError:
            await asyncio.sleep(LOCK_S)
            line.silent = False
            self.pgconn.finish()
            raise psycopg.OperationalError("simulated: the network is silent") from None

    def notifies(self, **_: Any) -> Notices:  # type: ignore[override]  # the options are not used
        return Notices(self)

    async def close(self) -> None:
        if not self.closed:
            self.line.check_alive()
            self.line.lines.leave(self.line)
        await super().close()


class Notices:
    """What a connection hears; no generator, as those of the dead could not be closed."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def __aiter__(self) -> Notices:
        return self

    async def __anext__(self) -> Notify:
        notice = await self._wire.line.notices.get()
        if notice is None:
            self._wire.pgconn.finish()
            raise psycopg.OperationalError("simulated: the connection is lost")
        return notice


class PlainWire(psycopg.Connection[Any]):
    """A blocking connection of a dispatcher, on a thread. One of `quick` ones reads only, and is never held up."""

    line: Line
    quick: bool

    @classmethod
    def reach(cls, lines: Lines, url: str, *, quick: bool) -> PlainWire:
        """Connect as `postgres_link.connect_plain` does."""
        wire = cls.connect(url, autocommit=True)
        wire.quick = quick
        wire.line = Line(lines, wire.pgconn)
        lines.all.append(wire.line)
        wire.execute(postgres_link._SESSION)
        wire.execute(_NO_LIMITS)
        return wire

    def wait(self, gen: Any, *options: Any, **named: Any) -> Any:
        """See psycopg."""
        line: Line | None = getattr(self, "line", None)
        if line is None:
            return super().wait(gen, *options, **named)
        line.check_alive()
        wanted = None
        while True:
            ended, wanted = line.lines.drive(line, gen, wanted)
            if ended:
                return wanted
            pause(line.lines.lock_of(line))

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        words, line = _words(query), self.line
        line.check_alive()
        if self.quick or words.startswith("SET "):
            return super().execute(query, params, **options)
        weather = line.lines.weather
        if words.startswith("SELECT pg_notify"):
            line.news.append((str(params[0]), str(params[1])))
        _pass(weather, weather.delay())
        self._meet(weather.accident(line, "before", words))
        line.lines.tell_time(words)
        cursor = super().execute(query, params, **options)
        line.hear_commit(words)
        self._meet(weather.accident(line, "after", words))
        return cursor

    @contextmanager
    def transaction(self, *_: Any) -> Iterator[Any]:
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            with suppress(psycopg.Error):
                self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def _meet(self, accident: Accident | None) -> None:
        line = self.line
        if accident in ("dies", "vanishes"):
            raise DiedError
        if accident == "freezes":
            _pass(line.lines.weather, 0.0)
        elif accident in ("lost", "swallowed"):
            _pass(line.lines.weather, SILENT_S if accident == "swallowed" else 0.0)
            line.lines.end(line)
            self.pgconn.finish()
            raise psycopg.OperationalError("simulated: the connection is lost")
        elif accident == "full":
            raise psycopg.errors.DiskFull("simulated: no space left on device")

    def close(self) -> None:
        if not self.closed and getattr(self, "line", None) is not None and not self.line.dead:
            self.line.lines.leave(self.line)
        super().close()


def connect_async(lines: Lines) -> Callable[[str], Any]:
    """Return what takes the place of `postgres_link.connect`."""

    async def connect(url: str) -> Wire:
        wire = Wire.reach(lines, url)
        await psycopg.AsyncConnection.execute(wire, postgres_link._SESSION)
        await psycopg.AsyncConnection.execute(wire, _NO_LIMITS)
        return wire

    return connect


def _pass(weather: Weather, seconds: float) -> None:
    """Let so much time go by on a thread."""
    future: asyncio.Future[None] = weather.loop.create_future()
    weather.loop.call_later(seconds, _finish, future)
    pause(future)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _words(query: Any) -> str:
    return (query.decode() if isinstance(query, bytes) else str(query)).strip()


def _ready(socket: int, wanted: Any) -> int:
    """Return what of `wanted` a socket is ready for, after a millisecond at most."""
    reads = [socket] if wanted & waiting.Wait.R else []
    writes = [socket] if wanted & waiting.Wait.W else []
    readable, writable, _ = select.select(reads, writes, [], _LOOK_S)
    return (waiting.Ready.R if readable else 0) | (waiting.Ready.W if writable else 0)
