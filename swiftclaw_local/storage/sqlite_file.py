"""The SQLite file and what lies beside it: who owns it, whether it is ours, how it is opened, and its checkpoints.

It knows files, locks and PRAGMAs; tables and rows are others' business.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from swiftclaw_local.errors import DamagedDatabase, DatabaseInUse, ForeignDatabase, SetupError

Durability = Literal["full", "normal", "off"]

APPLICATION_ID: Final = 0x5357434C  # "SWCL"
# A file is checked page by page up to this size: some 0.4 s. A start must not take as long as reading gigabytes.
CHECKED_WHOLE_BYTES: Final = 128 * 1024 * 1024
CHECKPOINT_S: Final = 0.25
# A log of so many pages (64 MiB) is begun anew; see `Checkpoints`.
LONG_LOG_PAGES: Final = 16384
# So long that one waits for the commit under way, and for reads to end.
_PATIENCE_S: Final = 0.1
_HEADER: Final = b"SQLite format 3\x00"


class FileLock:
    """The right to use the database: an exclusive lock of the operating system, gone with the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises: DatabaseInUse, naming the process that has it; SetupError when the folder is not to be written in."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SetupError(
                f"{self._path} cannot be written: {error.strerror}.", hint="Choose another file: --db PATH"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise DatabaseInUse(
                f"Another SwiftClaw local (pid {owner}) uses {self._path.with_suffix('')}.",
                hint="Use that one, stop it, or choose another file: swiftclaw serve --db other.db --port 7421",
                extra={"pid": owner},
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Let others use the database."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def make_folder(folder: Path) -> None:
    """Make the data folder, 0700, with a `.gitignore` so that nobody commits it by accident. Raises: SetupError."""
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
            (folder / ".gitignore").write_text("*\n", encoding="ascii")
    except OSError as error:
        raise SetupError(
            f"The folder {folder} cannot be made: {error.strerror}.", hint="Choose another: --db PATH"
        ) from None


def check_ours(path: Path) -> bool:
    """Return whether there is a database of ours at `path`; False when there is none or an empty file.

    Opens nothing for writing. Raises: ForeignDatabase, SetupError when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SetupError(f"{path} cannot be opened: {error.strerror}.", hint="Choose another file: --db PATH") from None
    if not header:
        return False
    hint = f"Choose another file: --db PATH, or move {path} away."
    if not header.startswith(_HEADER):
        raise ForeignDatabase(f"{path} is not a SQLite database; it was not touched.", hint=hint)
    if int.from_bytes(header[68:72]) != APPLICATION_ID:
        raise ForeignDatabase(f"{path} is a database of another program; it was not touched.", hint=hint)
    return True


def connect_to_check(path: Path) -> sqlite3.Connection:
    """Open the file so that it cannot be changed; without a log file beside it, not even that is made."""
    log = path.with_name(f"{path.name}-wal")
    how = "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)


def check_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Check all of a file, or of a large one that it is not cut short. Raises: DamagedDatabase."""
    small = path.stat().st_size <= CHECKED_WHOLE_BYTES
    try:
        answer = connection.execute("PRAGMA quick_check(1)" if small else "SELECT 'ok' FROM sqlite_master").fetchone()[
            0
        ]
    except sqlite3.DatabaseError as error:
        answer = str(error)
    if answer != "ok":
        raise DamagedDatabase(
            f"{path} is damaged ({answer}); it was not touched.",
            hint=f"Keep a copy, then try: sqlite3 {path} .recover | sqlite3 repaired.db",
        )


def make_file(path: Path) -> None:
    """Make an empty file, mode 0600, in place of what may be there."""
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def sync_folder(folder: Path) -> None:
    """Have the names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def connect(path: Path, *, durability: Durability) -> sqlite3.Connection:
    """Open the file for the one writer: WAL, foreign keys, the asked durability, mode 0600, checkpoints left to `Checkpoints`.

    Raises: SetupError where the file system allows no WAL.
    """
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").chmod(0o600)
    connection = sqlite3.connect(
        path,
        isolation_level=None,
        timeout=0,
        cached_statements=256,
        check_same_thread=False,  # GroupCommit's thread commits
    )
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        connection.close()
        raise SetupError(
            f"The file system of {path} cannot hold a write-ahead log, as network file systems cannot.",
            hint="Choose a local file: --db PATH",
        )
    connection.execute(f"PRAGMA synchronous = {durability.upper()}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -16000")
    return connection


class Checkpoints:
    """A thread with a connection of its own that carries the log file over into the database, so that no commit waits for it.

    A passive checkpoint never catches up with a writer that never pauses, and the log would grow for ever. So when it is
    long, it is begun anew while the writer waits (`beginning_anew`): for what came since the passive one, some milliseconds.
    A second passive one before that takes what came during the first, so that hardly anything is left to wait for.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self._wanted = threading.Event()
        self.beginning_anew = False
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def written(self) -> None:
        """Something was committed."""
        if not self._wanted.is_set():  # setting takes a lock
            self._wanted.set()

    def stop(self) -> None:
        """End; the database's last connection writes the rest over as it closes."""
        self._stop.set()
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=_PATIENCE_S)
        while not self._stop.wait(CHECKPOINT_S):
            self._wanted.wait()
            self._wanted.clear()
            with suppress(sqlite3.OperationalError):  # locked, or the disk is full: the next one goes on
                _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if pages > LONG_LOG_PAGES:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    self.beginning_anew = True
                    connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
            self.beginning_anew = False
        connection.close()
