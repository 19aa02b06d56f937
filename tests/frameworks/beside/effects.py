"""Stands beside a receiver under test: what its work does, where the test can see it, and how it breaks."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["EFFECTS"])
TAKES_S = 0.05  # long enough for copies that arrive at once to meet


def act_now(event: dict[str, Any]) -> None:
    """Write down that the event was processed; raise while the receiver is broken."""
    time.sleep(TAKES_S)
    _write(event)


async def act(event: dict[str, Any]) -> None:
    """Do the same, and let others run meanwhile."""
    await asyncio.sleep(TAKES_S)
    _write(event)


def _write(event: dict[str, Any]) -> None:
    if (FOLDER / "broken").exists():
        raise RuntimeError("broken on purpose")
    with (FOLDER / "processed").open("a") as done:
        done.write(event["id"] + "\n")
