"""Replaying what failed, a thousand deliveries a round, while a process is killed once a round: one by one, or all in one replay."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.crash.databases import Database
from tests.crash.dispatchers import Dispatchers, dispatching
from tests.crash.judge import Figures, ended_by_state, settle
from tests.crash.load import Load, loaded, webhook
from tests.crash.receiver import Coming, Receiver, receiving

_A_ROUND: Final = 1000
_AT_ONCE: Final = 4
_PAGE: Final = 500
# Deliveries a second of one replay of all: as fast as the server lets it.
_RATE: Final = 10_000
_LOOK_S: Final = 0.02
_ALL_WITHIN_S: Final = 300.0
_MADE: Final = "SELECT count(*) FROM replay_item WHERE new_id IS NOT NULL"
_TIMES: Final = """
SELECT d.id, count(r.id) FROM delivery d LEFT JOIN delivery r ON r.replay_of = d.id WHERE d.trigger = 'event' GROUP BY d.id
"""


@dataclass(slots=True)
class _Repair:
    """Whoever repairs: asks for a replay of all that is unresolved, and when the server goes away, for the rest again."""

    dispatchers: Dispatchers
    database: Database
    kill_at: list[int]
    asked: int = 0
    kills: int = 0
    starts: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def all(self) -> None:
        """Replay all of it; each time the server was killed, look again at what is unresolved."""
        while True:
            settle(self.database)  # what is under way is not known yet to be resolved
            with suppress(OSError, HTTPException):
                if self._once():
                    return
            if self.kills > self.starts:  # killed in the middle, or with the last one of the round
                self.dispatchers.server.process.wait(30)
                self.dispatchers.start(0)
                self.starts += 1

    def _once(self) -> bool:
        """Go through what is unresolved once; return whether there was nothing. Raises: OSError when the server is gone."""
        cursor, found = "", 0
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while True:
                status, page = self._api("GET", f"/v1/deliveries?unresolved=1&limit={_PAGE}{cursor}")
                assert status == 200, page
                found += len(page["data"])
                list(pool.map(self._replay, [row["id"] for row in page["data"]]))
                if not page["next"]:
                    return found == 0
                cursor = f"&cursor={page['next']}"

    def _replay(self, delivery_id: str) -> None:
        status, _ = self._api("POST", f"/v1/deliveries/{delivery_id}/replay", {})
        with self._lock:
            self.statuses[status] += 1
            self.asked += 1
            kill = bool(self.kill_at) and self.asked >= self.kill_at[0]
            if kill:
                self.kill_at.pop(0)
                self.kills += 1
        if kill:
            self.dispatchers.end(0, signal.SIGKILL)

    def _api(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return self.dispatchers.server.api(method, path, body)


def replayed(folder: Path, database: Database, *, rounds: int, seed: int, a_round: int = _A_ROUND) -> Figures:
    """Let many deliveries fail, then replay each of them, killed in the middle again and again: each is replayed exactly once."""
    with _after_an_outage(folder, database, failures=rounds * a_round, seed=seed) as (dispatchers, receiver, load):
        repair = _Repair(dispatchers, database, _kills_at(rounds, a_round, seed=seed))
        repair.all()
        codes = dispatchers.stop_all()
        wrong, happened = _judged(database, receiver, failed=len(load.acknowledged))
    wrong |= {
        "not acknowledged": rounds * a_round - len(load.acknowledged),
        "kills that did not happen": rounds - repair.kills,
        "unexpected answers": sum(count for status, count in repair.statuses.items() if status not in (202, 409)),
        "exit codes other than 0": sum(code != 0 for code in codes),
    }
    return wrong, happened + Counter({"acknowledged": len(load.acknowledged), "answers of 409": repair.statuses[409]})


def replayed_together(folder: Path, database: Database, *, rounds: int, seed: int, a_round: int = _A_ROUND) -> Figures:
    """The same by one `POST /v1/replays`, while every process that may see to it is killed in turn: it goes on by itself."""
    with _after_an_outage(folder, database, failures=rounds * a_round, seed=seed) as (dispatchers, receiver, load):
        asked = {"filter": {"unresolved": True}, "rate": _RATE, "canary": 0}
        status, replay = dispatchers.server.api("POST", "/v1/replays", asked)
        assert status == 201, replay
        kills = _kill_in_turn(dispatchers, database, _kills_at(rounds, a_round, seed=seed))
        replay = _done(dispatchers, replay["id"])
        settle(database)
        codes = dispatchers.stop_all()
        wrong, happened = _judged(database, receiver, failed=len(load.acknowledged))
    wrong |= {
        "not acknowledged": rounds * a_round - len(load.acknowledged),
        "kills that did not happen": rounds - kills,
        "not on the list": len(load.acknowledged) - replay["total"],
        "not told as fixed": replay["total"] - replay["fixed"],
        "exit codes other than 0": sum(code != 0 for code in codes),
    }
    return wrong, happened + Counter({"acknowledged": len(load.acknowledged), "kills": kills})


@contextmanager
def _after_an_outage(
    folder: Path, database: Database, *, failures: int, seed: int
) -> Iterator[tuple[Dispatchers, Receiver, Load]]:
    """Give a server whose receiver failed every delivery, and is well again."""
    outage = threading.Event()

    def rule(coming: Coming, random: Random) -> tuple[int, float]:
        return (404, 0.0) if outage.is_set() else (200, random.uniform(0.0, 0.02))

    with receiving(rule, seed=seed) as receiver, dispatching(folder, database) as dispatchers:
        outage.set()
        webhook(dispatchers, receiver)
        with loaded(dispatchers, pause_s=0.0, most=failures) as load:
            pass
        settle(database)
        outage.clear()
        yield dispatchers, receiver, load


def _kills_at(rounds: int, a_round: int, *, seed: int) -> list[int]:
    """Return after how many replays somebody is killed: somewhere in the middle of each round."""
    random = Random(seed)
    return [round((number + random.uniform(0.2, 0.8)) * a_round) for number in range(rounds)]


def _kill_in_turn(dispatchers: Dispatchers, database: Database, kill_at: list[int]) -> int:
    """Kill one process after the other, each when so many deliveries were made, and start it anew; return how many kills."""
    until, kills = time.monotonic() + _ALL_WITHIN_S, 0
    while kills < len(kill_at) and time.monotonic() < until:
        if database.rows(_MADE)[0][0] < kill_at[kills]:
            time.sleep(_LOOK_S)
            continue
        number = kills % len(dispatchers.running)
        dispatchers.end(number, signal.SIGKILL)
        dispatchers.start(number)
        kills += 1
    return kills


def _done(dispatchers: Dispatchers, replay_id: str) -> dict[str, Any]:
    """Return the replay when it is done, or as it stands when that takes too long."""
    until = time.monotonic() + _ALL_WITHIN_S
    while True:
        status, replay = dispatchers.server.api("GET", f"/v1/replays/{replay_id}")
        assert status == 200, replay
        if replay["state"] == "done" or time.monotonic() > until:
            return dict(replay)
        time.sleep(_LOOK_S)


def _judged(database: Database, receiver: Receiver, *, failed: int) -> Figures:
    times = Counter(count for _, count in database.rows(_TIMES))
    outcomes = Counter(dict(database.rows("SELECT outcome, count(*) FROM attempt GROUP BY outcome")))
    taken = receiver.taken()
    doubled = sum(taken.values()) - len(taken)
    wrong = {
        "not replayed": times[0],
        "replayed more than once": sum(count for number, count in times.items() if number > 1),
        "not taken in the end": failed - len(taken),
        "not delivered in the end": failed - len(ended_by_state(database)["succeeded"]),
        "doubled beyond the interrupted": max(0, doubled - outcomes["interrupted"]),
        "wrong signatures": sum(not arrival.signed for arrival in receiver.arrivals),
        "damaged": int(database.damaged()),
    }
    return wrong, Counter(replays=sum(times.values()) - times[0], interrupted=outcomes["interrupted"], doubled=doubled)
