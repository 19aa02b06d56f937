"""Looks at what a receiver did: a number that grows with each event it processed, from a URL or a command of the user's.

It waits until the number stands still, because a receiver may answer first and work afterwards. It judges nothing.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import ssl
from collections.abc import Awaitable
from contextlib import suppress
from typing import Final, Protocol
from urllib.parse import urlsplit

from swiftclaw_local.dispatcher.addresses import AddressPolicy
from swiftclaw_local.dispatcher.url import check_url
from swiftclaw_local.errors import InvalidInput
from swiftclaw_local.scheduler.clock import monotonic

# A number that was the same for so long (seconds) stands still; so long a receiver may take to begin.
QUIET_S: Final = 0.06
PATIENCE_S: Final = 2.0
_PAUSE_S: Final = 0.02
_COMMAND_S: Final = 30.0
_GET_S: Final = 5.0
_MOST: Final = 1 << 20
_SHOWN: Final = 80


class Effects(Protocol):
    """Whoever can tell how much was done so far."""

    def __call__(self) -> Awaitable[int]:
        """Return the number. Raises: InvalidInput when it cannot be had."""


class Asked:
    """Effects, and how often they were asked for."""

    def __init__(self, effects: Effects) -> None:
        self.times = 0
        self._effects = effects

    async def __call__(self) -> int:
        """Return the number. Raises: InvalidInput when it cannot be had."""
        self.times += 1
        return await self._effects()


async def steady(effects: Effects) -> int:
    """Return the number once it stands still, or after two seconds. Raises: InvalidInput."""
    count = await effects()
    began = since = monotonic()
    while monotonic() < min(since + QUIET_S, began + PATIENCE_S):
        await asyncio.sleep(_PAUSE_S)
        now = await effects()
        if now != count:
            count, since = now, monotonic()
    return count


async def grown(effects: Effects, *, before: int) -> int:
    """Return by how much the number grew, once it stands still; 0 when it did not within two seconds. Raises: InvalidInput."""
    began = monotonic()
    while await effects() == before and monotonic() < began + PATIENCE_S:  # noqa: ASYNC110 - nobody tells us when it grows
        await asyncio.sleep(_PAUSE_S)
    return await steady(effects) - before


def from_url(url: str, policy: AddressPolicy) -> Effects:
    """Return the number at a URL, which is asked only where `policy` lets us send. Raises: InvalidUrl."""
    checked = check_url(url, field="effects_url")

    async def effects() -> int:
        return number_in(await asyncio.to_thread(_get, checked, policy), source="effects_url")

    return effects


def from_command(command: str) -> Effects:
    """Return the number that a shell command prints."""

    async def effects() -> int:
        return number_in(await run(command, field="--effects-cmd"), source="--effects-cmd")

    return effects


async def run(command: str, *, field: str) -> str:
    """Run a shell command and return what it prints. Raises: InvalidInput when it fails or takes longer than 30 s."""
    process = await asyncio.create_subprocess_shell(
        command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_COMMAND_S):
            out, err = await process.communicate()
    except TimeoutError:
        raise InvalidInput(f"{field} did not end within {_COMMAND_S:g}s.", hint=command, field=field) from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    if process.returncode:
        told = err.decode(errors="replace").strip()[:_SHOWN]
        raise InvalidInput(f"{field} ended with exit code {process.returncode}: {told}", hint=command, field=field)
    return out.decode(errors="replace")


def number_in(text: str, *, source: str) -> int:
    """Return the number in a text: a whole number, the `count` of a JSON object, or the length of a JSON list.

    Raises: InvalidInput when it is none of these.
    """
    with suppress(ValueError, RecursionError):
        match json.loads(text):
            case bool():
                pass
            case int(number):
                return number
            case list(items):
                return len(items)
            case {"count": int(number)} if not isinstance(number, bool):
                return number
    raise InvalidInput(
        f'{source} gave "{text.strip()[:_SHOWN]}", which is no number.',
        hint='Give how many events were processed so far, as 3, {"count": 3}, or a JSON list of them.',
        field=source,
    )


def _get(url: str, policy: AddressPolicy) -> str:
    """Return what is at a URL. Raises: InvalidInput."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    connection = http.client.HTTPConnection(host, port, timeout=_GET_S)
    try:
        connection.sock = _connected(host, port, policy, tls=parts.scheme == "https")
        connection.request("GET", f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}")
        answer = connection.getresponse()
        text = answer.read(_MOST).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise InvalidInput(f"effects_url {url} cannot be read: {error}.", field="effects_url") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise InvalidInput(f"effects_url {url} answered {answer.status}.", field="effects_url")
    return text


def _connected(host: str, port: int, policy: AddressPolicy, *, tls: bool) -> socket.socket:
    """Return a socket to the first address that may be sent to and answers. Raises: OSError, InvalidInput."""
    failed: OSError | InvalidInput | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        cause = policy.judge(host, str(address[0]), port)
        if cause is not None:
            failed = InvalidInput(policy.refusal(cause, host=host, address=str(address[0])), field="effects_url")
            continue
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(_GET_S)
        try:
            connection.connect(address)
        except OSError as error:
            connection.close()
            failed = error
            continue
        return ssl.create_default_context().wrap_socket(connection, server_hostname=host) if tls else connection
    raise failed or OSError("it has no address")
