"""What is measured, each with its rounds, its ledger and its goals."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count as numbers
from pathlib import Path
from typing import Any, Final

from tests.bench.child import Child, ChildFailed
from tests.bench.database import Newest, add_pending_retries, added_since, newest
from tests.bench.dispatchers import crowd, dispatchers
from tests.bench.machine import Cores
from tests.bench.reader import reading
from tests.bench.receiver import Receiver, lean_receiver
from tests.bench.report import Figure, Goal, Ledger, compared, percentile, spread
from tests.bench.server import PROGRAM, command_seconds, server
from tests.bench.sides.payload import AGENT

# Requests in flight: of R as of the engine.
SLOTS: Final = 64
FEWEST_ROUNDS: Final = 3
_LONGEST_SETTLE_S: Final = 60.0
_FULL_SCHEDULE: Final = 6


@dataclass(frozen=True, slots=True)
class Scale:
    """How long to measure. On a busy machine a measure ends after `seconds`, with `FEWEST_ROUNDS` at the least.

    `at_full_speed` are deliveries too, so many that a round's beginning and end, which overlap with nothing, do not count.
    """

    rounds: int
    seconds: float
    deliveries: int
    at_full_speed: int
    schedules: int
    latencies: int
    pending: int


FULL: Final = Scale(
    rounds=7, seconds=30, deliveries=6000, at_full_speed=12_000, schedules=500, latencies=200, pending=1_000_000
)
QUICK: Final = Scale(
    rounds=3, seconds=10, deliveries=2000, at_full_speed=4000, schedules=150, latencies=60, pending=100_000
)


class Bench:
    """What every measure needs: the receiver, the cores, the scale, and a folder for databases and logs."""

    def __init__(self, receiver: Receiver, cores: Cores, scale: Scale, folder: Path) -> None:
        self.receiver = receiver
        self.cores = cores
        self.scale = scale
        self.log = folder / "children.log"
        self._folder = folder
        self._numbers = numbers()

    def new_db(self) -> Path:
        """Return the path of a database that does not exist yet, in a folder of its own."""
        return self._folder / f"data-{next(self._numbers)}" / "swiftclaw.db"

    def rounds(self, *, times: int = 1) -> Iterator[int]:
        """Count the rounds of a measure, as many as the scale and the time allow; `times` as many for what wanders much."""
        started = time.monotonic()
        for number in range(self.scale.rounds * times):
            if number >= FEWEST_ROUNDS and time.monotonic() - started > self.scale.seconds:
                return
            yield number

    def yardstick(self) -> Child:
        """Start R."""
        url = self.receiver.url("/ok")
        return Child("yardstick", core=None, log=self.log, url=url, slots=SLOTS)

    def engine(self, db: Path, url: str, *, clock: str = "real") -> Child:
        """Start an engine over a database whose one webhook is `url`."""
        given = {"db": str(db), "url": url, "clock": clock}
        return Child("engine", core=None, log=self.log, slots=SLOTS, **given)

    def balanced(self, engine: Child, db: Path, what: str, count: int, *, attempts_each: int = 1) -> dict[str, Any]:
        """Run a round of an engine and return what it measured. Raises: LedgerUnbalanced."""
        before, requests = newest(db), self.receiver.requests()
        measured = engine.round(what=what, count=count)
        self.check_ledger(db, before, requests, emitted=count, attempts_each=attempts_each)
        return measured

    def check_ledger(self, db: Path, before: Newest, requests: int, *, emitted: int, attempts_each: int = 1) -> None:
        """Check what was added to the database, and to the receiver's `requests`, since. Raises: LedgerUnbalanced."""
        rows = added_since(db, before)
        ledger = Ledger(rows.events, rows.deliveries, rows.attempts, self.receiver.requests() - requests)
        ledger.check(emitted=emitted, attempts_each=attempts_each)


Measure = Callable[[Bench], list[Figure]]


def deliveries(bench: Bench) -> list[Figure]:
    """Deliveries per second, every attempt durable, against R."""
    db, count = bench.new_db(), bench.scale.at_full_speed
    ours, theirs = [], []
    with bench.yardstick() as yardstick, bench.engine(db, bench.receiver.url("/ok")) as engine:
        yardstick.round(count=count // 4)
        bench.balanced(engine, db, "deliver", count // 4)
        for _ in bench.rounds(times=2):
            theirs.append(yardstick.round(count=count))
            ours.append(bench.balanced(engine, db, "deliver", count))
    return [
        compared(
            "deliveries",
            "every attempt durable",
            "/s",
            ours=_column(ours, "per_second"),
            theirs=_column(theirs, "per_second"),
            against="R",
            goal=Goal("at_least", 0.9),
        ),
        compared(
            "deliveries",
            "CPU time of each",
            "µs",
            ours=_column(ours, "cpu_us"),
            theirs=_column(theirs, "cpu_us"),
            against="R",
        ),
    ]


def schedule(bench: Bench) -> list[Figure]:
    """Deliveries taken through all six attempts per second under the manual clock, against R for as many requests."""
    db, count = bench.new_db(), bench.scale.schedules
    ours, theirs = [], []
    with bench.yardstick() as yardstick, bench.engine(db, bench.receiver.url("/fail"), clock="manual") as engine:
        yardstick.round(count=count)
        bench.balanced(engine, db, "schedule", count // 4, attempts_each=_FULL_SCHEDULE)
        for _ in bench.rounds():
            theirs.append(yardstick.round(count=count * _FULL_SCHEDULE)["per_second"] / _FULL_SCHEDULE)
            measured = bench.balanced(engine, db, "schedule", count, attempts_each=_FULL_SCHEDULE)
            ours.append(measured["per_second"])
    meaning, goal = "6 attempts each, manual clock", Goal("at_least", 0.8)
    return [compared("schedule", meaning, "/s", ours=ours, theirs=theirs, against="R/6", goal=goal)]


def latency(bench: Bench) -> list[Figure]:
    """From emit returning to the request arriving, idle; the receiver must tell arrivals, so it is the bench's own."""
    medians, worst = [], []
    with (
        lean_receiver(core=bench.cores.receiver, why="it tells arrivals") as receiver,
        bench.engine(bench.new_db(), receiver.url("/ok")) as engine,
    ):
        engine.round(what="latency", count=10)
        for _ in bench.rounds():
            receiver.arrivals()
            returned = engine.round(what="latency", count=bench.scale.latencies)["returned"]
            arrived = receiver.arrivals()
            took = [(at - emitted) * 1000 for at, emitted in zip(arrived, returned, strict=True)]
            medians.append(percentile(took, 50))
            worst.append(percentile(took, 99))
    return [
        Figure("latency", "emit returned to arrival, median", "ms", spread(medians), goal=Goal("at_most", 5)),
        Figure("latency", "the same, p99", "ms", spread(worst)),
    ]


def api(bench: Bench) -> list[Figure]:
    """Events emitted through the HTTP API, durable when answered, while they are delivered, against R."""
    db, count = bench.new_db(), bench.scale.deliveries
    ours, theirs = [], []
    flags = ("--per-webhook", str(SLOTS))
    with (
        bench.yardstick() as yardstick,
        server(db, core=None, log=bench.log, flags=flags) as running,
        Child("caller", core=bench.cores.receiver, log=bench.log, url=running.url, connections=SLOTS) as caller,
    ):
        running.post(f"/v1/agents/{AGENT}/webhooks", {"url": bench.receiver.url("/ok")})
        yardstick.round(count=count // 4)
        _emit_and_deliver(bench, caller, db, count // 4)
        for _ in bench.rounds():
            theirs.append(yardstick.round(count=count)["per_second"])
            ours.append(_emit_and_deliver(bench, caller, db, count))
    delivered = _column(ours, "delivered_per_second")
    rate, p50, p99 = (_column(ours, key) for key in ("per_second", "p50_ms", "p99_ms"))
    tails = [high / middle for high, middle in zip(p99, p50, strict=True)]
    goal = Goal("at_least", 0.5)
    return [
        compared("api", "emitted, durable on answer", "/s", ours=rate, theirs=theirs, against="R", goal=goal),
        compared("api", "emitted and delivered", "/s", ours=delivered, theirs=theirs, against="R"),
        Figure("api", "p50 of emit under this load", "ms", spread(p50)),
        Figure("api", "p99 over p50 of emit", "times", spread(tails), goal=Goal("at_most", 10)),
    ]


def stream(bench: Bench) -> list[Figure]:
    """Emitted through the API and delivered while one reads all of the event stream, against nobody; all must be told."""
    db, count = bench.new_db(), bench.scale.deliveries
    ours, theirs = [], []
    flags = ("--per-webhook", str(SLOTS))
    with (
        server(db, core=None, log=bench.log, flags=flags) as running,
        Child("caller", core=bench.cores.receiver, log=bench.log, url=running.url, connections=SLOTS) as caller,
    ):
        running.post(f"/v1/agents/{AGENT}/webhooks", {"url": bench.receiver.url("/ok")})
        _emit_and_deliver(bench, caller, db, count // 4)
        for _ in bench.rounds():
            theirs.append(_emit_and_deliver(bench, caller, db, count))
            with reading(running.url) as reader:
                ours.append(_emit_and_deliver(bench, caller, db, count))
                reader.wait_for(count)
    key, goal = "delivered_per_second", Goal("at_least", 0.8)
    meaning = "emitted and delivered, one reader"
    return [
        compared(
            "stream", meaning, "/s", ours=_column(ours, key), theirs=_column(theirs, key), against="none", goal=goal
        )
    ]


def backlog(bench: Bench) -> list[Figure]:
    """Rate and memory with a backlog of pending retries, against an engine without."""
    count, pending = bench.scale.at_full_speed, bench.scale.pending
    empty, full = bench.new_db(), bench.new_db()
    url = bench.receiver.url("/ok")
    with bench.engine(full, url):
        pass  # makes the tables and the webhook
    add_pending_retries(full, pending)
    ours: list[dict[str, Any]] = []
    theirs: list[dict[str, Any]] = []
    with bench.engine(empty, url) as without, bench.engine(full, url) as laden:
        bench.balanced(without, empty, "deliver", count // 4)
        bench.balanced(laden, full, "deliver", count // 4)
        sides = [(without, empty, theirs), (laden, full, ours)]
        for _ in bench.rounds(times=2):
            for engine, db, measured in sides:
                measured.append(bench.balanced(engine, db, "deliver", count))
            sides.reverse()  # whoever comes first may find the machine in another state
    more = [laden["memory_mb"] - without["memory_mb"] for laden, without in zip(ours, theirs, strict=True)]
    return [
        compared(
            "backlog",
            f"with {pending:,} retries pending",
            "/s",
            ours=_column(ours, "per_second"),
            theirs=_column(theirs, "per_second"),
            against="none",
            goal=Goal("at_least", 0.95),
        ),
        Figure("backlog", "memory more than without", "MB", spread(more), goal=Goal("at_most", 20)),
    ]


def startup(bench: Bench) -> list[Figure]:
    """From starting the server to its first `ready`: over a new database, and over the one that is there then."""
    fresh: list[float] = []
    again: list[float] = []
    for _ in bench.rounds():
        db = bench.new_db()
        for seconds in (fresh, again):
            with server(db, core=None, log=bench.log) as running:
                seconds.append(running.ready_s)
    goal = Goal("at_most", 2)
    return [
        Figure("startup", "to ready, new database", "s", spread(fresh), goal=goal),
        Figure("startup", "to ready, existing database", "s", spread(again), goal=goal),
    ]


def commands(bench: Bench) -> list[Figure]:
    """How long client commands take, and how much of it is Python's own start."""
    asked = {
        "swiftclaw --version": [*PROGRAM, "--version"],
        "swiftclaw webhooks list": [*PROGRAM, "webhooks", "list", AGENT],
        "swiftclaw trigger": [*PROGRAM, "trigger", "agent.completed", "--agent", AGENT],
        "swiftclaw deliveries list": [*PROGRAM, "deliveries", "list"],
    }
    db = bench.new_db()
    with server(db, core=None, log=bench.log) as running:
        running.post(f"/v1/agents/{AGENT}/webhooks", {"url": bench.receiver.url("/ok")})
        figures = []
        for name, arguments in asked.items():
            url = [] if name.endswith("--version") else ["--api-url", running.url]
            took = _commands([*arguments, *url], bench, db.parent)
            figures.append(Figure("commands", name, "s", spread(took), goal=Goal("at_most", 0.2)))
    python = _commands([sys.executable, "-c", "pass"], bench, db.parent)
    return [*figures, Figure("commands", "python itself", "s", spread(python))]


MEASURES: Final[dict[str, Measure]] = {
    "deliveries": deliveries,
    "api": api,
    "stream": stream,
    "latency": latency,
    "schedule": schedule,
    "backlog": backlog,
    "startup": startup,
    "commands": commands,
    "dispatchers": dispatchers,
    "crowd": crowd,
}


def _emit_and_deliver(bench: Bench, caller: Child, db: Path, count: int) -> dict[str, Any]:
    """Emit so many events through the API and wait until all are delivered; return what the caller measured, and both together."""
    before, requests = newest(db), bench.receiver.requests()
    started = time.perf_counter()
    emitted = caller.round(count=count)
    _wait_attempts(db, before, count)
    seconds = time.perf_counter() - started
    bench.check_ledger(db, before, requests, emitted=count)
    return emitted | {"delivered_per_second": count / seconds}


def _column(rounds: list[dict[str, Any]], key: str) -> list[float]:
    return [float(measured[key]) for measured in rounds]


def _commands(arguments: list[str], bench: Bench, folder: Path) -> list[float]:
    command_seconds(arguments, folder=folder)  # the first reads the files from the disk
    return [command_seconds(arguments, folder=folder) for _ in bench.rounds()]


def _wait_attempts(db: Path, before: Newest, wanted: int) -> None:
    deadline = time.monotonic() + _LONGEST_SETTLE_S
    while added_since(db, before).attempts < wanted:
        if time.monotonic() > deadline:
            raise ChildFailed(f"The server did not deliver all events within {_LONGEST_SETTLE_S:g} s.")
        time.sleep(0.05)
