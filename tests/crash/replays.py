"""Replaying what failed, a thousand deliveries a round, while the server that is asked to is killed once a round."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.crash.databases import Database
from tests.crash.dispatchers import Dispatchers, dispatching
from tests.crash.judge import Figures, ended_by_state, settle
from tests.crash.load import loaded, webhook
from tests.crash.receiver import Coming, Receiver, receiving

_A_ROUND: Final = 1000
_AT_ONCE: Final = 4
_PAGE: Final = 500
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
    """Let many deliveries fail, then replay them all, killed in the middle again and again: each is replayed exactly once."""
    outage = threading.Event()

    def rule(coming: Coming, random: Random) -> tuple[int, float]:
        return (404, 0.0) if outage.is_set() else (200, random.uniform(0.0, 0.02))

    with receiving(rule, seed=seed) as receiver, dispatching(folder, database) as dispatchers:
        outage.set()
        webhook(dispatchers, receiver)
        with loaded(dispatchers, pause_s=0.0, most=rounds * a_round) as load:
            pass
        settle(database)
        outage.clear()
        random = Random(seed)
        kill_at = [round((number + random.uniform(0.2, 0.8)) * a_round) for number in range(rounds)]
        repair = _Repair(dispatchers, database, kill_at)
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
