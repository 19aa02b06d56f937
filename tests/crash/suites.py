"""The suites, as functions of how long they shall be: each returns what must be 0, and what happened."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Protocol

from tests.acceptance.running import receiving, start_server
from tests.acceptance.test_kill import settle
from tests.crash.load import FLAGS, SECRET, judged, loaded

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
