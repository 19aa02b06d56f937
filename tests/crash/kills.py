"""Processes that are killed or stopped at random moments under load, and a long run in which nobody touches anything."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final

from tests.crash.databases import Database, unix
from tests.crash.dispatchers import LEASE_S, SEND_TIMEOUT_S, dispatching
from tests.crash.judge import Figures, judged, settle
from tests.crash.load import loaded, webhook
from tests.crash.receiver import receiving

_AFTERMATH_S: Final = 0.3
# Beyond its lease, an interrupted delivery waits for the next look of some dispatcher: they look once a second.
_AGAIN_S: Final = LEASE_S + 1.0
_AGAIN: Final = """
SELECT cut.started_at, next.started_at FROM attempt cut
JOIN attempt next ON next.delivery_id = cut.delivery_id AND next.number = cut.number + 1 WHERE cut.outcome = 'interrupted'
"""
_EVENTS_A_ROUND: Final = 100


def killed(folder: Path, database: Database, *, rounds: int, seed: int) -> Figures:
    """Kill a random dispatcher with -9 at random 30-600 ms after the last one was ready, again and again."""
    random = Random(seed)
    with receiving(seed=seed) as receiver, dispatching(folder, database) as dispatchers:
        webhook(dispatchers, receiver)
        with loaded(dispatchers) as load:
            for _ in range(rounds):
                time.sleep(random.uniform(0.03, 0.6))
                number = random.randrange(len(dispatchers.running))
                assert dispatchers.end(number) == -signal.SIGKILL
                dispatchers.start(number)
            time.sleep(_AFTERMATH_S)
        settle(database)
        codes = dispatchers.stop_all()
        wrong, happened = judged(database, receiver, load)
    waits = [unix(again) - unix(cut) for cut, again in database.rows(_AGAIN)]
    wrong["exit codes other than 0"] = sum(code != 0 for code in codes)
    if database.shared:
        wrong["in flight again later than lease + 1 s"] = sum(wait > _AGAIN_S for wait in waits)
        happened["ms at most until in flight again"] = round(max(waits, default=0.0) * 1000)
    return wrong, happened


def stopped(folder: Path, database: Database, *, rounds: int, seed: int) -> Figures:
    """Stop a random dispatcher in order under load, again and again: nothing is cut off, nothing is sent twice."""
    random = Random(seed)
    stops: list[float] = []
    codes: list[int] = []
    with receiving(seed=seed) as receiver, dispatching(folder, database) as dispatchers:
        webhook(dispatchers, receiver)
        with loaded(dispatchers) as load:
            for _ in range(rounds):
                time.sleep(random.uniform(0.03, 0.6))
                number = random.randrange(len(dispatchers.running))
                began = time.monotonic()
                codes.append(dispatchers.end(number, signal.SIGTERM))
                stops.append(time.monotonic() - began)
                dispatchers.start(number)
            time.sleep(_AFTERMATH_S)
        settle(database)
        codes += dispatchers.stop_all()
        wrong, happened = judged(database, receiver, load)
    wrong |= {
        "interrupted": happened["interrupted"],
        "doubled": happened["doubled"],
        "exit codes other than 0": sum(code != 0 for code in codes),
        "stops later than timeout + 1 s": sum(took > SEND_TIMEOUT_S + 1.0 for took in stops),
    }
    happened["ms for the longest stop"] = round(max(stops) * 1000)
    return wrong, happened


def untouched(folder: Path, database: Database, *, rounds: int, seed: int) -> Figures:
    """Emit a hundred events a round and do no harm: each is taken once, and no attempt is cut off."""
    with receiving(seed=seed) as receiver, dispatching(folder, database) as dispatchers:
        webhook(dispatchers, receiver)
        began = time.monotonic()
        with loaded(dispatchers, pause_s=0.0, most=rounds * _EVENTS_A_ROUND) as load:
            pass
        settle(database)
        took = time.monotonic() - began
        codes = dispatchers.stop_all()
        wrong, happened = judged(database, receiver, load)
    wrong |= {
        "interrupted": happened["interrupted"],
        "superseded": happened["superseded"],
        "doubled": happened["doubled"],
        "not acknowledged": rounds * _EVENTS_A_ROUND - happened["acknowledged"],
        "exit codes other than 0": sum(code != 0 for code in codes),
    }
    return wrong, happened + Counter({"events a second": round(happened["acknowledged"] / took)})
