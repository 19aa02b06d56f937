"""Looks host names up, anew for each connection, in threads of its own.

One thread per name that is looked up at this moment: a name whose server hangs holds up no other name, as it would in a
shared pool of threads, and no thread holds up the end of the process. It keeps nothing and judges no address.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]
Name = tuple[str, int, int]


class Resolver(AbstractResolver):
    """The system's resolver (getaddrinfo), asked once for all who ask for the same name at the same time."""

    def __init__(self) -> None:
        self._asked: dict[Name, asyncio.Future[list[AddressInfo]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host in the system's order. Raises: OSError when it has none."""
        name = (host, port, int(family))
        answer = self._asked.get(name) or self._ask(name)
        # Shielded: others may wait for the same answer, and a thread cannot be called back anyway.
        return [_result(host, info) for info in await asyncio.shield(answer)]

    async def close(self) -> None:
        """Wait for nothing more; answers that still come are thrown away."""
        for answer in self._asked.values():
            answer.cancel()
        self._asked.clear()

    def _ask(self, name: Name) -> asyncio.Future[list[AddressInfo]]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[AddressInfo]] = loop.create_future()
        answer.add_done_callback(lambda done: self._answered(name, done))
        self._asked[name] = answer
        threading.Thread(target=_look_up, args=(name, answer, loop), name="resolver", daemon=True).start()
        return answer

    def _answered(self, name: Name, answer: asyncio.Future[list[AddressInfo]]) -> None:
        if self._asked.get(name) is answer:
            del self._asked[name]
        if not answer.cancelled():
            answer.exception()  # all who waited may have gone: then nobody else takes note of it


def _look_up(name: Name, answer: asyncio.Future[list[AddressInfo]], loop: asyncio.AbstractEventLoop) -> None:
    host, port, family = name
    infos: list[AddressInfo] = []
    error: OSError | UnicodeError | None = None
    try:
        # Without AI_ADDRCONFIG, which leaves ::1 out where nothing but loopback speaks IPv6: many a development
        # server listens on ::1 alone.
        infos = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as failed:
        error = failed
    try:
        loop.call_soon_threadsafe(_settle, answer, infos, error)
    except RuntimeError:  # the loop was closed meanwhile
        return


def _settle(
    answer: asyncio.Future[list[AddressInfo]], infos: list[AddressInfo], error: OSError | UnicodeError | None
) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(infos)
    else:
        answer.set_exception(error if isinstance(error, OSError) else OSError(str(error)))


def _result(host: str, info: AddressInfo) -> ResolveResult:
    family, _, proto, _, address = info
    return ResolveResult(
        hostname=host,
        host=socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0],
        port=address[1],
        family=family,
        proto=proto,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
