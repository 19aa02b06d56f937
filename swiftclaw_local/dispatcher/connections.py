"""Makes connections: every address is judged before it is connected to, and only so much time is given to it.

aiohttp's session and connector do the work: names, happy eyeballs, TLS. What is theirs ends where the first request is
written: from there on the connection is a `Wire`, and once its answer is read the `Pool` keeps it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, cast

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from swiftclaw_local.dispatcher.addresses import AddressPolicy
from swiftclaw_local.dispatcher.causes import NotAnswered
from swiftclaw_local.dispatcher.manners import Manner, carry
from swiftclaw_local.dispatcher.resolver import Resolver
from swiftclaw_local.dispatcher.wire import ReadBuffer, Wire
from swiftclaw_local.scheduler.outcome import Cause

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.tracing import Trace


class Phase(StrEnum):
    """How far an attempt has come."""

    LOOK_UP = "look_up"
    CONNECT = "connect"
    TLS = "tls"
    ANSWER = "answer"


@dataclass(slots=True)
class Opening:
    """A connection being made for a first request: its bytes, how far it has come, and why an address was not connected to.

    `host` is as in the URL; `tried` tells whether any address was connected to, `tls` whether a handshake follows.
    """

    request: bytes
    host: str
    most_bytes: int
    manner: Manner | None = None
    phase: Phase = Phase.ANSWER
    tried: bool = False
    tls: bool = False
    refused: tuple[Cause, str] | None = None


# The attempt a connection is being made for: aiohttp hands it to none of the places where it is needed.
_opening: ContextVar[Opening] = ContextVar("opening")

_NO_HEADERS: Final[CIMultiDict[str]] = CIMultiDict()
_NO_HEADERS_PROXY: Final = CIMultiDictProxy(_NO_HEADERS)


class AddressRefused(OSError):
    """An address that must not be connected to; as an OSError it lets aiohttp try the host's other addresses."""


class Connector(aiohttp.TCPConnector):
    """aiohttp's connector with the address guard and a budget for connecting. It keeps no connection."""

    def __init__(self, policy: AddressPolicy, *, connect_timeout_s: float, tls: ssl.SSLContext | bool) -> None:
        super().__init__(
            limit=0, use_dns_cache=False, resolver=Resolver(), socket_factory=self._guarded_socket, ssl=tls
        )
        self._policy = policy
        self._connect_timeout_s = connect_timeout_s
        self._buffer = ReadBuffer()
        self._factory = cast(Any, self._new_wire)

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own signature
    ) -> Connection:
        """Make a connection. aiohttp's own would look for a kept one first, and keep account of this one."""
        wire = await self._create_connection(req, traces, timeout)
        return cast(Connection, _Connected(cast(Wire, wire)))

    async def _create_connection(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own signature
    ) -> ResponseHandler:
        assert isinstance(req, FirstRequest)
        opening = req.opening
        opening.phase = Phase.LOOK_UP
        opening.tls = req.is_ssl()
        token = _opening.set(opening)
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                wire = await super()._create_connection(req, traces, timeout)
        except TimeoutError as error:
            raise too_late(opening.phase, self._connect_timeout_s) from error
        except aiohttp.ClientConnectorError as error:
            if opening.refused is not None and not opening.tried:
                raise NotAnswered(*opening.refused) from error
            if opening.phase is Phase.TLS and isinstance(error.os_error, ConnectionError):
                raise NotAnswered(Cause.TLS_FAILED, "The connection was closed in the TLS handshake.") from error
            raise
        finally:
            _opening.reset(token)
        opening.phase = Phase.ANSWER
        return wire

    async def _resolve_host(self, host: str, port: int, traces: Any = None) -> list[ResolveResult]:
        found = await super()._resolve_host(host, port, traces)
        _opening.get().phase = Phase.CONNECT
        return found

    def _guarded_socket(self, info: Any) -> socket.socket:
        """Return a socket for one address. Raises: AddressRefused when the policy forbids the address."""
        family, kind, protocol, _, (address, port, *_) = info
        opening = _opening.get()
        cause = self._policy.judge(opening.host, address, port)
        if cause is not None:
            opening.refused = (cause, self._policy.refusal(cause, host=opening.host, address=address))
            raise AddressRefused(opening.refused[1])
        opening.tried = True
        return socket.socket(family=family, type=kind, proto=protocol)

    def _new_wire(self) -> Wire:
        # Called once the socket is connected; what may follow before the connection is ready is the TLS handshake.
        opening = _opening.get()
        if opening.tls:
            opening.phase = Phase.TLS
        return Wire(self._buffer)


class _Connected:
    """Stands for aiohttp's Connection: what its session asks of one between connecting and the answer."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    @property
    def protocol(self) -> _Connected:
        """What is told how to parse the answer."""
        return self

    def set_response_params(self, **_unused: Any) -> None:
        """Nothing to prepare: the wire reads answers in its own way."""

    def close(self) -> None:
        """The first request failed, or was given up."""
        self.wire.abort()


class FirstReply:
    """Stands for aiohttp's ClientResponse: the answer to the first request over a connection, read by its `wire`."""

    status = 0  # aiohttp looks for redirects to follow
    connection = None
    _raw_cookie_headers = ()

    def __init__(self, wire: Wire, opening: Opening) -> None:
        self.wire = wire
        self._opening = opening

    async def start(self, connection: object) -> None:
        """Send, and wait for the headers of the answer."""
        opening = self._opening
        if opening.manner is None:
            await self.wire.ask(opening.request, most_bytes=opening.most_bytes)
        else:
            await carry(self.wire, opening.request, manner=opening.manner, most_bytes=opening.most_bytes)

    def close(self) -> None:
        """The wire is closed with its connection."""


class FirstRequest(aiohttp.ClientRequest):
    """The first request over a connection, whose bytes are sent as they are: aiohttp neither adds nor reorders a header.

    aiohttp makes it out of what `ClientSession.post` is given: `data` is the `Opening`.
    """

    def __init__(self, method: str, url: URL, *, data: Opening, ssl: Any, **_unused: Any) -> None:
        # Without aiohttp's own constructor, which makes headers that are not sent. These are the attributes that its
        # session and connector read; those they find on the class are left alone.
        self.opening = data
        self.method = method
        self.url = self.original_url = url
        self.headers = _NO_HEADERS
        self.proxy = self.proxy_auth = self.proxy_headers = None
        self.server_hostname = None
        self._ssl = ssl

    @property
    def request_info(self) -> aiohttp.RequestInfo:
        """What aiohttp's errors carry along."""
        return aiohttp.RequestInfo(self.url, self.method, _NO_HEADERS_PROXY, self.url)

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Return what aiohttp then starts."""
        wire = cast(_Connected, conn).wire
        return cast(aiohttp.ClientResponse, FirstReply(wire, self.opening))


def too_late(phase: Phase, seconds: float) -> NotAnswered:
    """Return what to tell of an attempt whose time ended in a phase, after so many seconds."""
    match phase:
        case Phase.LOOK_UP:
            return NotAnswered(Cause.DNS, f"The host did not resolve within {seconds:g} s.")
        case Phase.CONNECT:
            return NotAnswered(Cause.CONNECT_TIMEOUT, f"No connection was made within {seconds:g} s.")
        case Phase.TLS:
            return NotAnswered(Cause.TLS_TIMEOUT, f"The TLS handshake did not end within {seconds:g} s.")
        case Phase.ANSWER:
            return NotAnswered(Cause.TIMEOUT, f"No complete status line and headers came within {seconds:g} s.")
