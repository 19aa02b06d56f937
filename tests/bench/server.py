"""The server and its commands as a person starts them, for the measures of start-up and of the API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.bench.child import ChildFailed
from tests.bench.machine import pin

PROGRAM: Final = (sys.executable, "-m", "swiftclaw_local")
_LONGEST_START_S: Final = 60.0
_LOOK_S: Final = 0.005


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and how many seconds it took from its start to its first `ready`."""

    url: str
    ready_s: float

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Call the API."""
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), method="POST")  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
            found: dict[str, Any] = json.load(answer)
            return found


@contextmanager
def server(db: Path, *, core: int | None, log: Path, flags: tuple[str, ...] = ()) -> Iterator[Server]:
    """Run `swiftclaw serve` for the length of the block. Raises: ChildFailed when it does not get ready."""
    started = time.perf_counter()
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*PROGRAM, "serve", "--port", "0", "--db", str(db), *flags],
            stdout=output,
            stderr=output,
            env=clean_environment(),
        )
    pin(process.pid, core)
    try:
        url = _wait_ready(db.with_name("server.json"), process, log)
        yield Server(url, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait(timeout=30)


def clean_environment() -> dict[str, str]:
    """Return the environment without settings of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SWIFTCLAW_")}


def command_seconds(arguments: list[str], *, folder: Path) -> float:
    """Run a command to its end and return how long it took. Raises: ChildFailed when it fails."""
    started = time.perf_counter()
    done = subprocess.run(arguments, capture_output=True, cwd=folder, env=clean_environment(), check=False)
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise ChildFailed(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr.decode()}")
    return seconds


def _wait_ready(found: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _LONGEST_START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            url = str(json.loads(found.read_text(encoding="utf-8"))["url"])
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):  # noqa: S310 - our own server
                return url
        except (OSError, ValueError):
            time.sleep(_LOOK_S)
    raise ChildFailed(f"The server did not get ready. Its log is {log}.")
