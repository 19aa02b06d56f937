"""Sends one request and says what came of it: the only HTTP client of the project.

One total budget covers name look-up, connecting, TLS, writing, the status line and the headers, in real time; the verdict
falls there. The body is captured afterwards and changes nothing. It decides nothing and remembers nothing of a delivery.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol, cast

import aiohttp
from yarl import URL

from swiftclaw_local.dispatcher.addresses import AddressPolicy
from swiftclaw_local.dispatcher.answer import AnswerReader
from swiftclaw_local.dispatcher.causes import cause_of
from swiftclaw_local.dispatcher.connections import Connector, FirstReply, FirstRequest, Opening, Phase, too_late
from swiftclaw_local.dispatcher.deadlines import Deadlines
from swiftclaw_local.dispatcher.manners import Manner
from swiftclaw_local.dispatcher.pool import Origin, Pool
from swiftclaw_local.dispatcher.request import Request
from swiftclaw_local.dispatcher.wire import Wire
from swiftclaw_local.errors import InvalidSetting
from swiftclaw_local.hot_value import hot_value
from swiftclaw_local.scheduler.clock import Stopwatch
from swiftclaw_local.scheduler.outcome import Answered, Cause, Outcome, Unanswered

# Decision D28: what is kept of a body.
CAPTURE_BYTES: Final = 65536
CAPTURE_S: Final = 1.0
# A time-out of aiohttp's own would count parts, not the whole.
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
_URLS_KEPT: Final = 4096


@hot_value
class Exchange:
    """What a receiver did, and after how many real milliseconds: until the end of the headers, or until it was given up."""

    outcome: Outcome
    duration_ms: int


class Poster(Protocol):
    """Whoever carries requests to receivers."""

    async def start(self) -> None:
        """Get ready to send."""

    async def close(self) -> None:
        """Let go of all connections."""

    async def post(self, request: Request) -> Exchange:
        """Send one request and return what came of it."""


class Sender:
    """Carries requests over HTTP.

    `timeout_s` is the total budget, of which at most `connect_timeout_s` goes to making a connection. `ca_file` is a PEM
    file of certificate authorities trusted besides the system's.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        timeout_s: float,
        connect_timeout_s: float,
        ca_file: Path | None = None,
        capture_bytes: int = CAPTURE_BYTES,
        capture_s: float = CAPTURE_S,
    ) -> None:
        self._policy = policy
        self._timeout_s = timeout_s
        self._deadlines = Deadlines(timeout_s)
        self._connect_timeout_s = connect_timeout_s
        self._ca_file = ca_file
        self._capture_bytes = capture_bytes
        self._capture_s = capture_s
        self._pool = Pool()
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Get ready to send. Raises: InvalidSetting when the certificate authorities cannot be read."""
        tls = True if self._ca_file is None else tls_context(self._ca_file)
        self._session = aiohttp.ClientSession(
            connector=Connector(self._policy, connect_timeout_s=self._connect_timeout_s, tls=tls),
            request_class=FirstRequest,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_NO_TIMEOUT,
            trust_env=False,
        )

    async def close(self) -> None:
        """Let go of all connections."""
        self._deadlines.close()
        self._pool.close()
        if self._session is not None:
            await self._session.close()

    async def post(self, request: Request) -> Exchange:
        """Send one request and return what came of it. A defect of ours is raised, nothing that a receiver does is."""
        stopwatch, target = Stopwatch(), target_of(request.url)
        data = b"".join((target.request_line, request.head, b"\r\n", request.body))
        kept = None if request.manner is not None else self._pool.take(target.origin)
        wire = await (self._ask_first(data, target, request.manner) if kept is None else self._ask(kept, data, target))
        duration_ms = stopwatch.elapsed_ms()
        if isinstance(wire, Unanswered):
            return Exchange(wire, duration_ms)
        answer = wire.answer
        assert answer is not None
        in_time = answer.ended or await self._capture(wire)
        if request.manner is None:
            self._pool.put(target.origin, wire)
        else:
            wire.abort()  # the answer may have come before the whole request went
        return Exchange(answered(answer, in_time=in_time), duration_ms)

    async def _ask(self, wire: Wire, data: bytes, target: Target) -> Wire | Unanswered:
        """Send over a kept connection; return it when the headers of an answer are complete."""
        head = wire.ask(data, most_bytes=self._capture_bytes)
        self._deadlines.watch(head)
        try:
            await head
        except Exception as error:
            wire.abort()
            unanswered = self._unanswered(error, Phase.ANSWER, target)
            if unanswered.cause in (Cause.RESET, Cause.CLOSED_EARLY) and not wire.heard:
                self._pool.distrust(target.origin)
                return Unanswered(Cause.STALE_CONNECTION, "A kept connection had ended; sent again on a fresh one.")
            return unanswered
        except asyncio.CancelledError:
            wire.abort()
            raise
        finally:
            self._deadlines.forget(head)
        return wire

    async def _ask_first(self, data: bytes, target: Target, manner: Manner | None) -> Wire | Unanswered:
        """Make a connection and send over it; return it when the headers of an answer are complete."""
        assert self._session is not None, "start() comes first"
        opening = Opening(data, target.host, self._capture_bytes, manner)
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await self._session.post(target.url, data=opening, allow_redirects=False)
        except Exception as error:
            return self._unanswered(error, opening.phase, target)
        return cast(FirstReply, reply).wire

    async def _capture(self, wire: Wire) -> bool:
        """Read on until enough of the body is there; return whether that, or its end, came in time."""
        try:
            async with asyncio.timeout(self._capture_s):
                await wire.rest()
        except TimeoutError:
            return False
        except asyncio.CancelledError:
            wire.abort()
            raise
        return True

    def _unanswered(self, error: Exception, phase: Phase, target: Target) -> Unanswered:
        """Return why there is no answer. Raises: the error itself when it is none that a receiver can cause."""
        if isinstance(error, TimeoutError):
            error = too_late(phase, self._timeout_s)
        cause, detail = cause_of(error)
        if cause is Cause.INTERNAL:
            raise error
        if cause is Cause.DNS and not self._policy.may_send_to_name(target.host):
            # Whatever it resolves to another time, a public host is not sent to: so it is final, with or without a network.
            refusal = self._policy.refusal(Cause.BLOCKED_HOST, host=target.host, address=target.host)
            return Unanswered(Cause.BLOCKED_HOST, refusal)
        return Unanswered(cause, detail)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: as the client takes it, its host as written, whom its connections serve, and the request line."""

    url: URL
    host: str
    origin: Origin
    request_line: bytes


@lru_cache(maxsize=_URLS_KEPT)
def target_of(url: str) -> Target:
    """Return what a URL of `check_url` says; its path and query are sent as they are written."""
    parsed = URL(url, encoded=True)
    host = parsed.raw_host or ""
    line = f"POST {parsed.raw_path_qs} HTTP/1.1\r\n".encode()
    return Target(parsed, host, (parsed.scheme, host, parsed.port or 0), line)


def answered(answer: AnswerReader, *, in_time: bool) -> Answered:
    """Return what was read of an answer whose headers are complete; `in_time` is False when its body was waited for in vain."""
    truncated, size = None, answer.size
    if answer.overflowing:
        truncated = "size"
    elif not answer.complete:
        truncated = "early_close" if in_time else "time"
        size = None if in_time else size
    assert answer.status is not None
    return Answered(answer.status, answer.head, answer.body, size, truncated)


def tls_context(ca_file: Path) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities and those in `ca_file`. Raises: InvalidSetting."""
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise InvalidSetting(
            f'ca_file "{ca_file}" cannot be used: {error}.',
            hint="Give a PEM file that begins with -----BEGIN CERTIFICATE-----",
            field="ca_file",
        ) from error
    context.set_alpn_protocols(("http/1.1",))
    return context
