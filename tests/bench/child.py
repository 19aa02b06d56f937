"""A measured side in a child process: started once, pinned to a core, asked for round after round.

The line protocol: the child prints one JSON line when it is ready; then, for each JSON line it is given, one JSON line with
what it measured. It ends when its input does. What it logs goes to a file, as a server's log does.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from tests.bench.machine import pin

LONGEST_ROUND_S: Final = 120.0

Round = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class ChildFailed(Exception):
    """A measured process ended, or did not answer in time."""


class Child:
    """A child process that runs one of the programs in `tests.bench.sides`."""

    def __init__(self, side: str, *, core: int | None, log: Path, **given: Any) -> None:
        self._side = side
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.bench.sides", side, json.dumps(given)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
            )
        pin(self._process.pid, core)
        self.ready = self._answer()

    def round(self, **asked: Any) -> dict[str, Any]:
        """Have it run one round and return what it measured. Raises: ChildFailed."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        return self._answer()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=20)
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def _answer(self) -> dict[str, Any]:
        stdout = self._process.stdout
        assert stdout is not None
        line = b""
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([stdout], [], [], LONGEST_ROUND_S)
            part = os.read(stdout.fileno(), 1 << 20) if readable else b""
            if not part:
                self._process.kill()
                raise ChildFailed(f'The measured process "{self._side}" ended or hangs. Its log is {self._log}.')
            line += part
        answer: dict[str, Any] = json.loads(line)
        return answer


async def answer_rounds(run: Round, **ready: Any) -> None:
    """In the child: say that it is ready, then run a round for each line of input until the input ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    # As the server does once it runs, and for every side alike: what was imported is not looked through again, and garbage seldom looked for.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    print(json.dumps(ready), flush=True)
    async for line in reader:
        print(json.dumps(await run(json.loads(line))), flush=True)


class Meter:
    """Measures real seconds and the process's CPU seconds, all threads together, from its making."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def read(self, count: int) -> dict[str, Any]:
        """Return the rate per second and the CPU microseconds each, of `count` things done since."""
        seconds = time.perf_counter() - self._wall
        cpu = time.process_time() - self._cpu
        return {"per_second": count / seconds, "cpu_us": cpu / count * 1e6}
