"""A database that goes away under load, and one that has no room left: emits are refused meanwhile, and work resumes by itself."""

from __future__ import annotations

import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

import psycopg

from tests.crash.databases import Database, PostgresDatabase
from tests.crash.dispatchers import Dispatchers, dispatching
from tests.crash.judge import Figures, judged, labelled_otherwise, settle
from tests.crash.load import Line, Load, loaded, webhook
from tests.crash.receiver import receiving
from tests.crash.small_disk import small_disk
from tests.postgres_server import PostgresServer, running_server

BACK_S: Final = 5.0
_AWAY_PROBES: Final = 3
_HELD_BACK_S: Final = 0.15
# The database's log file holds a few rows of this, and nothing more.
_SMALL: Final = 8192
_ACCEPTED: Final = (200, 202)
_REFUSED: Final = (503, 507)
_NEWEST_ATTEMPT: Final = "SELECT max(seq) FROM attempt"
_LOOK_AGAIN_S: Final = 0.02


def restarted(folder: Path, database: Database, *, rounds: int, seed: int) -> Figures:
    """Restart PostgreSQL under load, `immediate` and `fast` in turns: no request is labelled as what it was not.

    Just before, the answers to COMMITs are held back, so that each restart swallows those of whatever was done by then.
    On a server of its own: that of the other suites is not to go away. The database that is given is not used.
    """
    random = Random(seed)
    away, slow, idle = Counter[int](), 0, 0
    backs: list[float] = []
    with running_server() as postgres, receiving(seed=seed) as receiver:
        own = PostgresDatabase(postgres)
        with dispatching(folder, own) as dispatchers:
            webhook(dispatchers, receiver)
            with loaded(dispatchers) as load:
                for number in range(rounds):
                    time.sleep(random.uniform(0.3, 1.0))
                    _hold_commits_back(postgres)
                    postgres.stop(signal.SIGQUIT if number % 2 == 0 else signal.SIGINT)
                    away += _asked_while_away(load)
                    postgres.start()
                    back = time.monotonic()
                    slow += not load.acknowledged_more_within(BACK_S)
                    idle += not _records_within(own, BACK_S - (time.monotonic() - back))
                    backs.append(time.monotonic() - back)
            settle(own)
            codes = dispatchers.stop_all()
            wrong, happened = judged(own, receiver, load)
        wrong["requests labelled otherwise"] = labelled_otherwise(own, receiver)
    wrong |= {
        "doubled": happened["doubled"],
        "superseded": happened["superseded"],
        "answers other than 503 while it was away": sum(count for status, count in away.items() if status != 503),
        "other answers": _others(load),
        "emits not back within 5 s": slow,
        "attempts not back within 5 s": idle,
        "exit codes other than 0": sum(code != 0 for code in codes),
    }
    happened["answers of 503 while it was away"] = away[503]
    happened["ms at most until back at work"] = round(max(backs) * 1000)
    return wrong, happened


def starved(folder: Path, database: Database, *, rounds: int, seed: int) -> Figures:
    """Fill the disk under load, again and again: reads go on, emits are refused, and the same processes resume."""
    if not database.shared:
        return _starved(folder, database, _no_growth, rounds=rounds, seed=seed)
    with small_disk() as disk:
        own = PostgresDatabase(disk.server, options=disk.options)
        wrong, happened = _starved(folder, own, lambda _: disk.full(own), rounds=rounds, seed=seed)
    return wrong, happened + Counter({"small disk" if disk.real else "disk only said to be full": 1})


def _starved(
    folder: Path,
    database: Database,
    full: Callable[[Dispatchers], AbstractContextManager[None]],
    *,
    rounds: int,
    seed: int,
) -> Figures:
    random = Random(seed)
    unreadable, slow, ungrudging = 0, 0, 0
    with receiving(seed=seed) as receiver, dispatching(folder, database) as dispatchers:
        webhook(dispatchers, receiver)
        with loaded(dispatchers) as load:
            for _ in range(rounds):
                time.sleep(random.uniform(0.1, 0.4))
                refused = _refusals(load)
                with full(dispatchers):
                    unreadable += dispatchers.server.api("GET", "/v1/deliveries?limit=1")[0] != 200
                    ungrudging += not _within(BACK_S, partial(_refused_since, load, refused))
                    time.sleep(random.uniform(0.1, 0.5))
                    unreadable += dispatchers.server.api("GET", "/v1/deliveries?limit=1")[0] != 200
                slow += not load.acknowledged_more_within(BACK_S)
        settle(database)
        codes = dispatchers.stop_all()
        wrong, happened = judged(database, receiver, load)
    wrong |= {
        "interrupted": happened["interrupted"],
        "doubled": happened["doubled"],
        "reads that failed": unreadable,
        "full disks that nobody noticed": ungrudging,
        "not back within 5 s": slow,
        "other answers": _others(load),
        "exit codes other than 0": sum(code != 0 for code in codes),
    }
    return wrong, happened + Counter({"refused": _refusals(load)})


@contextmanager
def _no_growth(dispatchers: Dispatchers) -> Iterator[None]:
    """Let no file of the server grow, as on a full disk: a limit of the operating system that is moved from outside."""
    pid, (soft, hard) = dispatchers.server.process.pid, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (_SMALL, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def _hold_commits_back(postgres: PostgresServer) -> None:
    """Have every COMMIT wait, once it is done, for a standby that does not exist, until the server stops."""
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        connection.execute("SELECT pg_reload_conf()")
        time.sleep(_HELD_BACK_S)
        connection.execute("ALTER SYSTEM RESET synchronous_standby_names")  # for the next start


def _asked_while_away(load: Load) -> Counter[int]:
    """Emit a few events while the database is away and return the statuses, the emitters' own in that time included."""
    before, line = time.time(), Line()
    began = len(load.answers)
    for number in range(_AWAY_PROBES):
        load.emit(f"evt_away_{before:.6f}_{number}", line)
    line.close()
    return Counter(answer.status for answer in load.answers[began:] if answer.asked_at > before)


def _records_within(database: Database, seconds: float) -> bool:
    """Return whether an attempt is recorded within so many seconds from now."""
    before = database.rows(_NEWEST_ATTEMPT)
    return _within(seconds, lambda: database.rows(_NEWEST_ATTEMPT) != before)


def _within(seconds: float, happened: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_AGAIN_S)
    return True


def _refused_since(load: Load, before: int) -> bool:
    return _refusals(load) > before


def _refusals(load: Load) -> int:
    return sum(answer.status in _REFUSED for answer in load.answers)


def _others(load: Load) -> int:
    return sum(answer.status not in (*_ACCEPTED, *_REFUSED) for answer in load.answers)
