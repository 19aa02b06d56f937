"""The results of a group that was written, told to whoever waits for each: the same on every database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from swiftclaw_local.errors import SwiftclawError

Results = list[tuple[asyncio.Future[Any], Any]]
"""Each future with its result; an error of ours in its place means that nothing was written for this one."""


def tell(results: Iterable[tuple[asyncio.Future[Any], Any]]) -> None:
    """Have each future done, but for those whose callers were cancelled."""
    for future, result in results:
        if future.done():
            continue
        if isinstance(result, SwiftclawError):
            future.set_exception(result)
        else:
            future.set_result(result)
