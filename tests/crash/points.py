"""A server that dies at each named point of `tests.crash.hooks`, once a round, while events come and webhooks are changed."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.crash.databases import Database
from tests.crash.dispatchers import FLAGS, Dispatchers, dispatching
from tests.crash.hooks import COMMITS, POINTS
from tests.crash.judge import Figures, judged, settle
from tests.crash.load import loaded, webhook
from tests.crash.receiver import Receiver, receiving

ALL: Final = (*POINTS, *COMMITS)
# Few slots, so that claims wait in memory and are given back when their webhook changes.
_FLAGS: Final = (*FLAGS, "--per-webhook", "2")
_REACHED_S: Final = 20.0
_OFTEN: Final = ("event", "record", "request", "commit")
_SIDE: Final = "/v1/agents/side-agent"
_PAUSE_S: Final = 0.02


def died_at_points(
    folder: Path, database: Database, *, rounds: int, seed: int, points: tuple[str, ...] = ALL
) -> Figures:
    """Have the server die at each point, after a few times of passing it, and start it again."""
    random = Random(seed)
    missed: list[str] = []
    with (
        receiving(seed=seed) as receiver,
        receiving(seed=seed + 1) as side,
        dispatching(folder, database, *_FLAGS) as dispatchers,
    ):
        webhook(dispatchers, receiver)
        with loaded(dispatchers) as load, _side_work(dispatchers, side, random):
            for _ in range(rounds):
                for point in points:
                    missed += [] if _die_at(dispatchers, point, random) else [point]
            dispatchers.end(0, signal.SIGTERM)
            dispatchers.start(0)
            time.sleep(0.5)
        settle(database)
        codes = dispatchers.stop_all()
        wrong, happened = judged(database, receiver, load)
    wrong["exit codes other than 0"] = sum(code != 0 for code in codes)
    wrong |= {f"not reached: {point}": 1 for point in missed}
    return wrong, happened + Counter({"deaths at a point": rounds * len(points) - len(missed)})


def _die_at(dispatchers: Dispatchers, point: str, random: Random) -> bool:
    """Start the server anew so that it dies at a point, wait for that, and return whether it did."""
    times = random.randint(1, 60) if point.startswith(_OFTEN) else random.randint(1, 2)
    dispatchers.end(0, signal.SIGKILL)
    if point.startswith("recovery"):
        times = 1
    dispatchers.start(0, at=f"{point}:{times}")
    try:
        return dispatchers.server.process.wait(_REACHED_S) == -signal.SIGKILL
    except subprocess.TimeoutExpired:
        return False


@contextmanager
def _side_work(dispatchers: Dispatchers, side: Receiver, random: Random) -> Iterator[None]:
    """Emit to another agent, replay, change and delete its webhooks until the block ends, whatever the server answers."""
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            with suppress(OSError, HTTPException, ValueError):  # it just died; a URL that is not there yet
                _act(dispatchers, side, random)
            time.sleep(_PAUSE_S)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(60)


def _act(dispatchers: Dispatchers, side: Receiver, random: Random) -> None:
    def ask(method: str, path: str, body: Any = None) -> Any:
        return dispatchers.server.api(method, path, body, timeout=10)[1]

    hooks = ask("GET", f"{_SIDE}/webhooks").get("data", [])
    if not hooks:
        hooks = [ask("POST", f"{_SIDE}/webhooks", {"url": side.url})]
    for _ in range(12):
        ask("POST", f"{_SIDE}/events", {"type": "agent.failed"})
    at = f"{_SIDE}/webhooks/{hooks[0]['id']}"
    ended = [row["id"] for row in ask("GET", f"{at}/deliveries?limit=50")["data"] if row["state"] == "delivered"]
    if ended:
        ask("POST", f"/v1/deliveries/{random.choice(ended)}/replay", {})
    ask("PATCH", at, {"url": f"{side.url}/{random.randrange(1000)}"})
    if random.random() < 0.3:
        ask("DELETE", at)
