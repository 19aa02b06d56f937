"""Clocks that do what clocks must not: a wall clock that is set while a server runs, and a manual clock moved amid hanging attempts."""

from __future__ import annotations

import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.crash.databases import Database, unix
from tests.crash.dispatchers import FLAGS, SECRET, Dispatchers, dispatching
from tests.crash.hooks import set_wall
from tests.crash.judge import Figures, judged, settle
from tests.crash.load import AGENT, Line, Load, loaded, webhook
from tests.crash.receiver import PATH, Arrival, Coming, Receiver, receiving

_FORWARD_S: Final = 6 * 3600.0
_BACK_S: Final = -3 * 86_400.0
_FLAP_S: Final = 3600.0
# The clock is looked at once a second.
_NOTICED_S: Final = 2.5
_LOOK_AGAIN_S: Final = 0.05
_FLAPS: Final = 8
_LATE_S: Final = 5.0
_WAITS_S: Final = (0.1, 0.2, 0.4, 0.8, 1.0)
_SLACK_S: Final = 1.0
_JUMPED: Final = '"clock.jumped"'
# These wait for the end of the lease of a process that was killed.
_CUT: Final = "SELECT event_id FROM attempt WHERE outcome = 'interrupted'"
_NEGATIVE: Final = "SELECT count(*) FROM attempt WHERE duration_ms < 0 OR ended_at < started_at"

_HANGING: Final = 16
_MANUAL: Final = (*("--secret", SECRET, "--clock", "manual"), *("--per-webhook", str(_HANGING)))
_HANGS_LONGER_S: Final = 0.3
_WHOLE_SCHEDULE: Final = "7h21m"
_SENDS: Final = 6
_DUE: Final = "SELECT event_id, url, scheduled_at FROM attempt ORDER BY event_id, url, number"


class _Wall:
    """The wall clock of the processes under test, and the furthest it ever stood ahead of ours."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.furthest_s = 0.0
        self.set(0.0)

    def set(self, seconds: float) -> None:
        """Let it be wrong by so much."""
        self.furthest_s = max(self.furthest_s, seconds)
        set_wall(self._path, seconds)


def jumped(folder: Path, database: Database, *, rounds: int, seed: int) -> Figures:
    """Set the wall clock 6 hours forward, 3 days back, kill a process meanwhile, and let the clock flap, under load."""
    wall = _Wall(folder / "wall")
    unnoticed = 0
    down: list[tuple[float, float]] = []
    with (
        receiving(seed=seed) as receiver,
        dispatching(folder, database, *FLAGS, hooks={"wall": str(folder / "wall")}) as dispatchers,
    ):
        webhook(dispatchers, receiver)
        with loaded(dispatchers) as load:
            for _ in range(rounds):
                told = _jumps_told(dispatchers)
                for number, seconds in enumerate((_FORWARD_S, _BACK_S), 1):
                    wall.set(seconds)
                    _wait_until_told(dispatchers, [count + number for count in told])
                down.append(_killed_and_started(dispatchers))
                time.sleep(_LATE_S + _SLACK_S)  # what it knew as due soon is due soon still
                unnoticed += sum(now - then != 2 for then, now in zip(told, _jumps_told(dispatchers), strict=True))
                _flap(wall)
                wall.set(0.0)
                time.sleep(_NOTICED_S)
            ahead = _now(dispatchers) - (time.time() + wall.furthest_s)
        settle(database)
        codes = dispatchers.stop_all()
        wrong, happened = judged(database, receiver, load)
        cut = {row[0] for row in database.rows(_CUT)}
        down = [] if database.shared else down  # others went on
        lateness = list(_lateness((arrival for arrival in receiver.arrivals if arrival.event_id not in cut), down))
    wrong |= {
        "negative durations": database.rows(_NEGATIVE)[0][0],
        "settings of the clock without one line in each log": unnoticed,
        f"due work more than {_LATE_S:g} s late": sum(late > _LATE_S for late in lateness),
        "ahead of all that the wall clock showed": int(ahead > _SLACK_S),
        "exit codes other than 0": sum(code != 0 for code in codes),
    }
    happened["ms at most late"] = round(max(lateness, default=0.0) * 1000)
    return wrong, happened


def _jumps_told(dispatchers: Dispatchers) -> list[int]:
    """Return how many lines about a clock that was set each dispatcher wrote so far."""
    return [log.count(_JUMPED) for log in dispatchers.logs()]


def _wait_until_told(dispatchers: Dispatchers, counts: list[int]) -> None:
    """Wait until each dispatcher wrote so many lines, or for so long that it never will."""
    until = time.monotonic() + _NOTICED_S
    while any(now < count for now, count in zip(_jumps_told(dispatchers), counts, strict=True)):
        if time.monotonic() > until:
            return
        time.sleep(_LOOK_AGAIN_S)


def _flap(wall: _Wall) -> None:
    """Set the clock forward and back, at times that fit no second."""
    for number in range(_FLAPS):
        wall.set(_FLAP_S * (number % 2))
        time.sleep(1.27)


def _now(dispatchers: Dispatchers) -> float:
    _, clock = dispatchers.server.api("GET", "/_local/clock")
    return float(clock["now"])


def _killed_and_started(dispatchers: Dispatchers) -> tuple[float, float]:
    """Kill the server and start it anew; return from when until when there was none (unix seconds)."""
    killed_at = time.time()
    assert dispatchers.end(0) == -signal.SIGKILL
    dispatchers.start(0)
    return killed_at, time.time()


def _lateness(arrivals: Iterable[Arrival], down: list[tuple[float, float]]) -> Iterator[float]:
    """Yield by how much each retry came later than its wait after the failure before it, real seconds with a server."""
    by_event: defaultdict[str, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        by_event[arrival.event_id].append(arrival)
    for came in by_event.values():
        for wait, before, after in zip(_WAITS_S, came, came[1:], strict=False):
            if before.answered_at is not None:
                without = sum(max(0.0, min(after.at, up) - max(before.answered_at, killed)) for killed, up in down)
                yield after.at - before.answered_at - wait - without


def advanced(folder: Path, database: Database, *, rounds: int, seed: int, timeout_s: float = 1.0) -> Figures:
    """Move a manual clock through the whole schedule while 16 attempts hang, beside others that fail at once."""
    moves: list[Any] = []

    def by_path(coming: Coming, random: Random) -> tuple[int, float]:
        """Hang beyond the time-out, or fail at once."""
        return 503, timeout_s + _HANGS_LONGER_S if coming.path.endswith("/hang") else 0.0

    flags = (*_MANUAL, "--send-timeout", f"{timeout_s * 1000:.0f}ms")
    with (
        receiving(by_path, seed=seed) as receiver,
        dispatching(folder, database, *flags, workers=0) as dispatchers,
        ThreadPoolExecutor(1) as pool,
    ):
        for kind in ("hang", "fail"):
            _register(dispatchers, receiver, kind)
        load, line = Load(dispatchers), Line()
        for number in range(rounds):
            names = [f"evt_{number:03}_{each:02}" for each in range(_HANGING)]
            assert all(load.emit(name, line) for name in names)
            assert receiver.wait_for(partial(_hang, receiver, names), timeout_s=10)
            moves.append(pool.submit(_advance, dispatchers).result(120))
        line.close()
        settle(database, timeout_s=5)
        codes = dispatchers.stop_all()
        wrong, happened = judged(database, receiver, load)
        wrong |= _manual_figures(database, receiver)
    wrong |= {
        "moves that were refused": sum(status != 200 for status, _ in moves),
        "attempts that were not made within the move": rounds * _HANGING * _SENDS * 2 - happened["requests"],
        "exit codes other than 0": sum(code != 0 for code in codes),
    }
    return wrong, happened + Counter({"minutes moved": rounds * 441})


def _register(dispatchers: Dispatchers, receiver: Receiver, kind: str) -> None:
    status, _ = dispatchers.server.api("POST", f"/v1/agents/{AGENT}/webhooks", {"url": f"{receiver.url}/{kind}"})
    assert status == 201


def _hang(receiver: Receiver, names: list[str]) -> bool:
    hanging = {arrival.event_id for arrival in receiver.arrivals if arrival.path.endswith("/hang")}
    return hanging.issuperset(names)


def _advance(dispatchers: Dispatchers) -> tuple[int, Any]:
    return dispatchers.server.api("POST", "/_local/clock/advance", {"by": _WHOLE_SCHEDULE}, timeout=120)


def _manual_figures(database: Database, receiver: Receiver) -> dict[str, int]:
    """Return how many sends came twice, were cut off, or came before one that was due earlier."""
    due: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for event_id, url, scheduled_at in database.rows(_DUE):
        due[event_id, url].append(unix(scheduled_at))
    sends = Counter((arrival.event_id, arrival.path) for arrival in receiver.arrivals)
    dues: list[float] = []
    for arrival in receiver.arrivals:
        of_delivery = due[arrival.event_id, receiver.url.removesuffix(PATH) + arrival.path]
        dues.append(of_delivery.pop(0) if of_delivery else 0.0)
    outcomes = Counter(dict(database.rows("SELECT outcome, count(*) FROM attempt GROUP BY outcome")))
    return {
        "sends beyond six of a delivery": sum(max(0, count - _SENDS) for count in sends.values()),
        "leases that ran out": outcomes["interrupted"] + outcomes["superseded"],
        "sends before one that was due earlier": sum(a > b for a, b in pairwise(dues)),
    }
