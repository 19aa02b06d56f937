"""The machine under the bench: its name, and which core each side runs on."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of the receiver and of whoever loads the API; None: no choice on this system.

    What is measured may use every core, as it may in its user's hands: an engine has threads beside its loop.
    """

    receiver: int | None

    @property
    def text(self) -> str:
        """How they are shared, in words."""
        return "not pinned" if self.receiver is None else f"receiver on core {self.receiver}, what is measured on any"


def cores() -> Cores:
    """Return the last core that this process may use as the receiver's."""
    return Cores(max(os.sched_getaffinity(0)) if sys.platform == "linux" else None)


def pin(process_id: int, core: int | None) -> None:
    """Keep a process, and all it will start, on one core."""
    if sys.platform == "linux" and core is not None:
        os.sched_setaffinity(process_id, {core})


def machine() -> dict[str, str]:
    """Return the machine's name and the versions that matter, by what they are."""
    return {
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "aiohttp": version("aiohttp"),
        "uvloop": version("uvloop"),
        "sqlite": sqlite3.sqlite_version,
        "load": f"{os.getloadavg()[0]:.1f} as the bench began: what else runs here is in every figure",
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
