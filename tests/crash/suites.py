"""The suites, as functions of how long they shall be: each returns what must be 0, and what happened."""

from __future__ import annotations

import resource
import signal
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final, Protocol

from tests.acceptance.running import receiving, start_server
from tests.acceptance.test_kill import settle
from tests.crash.load import FLAGS, SECRET, judged, loaded

# The database's log file holds a few rows of this, and nothing more.
_SMALL: Final = 8192
_BACK_S: Final = 5.0

Figures = tuple[dict[str, int], Counter[str]]


class Suite(Protocol):
    """A run of so many rounds in a fresh folder."""

    __name__: str

    def __call__(self, folder: Path, *, rounds: int, seed: int) -> Figures: ...


def killed(folder: Path, *, rounds: int, seed: int) -> Figures:
    """Kill the server with -9 at random 30-600 ms after it answers, again and again."""
    random = Random(seed)
    with receiving(SECRET, delay_s=0.03) as receiver:
        with loaded(folder, receiver) as load:
            for _ in range(rounds):
                time.sleep(random.uniform(0.03, 0.6))
                assert load.server.stop(signal.SIGKILL) == -signal.SIGKILL
                load.server = start_server(folder, *FLAGS)
            time.sleep(0.3)
        settle(load.server)
        assert load.server.stop() == 0
        return judged(folder, receiver, load.emitted)


def stopped(folder: Path, *, rounds: int, seed: int) -> Figures:
    """Stop the server in order under load, again and again: nothing is cut off, nothing is sent twice."""
    random = Random(seed)
    longest = 0.0
    with receiving(SECRET, delay_s=0.03) as receiver:
        with loaded(folder, receiver) as load:
            for _ in range(rounds):
                time.sleep(random.uniform(0.03, 0.6))
                began = time.monotonic()
                assert load.server.stop() == 0
                longest = max(longest, time.monotonic() - began)
                load.server = start_server(folder, *FLAGS)
            time.sleep(0.3)
        settle(load.server)
        assert load.server.stop() == 0
        wrong, happened = judged(folder, receiver, load.emitted)
    wrong |= {"interrupted": happened["interrupted"], "doubled": happened["doubled"]}
    return wrong, happened + Counter({"ms for the longest stop": round(longest * 1000)})


def starved(folder: Path, *, rounds: int, seed: int) -> Figures:
    """Let no file of the server grow for a while, as on a full disk, again and again: it refuses, and goes on by itself.

    The limit is the operating system's on the size of files: it needs no rights, and is moved from outside.
    """
    random = Random(seed)
    unreadable, slow = 0, 0
    with receiving(SECRET, delay_s=0.03) as receiver:
        with loaded(folder, receiver) as load:
            pid, (soft, hard) = load.server.process.pid, resource.getrlimit(resource.RLIMIT_FSIZE)
            for _ in range(rounds):
                time.sleep(random.uniform(0.1, 0.4))
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (_SMALL, hard))
                time.sleep(random.uniform(0.2, 0.8))
                unreadable += load.server.api("GET", "/v1/deliveries?limit=1")[0] != 200
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
                slow += not load.acknowledged_more_within(_BACK_S)
            time.sleep(0.3)
        settle(load.server)
        assert load.server.stop() == 0
        wrong, happened = judged(folder, receiver, load.emitted)
    refused = sum(count for status, count in load.statuses.items() if status in (503, 507))
    others = sum(load.statuses.values()) - refused - load.statuses[200] - load.statuses[202]
    wrong |= {"reads that failed": unreadable, "not back within 5 s": slow, "other answers": others}
    wrong |= {"interrupted": happened["interrupted"], "doubled": happened["doubled"]}
    return wrong, happened + Counter({"refused": refused})


# (suite, its part of the rounds asked for); where a process's limits cannot be moved from outside, no disk is filled.
ALL: Final[tuple[tuple[Suite, float], ...]] = (
    (killed, 1.0),
    (stopped, 0.5),
    *(((starved, 0.1),) if hasattr(resource, "prlimit") else ()),
)
