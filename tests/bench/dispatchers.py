"""Several dispatchers on one PostgreSQL: what one, two and four deliver, what one is beside R, and what a crowd costs others.

What they deliver waits in the database already, so that only claims, requests and results are measured. The database is
the tests' own: it syncs nothing to the disk.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count as numbers
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import psycopg

from swiftclaw_local.platform import Platform
from swiftclaw_local.settings import DatabaseUrl, Settings
from tests.bench.child import ChildFailed
from tests.bench.receiver import Lean, lean_receiver
from tests.bench.report import Figure, Ledger, compared
from tests.bench.server import PROGRAM, clean_environment
from tests.bench.sides.payload import EVENT_TYPE, data_of_500_bytes
from tests.misbehaving.stage import QUIET
from tests.postgres_server import PostgresServer, running_server

if TYPE_CHECKING:
    from tests.bench.measures import Bench

# With ten slots for each and 50 ms, one dispatcher delivers 400 a second at the most.
WEBHOOKS: Final = 2
CROWD: Final = 10_000
_KEY: Final = {"SWIFTCLAW_KEY": bytes(range(32)).hex()}
_LONGEST_S: Final = 120.0
_LOOK_S: Final = 0.02
_AT_ONCE: Final = 256


class Shared:
    """One PostgreSQL for a measure, with a new database for each round."""

    def __init__(self, postgres: PostgresServer, bench: Bench) -> None:
        self._postgres = postgres
        self._bench = bench
        self._numbers = numbers(1)

    def round(
        self, receiver: Lean, *, dispatchers: int, count: int, path: str, crowd: int = 0, flags: tuple[str, ...] = ()
    ) -> float:
        """Deliver what waits for the webhooks of `path`, and return how many a second; the `crowd` hangs meanwhile."""
        name = f"round_{next(self._numbers)}"
        with psycopg.connect(self._postgres.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        url = self._postgres.url(name)
        with patch.dict(os.environ, _KEY):
            asyncio.run(_filled(url, receiver, count=count, path=path, crowd=crowd))
        with psycopg.connect(url, autocommit=True) as connection, ExitStack() as running:
            for _ in range(dispatchers):
                running.enter_context(self._worker(url, flags))
            _wait(lambda: _count(connection, "pg_stat_activity WHERE query LIKE 'LISTEN%'") == dispatchers)
            before, started = receiver.requests(), time.perf_counter()
            connection.execute("UPDATE webhook SET enabled = true")
            connection.execute("UPDATE counter SET next = next + 1 WHERE name = 'webhook_changes'")
            connection.execute("NOTIFY swiftclaw, 'bench webhooks'")
            _wait(lambda: _count(connection, "delivery WHERE state <> 'succeeded' AND agent <> 'crowd'") == 0)
            seconds = time.perf_counter() - started
            attempts = _count(connection, "attempt WHERE agent <> 'crowd'")
            requests = attempts if crowd else receiver.requests() - before
            Ledger(count, count, attempts, requests).check(emitted=count)
        return count / seconds

    @contextmanager
    def _worker(self, url: str, flags: tuple[str, ...]) -> Iterator[None]:
        with self._bench.log.open("ab") as output:
            process = subprocess.Popen(
                [*PROGRAM, "serve", "--worker-only", "--db", url, *flags],
                stdout=output,
                stderr=output,
                env=clean_environment() | _KEY,
            )
        try:
            yield
        finally:
            process.kill()  # the crowd's requests would be waited for
            process.wait(timeout=30)


@contextmanager
def _shared(bench: Bench) -> Iterator[tuple[Shared, Lean]]:
    with running_server() as postgres, lean_receiver(core=None, why="it answers late, or never") as receiver:
        yield Shared(postgres, bench), receiver


def dispatchers(bench: Bench) -> list[Figure]:
    """One, two and four dispatchers whose receivers take 50 ms, and one whose receiver answers at once beside R."""
    count, late, figures = bench.scale.deliveries, bench.scale.deliveries // 3, []
    found: dict[int, list[float]] = {1: [], 2: [], 4: []}
    ours, theirs = [], []
    with _shared(bench) as (shared, receiver), bench.yardstick() as yardstick:
        yardstick.round(count=count // 4)
        for _ in range(_rounds(bench)):
            for number, rates in found.items():
                rates.append(shared.round(receiver, dispatchers=number, count=late, path="/slow"))
            theirs.append(float(yardstick.round(count=count)["per_second"]))
            ours.append(shared.round(receiver, dispatchers=1, count=count, path="/ok", flags=("--per-webhook", "64")))
    for number, rates in found.items():
        meaning = f"{number} on one PostgreSQL, {WEBHOOKS} receivers that take 50 ms"
        figures.append(compared("dispatchers", meaning, "/s", ours=rates, theirs=found[1], against="one"))
    meaning = "1 on PostgreSQL, from a backlog, receivers that answer at once"
    return [*figures, compared("dispatchers", meaning, "/s", ours=ours, theirs=theirs, against="R")]


def crowd(bench: Bench) -> list[Figure]:
    """What two dispatchers deliver while another webhook hangs with 10,000 due, against the same without it."""
    count = bench.scale.deliveries // 3
    alone, beside = [], []
    with _shared(bench) as (shared, receiver):
        for _ in range(_rounds(bench)):
            alone.append(shared.round(receiver, dispatchers=2, count=count, path="/slow"))
            beside.append(shared.round(receiver, dispatchers=2, count=count, path="/slow", crowd=CROWD))
    meaning = f"2 on PostgreSQL, beside {CROWD:,} due of a webhook that hangs"
    return [compared("crowd", meaning, "/s", ours=beside, theirs=alone, against="without")]


def _rounds(bench: Bench) -> int:
    return 3 if bench.scale.rounds > 3 else 1


async def _filled(url: str, receiver: Lean, *, count: int, path: str, crowd: int) -> None:
    """Have so many events wait for disabled webhooks, evenly; and more for one more, which hangs."""
    platform = await Platform.open(Settings(db=DatabaseUrl(url)), log=QUIET)
    await platform.start()  # it takes events, and delivers none: their webhooks are disabled
    agents = [f"agent-{number}" for number in range(WEBHOOKS)]
    for agent in agents:
        await platform.webhooks.create(agent, url=receiver.url(f"{path}/{agent}"), enabled=False)
    await platform.webhooks.create("crowd", url=receiver.url("/hang"), enabled=False)
    wanted = ["crowd"] * crowd + [agents[number % WEBHOOKS] for number in range(count)]
    data: Any = data_of_500_bytes()
    for first in range(0, len(wanted), _AT_ONCE):
        emits = [platform.events.emit(agent, type=EVENT_TYPE, data=data) for agent in wanted[first : first + _AT_ONCE]]
        await asyncio.gather(*emits)
    await platform.stop()


def _count(connection: psycopg.Connection[Any], what: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {what}".encode()).fetchone()  # noqa: S608 - words from above
    return 0 if row is None else int(row[0])


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LONGEST_S
    while not done():
        if time.monotonic() > deadline:
            raise ChildFailed(f"The dispatchers did not get done within {_LONGEST_S:g} s.")
        time.sleep(_LOOK_S)
