"""Makes and keeps connections: every address is judged before it is connected to, and only a clean connection is reused.

It sends nothing over them and does not know what for.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, cast

import aiohttp
from aiohttp.client_reqrep import ClientRequest, ConnectionKey
from aiohttp.connector import Connection

from swiftclaw_local.dispatcher.addresses import AddressPolicy
from swiftclaw_local.dispatcher.causes import NotAnswered
from swiftclaw_local.dispatcher.resolver import Resolver
from swiftclaw_local.dispatcher.wire import Phase, Sending, Wire, WireRequest
from swiftclaw_local.scheduler.clock import monotonic
from swiftclaw_local.scheduler.outcome import Cause

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.tracing import Trace

# How long a receiver that let a kept connection die is given a fresh one for each request (seconds).
DISTRUST_S: Final = 30.0

# The attempt a connection is being made for: aiohttp hands it to none of the places where it is needed.
_sending: ContextVar[Sending] = ContextVar("sending")


class AddressRefused(OSError):
    """An address that must not be connected to; as an OSError it lets aiohttp try the host's other addresses."""


class Connector(aiohttp.TCPConnector):
    """aiohttp's connector with the address guard, a budget for connecting, and strict rules for reuse."""

    def __init__(self, policy: AddressPolicy, *, connect_timeout_s: float, tls: ssl.SSLContext | bool) -> None:
        super().__init__(
            limit=0, use_dns_cache=False, resolver=Resolver(), socket_factory=self._guarded_socket, ssl=tls
        )
        self._policy = policy
        self._connect_timeout_s = connect_timeout_s
        self._distrusted: dict[ConnectionKey, float] = {}
        self._factory = cast(Any, self._new_wire)

    def distrust(self, wire: Wire) -> None:
        """Drop the idle connections to where `wire` went, and keep none for a while."""
        now = monotonic()
        self._distrusted = {origin: until for origin, until in self._distrusted.items() if until > now}
        if wire.origin is not None:
            self._distrusted[wire.origin] = now + DISTRUST_S
            for idle, _ in self._conns.pop(wire.origin, ()):
                idle.close()

    # --- making a connection ------------------------------------------------------------------------------------

    async def _create_connection(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own signature
    ) -> ResponseHandler:
        assert isinstance(req, WireRequest)
        sending = req.sending
        token = _sending.set(sending)
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                wire = await super()._create_connection(req, traces, timeout)
        except TimeoutError as error:
            raise too_late(sending.phase, self._connect_timeout_s) from error
        except aiohttp.ClientConnectorError as error:
            if sending.refused is not None and not sending.tried:
                raise NotAnswered(*sending.refused) from error
            if sending.phase is Phase.TLS and isinstance(error.os_error, ConnectionError):
                raise NotAnswered(Cause.TLS_FAILED, "The connection was closed in the TLS handshake.") from error
            raise
        finally:
            _sending.reset(token)
        sending.phase = Phase.ANSWER
        return wire

    async def _resolve_host(self, host: str, port: int, traces: Any = None) -> list[ResolveResult]:
        sending = _sending.get()
        sending.phase = Phase.LOOK_UP
        found = await super()._resolve_host(host, port, traces)
        sending.phase = Phase.CONNECT
        return found

    def _guarded_socket(self, info: Any) -> socket.socket:
        """Return a socket for one address. Raises: AddressRefused when the policy forbids the address."""
        family, kind, protocol, _, (address, port, *_) = info
        sending = _sending.get()
        cause = self._policy.judge(sending.host, address, port)
        if cause is not None:
            sending.refused = (cause, self._policy.refusal(cause, host=sending.host, address=address))
            raise AddressRefused(sending.refused[1])
        sending.tried = True
        return socket.socket(family=family, type=kind, proto=protocol)

    def _new_wire(self) -> Wire:
        # Called once the socket is connected; what may follow before the connection is ready is the TLS handshake.
        _sending.get().phase = Phase.TLS
        return Wire(self._loop)

    # --- keeping connections ------------------------------------------------------------------------------------

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        while (connection := await super()._get(key, traces)) is not None:
            wire = connection.protocol
            if isinstance(wire, Wire) and wire.take():
                return connection
            connection.close()
        return None

    def _release(self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        assert isinstance(protocol, Wire)
        protocol.rest(key)
        unfit = should_close or protocol.has_unsent() or self._is_distrusted(key)
        super()._release(key, protocol, should_close=unfit)

    def _is_distrusted(self, key: ConnectionKey) -> bool:
        return bool(self._distrusted) and self._distrusted.get(key, 0.0) > monotonic()


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
