"""Writes a file that others may not read, whole or not at all. It knows nothing of what is in it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from swiftclaw_local.errors import FileExists, InvalidInput

# What mkstemp gives: for the owner alone.
MODE: Final = 0o600


def check_free(path: Path, *, overwrite: bool) -> None:
    """Check that a file can be written here. Raises: FileExists; InvalidInput when its folder is not there."""
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder.", hint=f"Name a file: {path / 'traffic.ndjson'}")
    if not path.parent.is_dir():
        raise InvalidInput(f"{path} cannot be written: there is no folder {path.parent}.", hint="Make it first.")
    if path.exists() and not overwrite:
        raise FileExists(f"{path} exists already.", hint="Name another file, or write over it: --overwrite")


def keep(path: Path, pieces: Iterable[bytes], *, overwrite: bool) -> int:
    """Write pieces into a file, readable by its owner alone, and return how many lines they are.

    What goes wrong on the way leaves the file as it was. Raises: FileExists, InvalidInput; and what `pieces` raises.
    """
    check_free(path, overwrite=overwrite)
    count = 0
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}.") from None
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                count += piece.count(b"\n")
                file.write(piece)
        Path(name).replace(path)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()
    return count
