"""What this machine tells about itself, for hints and errors: whether we run in a container, and who listens on a port.

Reads files under /proc and two well-known marks; where they are missing it says that it does not know. Opens no socket.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

_TCP: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_CONTAINER_MARKS: Final = (Path("/.dockerenv"), Path("/run/.containerenv"))
_LISTEN: Final = "0A"
# Where web frameworks listen when nobody says otherwise.
USUAL_PORTS: Final = (3000, 3001, 4000, 4200, 5000, 5173, 8000, 8001, 8080, 8081, 8787, 8888, 9000)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`open_ports`: those of the usual ones that somebody listens on."""

    in_container: bool
    open_ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Process:
    """A running program."""

    pid: int
    name: str


def surroundings() -> Surroundings:
    """Return what can be seen now."""
    listening = {port for port, _ in _listening()}
    return Surroundings(
        in_container=any(mark.exists() for mark in _CONTAINER_MARKS),
        open_ports=tuple(port for port in USUAL_PORTS if port in listening),
    )


def listener(port: int) -> Process | None:
    """Return the process that listens on a TCP port, if it can be seen."""
    inodes = {f"socket:[{inode}]" for open_port, inode in _listening() if open_port == port}
    for folder in Path("/proc").glob("[0-9]*") if inodes else ():
        with suppress(OSError):  # not ours to look at, or gone meanwhile
            if any(os.readlink(link) in inodes for link in (folder / "fd").iterdir()):
                return Process(
                    int(folder.name), (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
                )
    return None


def _listening() -> Iterator[tuple[int, str]]:
    """Yield (port, inode) of every listening socket."""
    for line in chain.from_iterable(map(_lines, _TCP)):
        fields = line.split()
        if fields[3] == _LISTEN:
            yield int(fields[1].rpartition(":")[2], 16), fields[9]


def _lines(table: Path) -> list[str]:
    """Return the lines of a table below its title; none where there is no such table."""
    try:
        return table.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return []
