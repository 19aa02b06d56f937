"""The private folders of servers that keep nothing: in memory where that can be, and swept up when their server was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder in memory; mkdtemp makes a private one in it
_PREFIX: Final = "swiftclaw-"


def new_private_folder() -> Path:
    """Return a new folder that only this user can enter, and remove those whose servers were killed: nobody else would."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_MEMORY if _MEMORY.is_dir() else None))
    for other in folder.parent.glob(f"{_PREFIX}*"):
        if _is_left(other):
            remove(other)
    return folder


def remove(folder: Path | None) -> None:
    """Remove a private folder, if there is one."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    """Return whether a folder is this user's, and a server had its database's lock and has it no more."""
    try:
        if folder.lstat().st_uid != os.geteuid():
            return False
        return any(_is_let_go(lock) for lock in folder.glob("*.lock"))
    except OSError:  # just removed
        return False


def _is_let_go(lock: Path) -> bool:
    """Return whether a lock has a name in it, which its holder writes once it has it, and can be taken."""
    descriptor = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return bool(os.read(descriptor, 1))
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
