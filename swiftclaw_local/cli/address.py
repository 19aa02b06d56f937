"""Which server a command speaks to: the one named, the one of this project, or the one at the usual port.

It reads a small file and asks whether a process lives; it opens no connection.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from swiftclaw_local.errors import InvalidUrl

URL_VARIABLE: Final = "SWIFTCLAW_API_URL"
DEFAULT_URL: Final = "http://127.0.0.1:7420"
_SERVER_FILE: Final = Path(".swiftclaw") / "server.json"


class Address(NamedTuple):
    """A server's URL, and in words where the URL comes from; None: nobody named one, it is the usual one."""

    url: str
    source: str | None = None
    pid: int | None = None


def find_server(named: str | None, environment: Mapping[str, str], *, folder: Path | None = None) -> Address:
    """Return the address: `--api-url` > SWIFTCLAW_API_URL > .swiftclaw/server.json upwards of `folder` > the usual port.

    A file left behind by a process that is gone is passed over. Raises: InvalidUrl.
    """
    if named:
        return Address(_checked(named, "--api-url"), "--api-url")
    if environment.get(URL_VARIABLE):
        return Address(_checked(environment[URL_VARIABLE], URL_VARIABLE), URL_VARIABLE)
    return next(_running(folder), Address(DEFAULT_URL))


def _running(folder: Path | None) -> Iterator[Address]:
    """Yield the servers whose file lies in this folder or above it, the nearest first."""
    try:
        start = folder or Path.cwd()
    except FileNotFoundError:  # the working directory was removed
        return
    for place in (start, *start.parents):
        with suppress(OSError, ValueError, KeyError, TypeError):
            entries: dict[str, Any] = json.loads((place / _SERVER_FILE).read_text(encoding="utf-8"))
            if _lives(int(entries["pid"])):
                yield Address(str(entries["url"]), str(place / _SERVER_FILE), int(entries["pid"]))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _checked(url: str, source: str) -> str:
    """Return the URL without a trailing slash. Raises: InvalidUrl."""
    written = url.strip()
    if "://" not in written:
        raise InvalidUrl(f'{source} "{url}" has no scheme. Did you mean http://{written} ?', field=source)
    try:
        parts = urlsplit(written)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidUrl(f'{source} "{url}" is not the address of a server.', hint=f"Write it as {DEFAULT_URL}")
    return written.rstrip("/")
