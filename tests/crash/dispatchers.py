"""The processes under test: one server, and on a shared database workers beside it; each may be ended and started again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.acceptance.running import RunningServer, environment
from tests.crash.databases import Database

SECRET: Final = "scsec_mine"
# Five retries in some two seconds; an attempt's time, and with it the lease of PostgreSQL, is short.
SEND_TIMEOUT_S: Final = 1.0
LEASE_S: Final = SEND_TIMEOUT_S + 5.0
FLAGS: Final = (
    *("--secret", SECRET, "--retry-schedule", "100ms,200ms,400ms,800ms,1s"),
    *("--send-timeout", f"{SEND_TIMEOUT_S:g}s", "--per-webhook", "20"),
)
WORKERS: Final = 2
# Where Python finds the module that it loads before anything else, and what that one does for us.
CHILD: Final = Path(__file__).parent / "child"
_ADDRESS: Final = re.compile(r"http://\S+")
_READY: Final = ("Waiting for events", "Delivering")


class Dispatchers:
    """All processes on one database; the first one serves the API, the others are workers."""

    def __init__(
        self,
        folder: Path,
        database: Database,
        *flags: str,
        workers: int | None = None,
        hooks: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._hooks = dict(hooks or {})
        self._flags = (*database.flags, *(flags or FLAGS))
        self.running: list[RunningServer] = []
        count = 1 + (WORKERS if database.shared else 0) if workers is None else 1 + workers
        try:
            for number in range(count):
                self.running.append(self._started(number))
        except BaseException:
            self.kill_all()
            raise

    @property
    def server(self) -> RunningServer:
        """The one that serves the API."""
        return self.running[0]

    def end(self, number: int, with_signal: int = signal.SIGKILL) -> int:
        """End one and return its exit code (negative: the signal that ended it)."""
        return self.running[number].stop(with_signal)

    def start(self, number: int, **hooks: str) -> None:
        """Start one anew, with further hooks."""
        self.running[number] = self._started(number, **hooks)

    def stop_all(self) -> list[int]:
        """Stop all in order and return their exit codes."""
        return [running.stop() for running in reversed(self.running)]

    def kill_all(self) -> None:
        """Leave nothing behind."""
        for running in self.running:
            running.stop(signal.SIGKILL)

    def logs(self) -> list[str]:
        """Return what each of them logged so far, those before it in its place included."""
        return [(self.folder / f"dispatcher{n}.log").read_text(errors="replace") for n in range(len(self.running))]

    def _started(self, number: int, **hooks: str) -> RunningServer:
        role = ("--port", "0") if number == 0 else ("--worker-only",)
        return launch(self.folder, f"dispatcher{number}.log", *role, *self._flags, hooks=self._hooks | hooks)


@contextmanager
def dispatching(
    folder: Path,
    database: Database,
    *flags: str,
    workers: int | None = None,
    hooks: Mapping[str, str] | None = None,
) -> Iterator[Dispatchers]:
    """Run a server, and on a shared database workers; none outlives the block. `hooks`: see `tests.crash.child`."""
    dispatchers = Dispatchers(folder, database, *flags, workers=workers, hooks=hooks)
    try:
        yield dispatchers
    finally:
        dispatchers.kill_all()


def launch(
    folder: Path, log_name: str, *flags: str, hooks: Mapping[str, str] | None = None, wait: bool = True
) -> RunningServer:
    """Start `swiftclaw serve` and return when its banner is out, when it ended before that, or at once."""
    with (folder / log_name).open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "swiftclaw_local", "serve", *flags],
            cwd=folder,
            env=hooked(hooks or {}),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    banner: list[str] = []
    for line in process.stdout if wait else ():
        banner.append(line.rstrip("\n"))
        if line.startswith(_READY):
            break
    addresses = _ADDRESS.findall("\n".join(banner))
    return RunningServer(addresses[0] if addresses else "", folder, process, banner)


def hooked(hooks: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child in which these hooks of `tests.crash.child` are at work; none by default."""
    plain = environment()
    if not hooks:
        return plain
    named = {f"CRASH_{name.upper()}": value for name, value in hooks.items()}
    return plain | named | {"PYTHONPATH": os.pathsep.join((str(CHILD), plain["PYTHONPATH"]))}
