"""`python -m tests.crash.soak`: mixed receivers for half an hour, one kill a minute; memory, open files and the log stay flat.

On SQLite the server is killed, and its lives are compared at the same age. On PostgreSQL the workers are killed, and the
server, which lives on, is compared with itself.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from http.client import HTTPException
from itertools import cycle
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from tests.crash.__main__ import told
from tests.crash.databases import Database, database
from tests.crash.dispatchers import LEASE_S, Dispatchers, dispatching
from tests.crash.judge import judged, settle
from tests.crash.load import loaded, webhook
from tests.crash.receiver import receiving
from tests.crash.suites import BOTH, SQLITE
from tests.misbehaving import handlers
from tests.postgres_server import running_server
from tests.receivers import raw_receiver

_MISBEHAVING: Final = {
    "silent": handlers.say_nothing,
    "resetting": handlers.reset_after_the_request,
    "closing": handlers.close_without_an_answer,
    "half-headed": handlers.close_amid_the_headers,
    "dripping": handlers.drip_the_body,
    "chattering": handlers.number_the_answers,
    "breaking": handlers.break_the_chunks_later,
    "leaving": handlers.promise_and_close,
}
_KILL_EVERY_S: Final = 60.0
_LOOK_EVERY_S: Final = 5.0
_PAUSE_S: Final = 0.1
_SIDE_PAUSE_S: Final = 0.12
# What may come and go: pages of Python's memory, connections that are kept for a while, a log that is begun anew at 64 MiB.
_MEMORY_MB: Final = 12.0
_FILES: Final = 24.0
_LOG_MB: Final = 90.0
_LEFT: Final = (
    "SELECT count(*) FROM delivery WHERE state = 'in_flight' AND leased_until < clock_timestamp() - interval '5 s'"
)


@dataclass(frozen=True, slots=True)
class Sample:
    """The server at one moment of its life."""

    age_s: float
    memory_mb: float
    files: int
    log_mb: float
    broken: int


def main() -> int:
    """Soak one database; return 1 when something grew, or a promise was broken."""
    asked = argparse.ArgumentParser(prog="make soak", description=__doc__)
    asked.add_argument("--minutes", type=float, default=30.0)
    asked.add_argument("--db", choices=BOTH, default=SQLITE)
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        nullcontext() if given.db == SQLITE else running_server() as server,
        database(given.db, Path(folder), server) as made,
    ):
        wrong = soak(Path(folder), made, minutes=given.minutes, seed=given.seed)
    return 1 if any(wrong.values()) else 0


def soak(folder: Path, made: Database, *, minutes: float, seed: int) -> dict[str, int]:
    """Soak it, print every minute and the figures, and return what must be 0."""
    with receiving(seed=seed) as receiver, dispatching(folder, made) as dispatchers, _misbehaving() as urls:
        webhook(dispatchers, receiver)
        for agent, url in urls.items():
            dispatchers.server.api("POST", f"/v1/agents/{agent}/webhooks", {"url": url})
        with loaded(dispatchers, pause_s=_PAUSE_S) as load, _side_load(dispatchers, list(urls)):
            lives = _watched(dispatchers, made, seconds=minutes * 60, random=Random(seed))
        settle(made)
        codes = dispatchers.stop_all()
        wrong, happened = judged(made, receiver, load)
    wrong |= _grown(lives, lived_on=made.shared)
    wrong |= {
        "promise I9 broken": sum(sample.broken for life in lives for sample in life),
        "exit codes other than 0": sum(code != 0 for code in codes),
    }
    print(told((wrong, happened + Counter(kills=len(lives) - 1))), flush=True)
    return wrong


def _watched(dispatchers: Dispatchers, made: Database, *, seconds: float, random: Random) -> list[list[Sample]]:
    """Look at the server every few seconds, kill once a minute, and return the samples, one list between two kills each."""
    lives: list[list[Sample]] = [[]]
    born = time.monotonic()
    until, kill_at = born + seconds, born + _KILL_EVERY_S
    while time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)
        lives[-1].append(_sample(dispatchers, made, age_s=time.monotonic() - born))
        if time.monotonic() < kill_at:
            continue
        print(f"minute {len(lives)}: {_line(lives[-1])}", flush=True)
        number = random.randrange(1, len(dispatchers.running)) if made.shared else 0
        dispatchers.end(number)
        dispatchers.start(number)
        kill_at += _KILL_EVERY_S
        lives.append([])
        born = born if made.shared else time.monotonic()
    return lives


def _sample(dispatchers: Dispatchers, made: Database, *, age_s: float) -> Sample:
    process = Path(f"/proc/{dispatchers.server.process.pid}")
    resident = next(line for line in (process / "status").read_text().splitlines() if line.startswith("VmRSS"))
    log = dispatchers.folder / ".swiftclaw" / "swiftclaw.db-wal"
    ready, _ = dispatchers.server.api("GET", "/readyz")
    left = made.rows(_LEFT)[0][0] if made.shared and age_s > LEASE_S else 0
    return Sample(
        age_s=age_s,
        memory_mb=int(resident.split()[1]) / 1024,
        files=len(list((process / "fd").iterdir())),
        log_mb=log.stat().st_size / 2**20 if log.exists() else 0.0,
        broken=int(ready != 200) + left,
    )


def _line(life: Sequence[Sample]) -> str:
    last = life[-1]
    most = max(sample.log_mb for sample in life)
    return f"{last.memory_mb:.1f} MB, {last.files} open files, log at most {most:.1f} MB, age {last.age_s:.0f} s"


def _grown(lives: list[list[Sample]], *, lived_on: bool) -> dict[str, int]:
    """Compare the first third with the last; the first minute, in which everything is met for the first time, not counted."""
    ends = [sample for life in lives[1:] for sample in life] if lived_on else [life[-1] for life in lives[1:-1]]
    third = max(1, len(ends) // 3)
    early, late = ends[:third], ends[-third:]
    memory = median(s.memory_mb for s in late) - median(s.memory_mb for s in early) if ends else 0.0
    files = median(s.files for s in late) - median(s.files for s in early) if ends else 0.0
    log = max(sample.log_mb for life in lives for sample in life)
    print(f"grown from the first third to the last: {memory:+.1f} MB, {files:+.0f} files; log at most {log:.1f} MB")
    return {"memory grew": int(memory > _MEMORY_MB), "files grew": int(files > _FILES), "log grew": int(log > _LOG_MB)}


@contextmanager
def _side_load(dispatchers: Dispatchers, agents: list[str]) -> Iterator[None]:
    """Emit to one misbehaving receiver after the other until the block ends."""
    stopped = threading.Event()

    def emit() -> None:
        for agent in cycle(agents):
            if stopped.wait(_SIDE_PAUSE_S):
                return
            with suppress(OSError, HTTPException, ValueError):  # the server was just killed
                dispatchers.server.api("POST", f"/v1/agents/{agent}/events", {"type": "agent.failed"})

    thread = threading.Thread(target=emit, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(60)


@contextmanager
def _misbehaving() -> Iterator[dict[str, str]]:
    """Play the receivers that misbehave on a loop in a thread; gives their URLs by name."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stack = AsyncExitStack()

    async def enter() -> dict[str, str]:
        return {name: (await stack.enter_async_context(raw_receiver(each))).url for name, each in _MISBEHAVING.items()}

    try:
        yield asyncio.run_coroutine_threadsafe(enter(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


if __name__ == "__main__":
    sys.exit(main())
