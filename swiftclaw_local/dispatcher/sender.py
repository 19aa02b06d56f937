"""Sends one request and says what came of it: the only HTTP client of the project.

One total budget covers name look-up, connecting, TLS, writing, the status line and the headers, in real time; the verdict
falls there. The body is captured afterwards and changes nothing. It decides nothing and remembers nothing of a delivery.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

import aiohttp
from yarl import URL

from swiftclaw_local.dispatcher.addresses import AddressPolicy
from swiftclaw_local.dispatcher.capture import capture, head_of
from swiftclaw_local.dispatcher.causes import cause_of
from swiftclaw_local.dispatcher.connections import Connector, too_late
from swiftclaw_local.dispatcher.deadlines import Deadlines
from swiftclaw_local.dispatcher.request import Request
from swiftclaw_local.dispatcher.wire import Sending, WireRequest
from swiftclaw_local.errors import InvalidSetting
from swiftclaw_local.scheduler.clock import Stopwatch
from swiftclaw_local.scheduler.outcome import Answered, Cause, Outcome, Unanswered

# Decision D28: what is kept of a body.
CAPTURE_BYTES: Final = 65536
CAPTURE_S: Final = 1.0
# What is taken of a head; beyond that an answer is malformed. Real ones stay below a tenth of both. A header folded over
# lines costs the square of its length.
LONGEST_LINE: Final = 16384
MOST_HEADERS: Final = 1024
# How much of a body is taken ahead of the capture; with it falls how long a body of tiny chunks keeps the event loop.
READ_AHEAD: Final = 16384
LOWEST_STATUS: Final = 100
# A time-out of aiohttp's own would count parts, not the whole.
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
_URLS_KEPT: Final = 4096


@dataclass(frozen=True, slots=True)
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
        self._connector: Connector | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Get ready to send. Raises: InvalidSetting when the certificate authorities cannot be read."""
        tls = True if self._ca_file is None else tls_context(self._ca_file)
        self._connector = Connector(self._policy, connect_timeout_s=self._connect_timeout_s, tls=tls)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            request_class=WireRequest,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_NO_TIMEOUT,
            auto_decompress=False,
            trust_env=False,
            read_bufsize=READ_AHEAD,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
            max_headers=MOST_HEADERS,
        )

    async def close(self) -> None:
        """Let go of all connections."""
        self._deadlines.close()
        if self._session is not None:
            await self._session.close()

    async def post(self, request: Request) -> Exchange:
        """Send one request and return what came of it. A defect of ours is raised, nothing that a receiver does is."""
        assert self._session is not None, "start() comes first"
        stopwatch = Stopwatch()
        url = parsed(request.url)
        sending = Sending(request, url.raw_host or "")
        try:
            with self._deadlines.one():
                response = await self._session.post(url, data=sending, allow_redirects=False)
        except Exception as error:
            duration_ms = stopwatch.elapsed_ms()
            return Exchange(self._unanswered(error, sending), duration_ms)
        duration_ms = stopwatch.elapsed_ms()
        return Exchange(await self._answered(response), duration_ms)

    async def _answered(self, response: aiohttp.ClientResponse) -> Outcome:
        status, head = response.status, head_of(response)
        if status < LOWEST_STATUS:
            response.close()
            return Unanswered(Cause.MALFORMED, f"Not an HTTP/1.x answer: its status is {status:03}")
        captured = await capture(response, most_bytes=self._capture_bytes, most_s=self._capture_s)
        return Answered(status, head, captured.body, captured.size, captured.truncated)

    def _unanswered(self, error: Exception, sending: Sending) -> Unanswered:
        """Return why there is no answer. Raises: the error itself when it is none that a receiver can cause."""
        if isinstance(error, TimeoutError):
            error = too_late(sending.phase, self._timeout_s)
        cause, detail = cause_of(error)
        if cause is Cause.INTERNAL:
            raise error
        if cause is Cause.DNS and not self._policy.may_send_to_name(sending.host):
            # Whatever it resolves to another time, a public host is not sent to: so it is final, with or without a network.
            host = sending.host
            return Unanswered(Cause.BLOCKED_HOST, self._policy.refusal(Cause.BLOCKED_HOST, host=host, address=host))
        wire = sending.wire
        died = cause in (Cause.RESET, Cause.CLOSED_EARLY)
        if died and wire is not None and wire.reused and not wire.heard:
            assert self._connector is not None
            self._connector.distrust(wire)
            return Unanswered(Cause.STALE_CONNECTION, "A kept connection had ended; sent again on a fresh one.")
        return Unanswered(cause, detail)


@lru_cache(maxsize=_URLS_KEPT)
def parsed(url: str) -> URL:
    """Return a URL of `check_url` as the client takes it; its path and query are sent as they are written."""
    return URL(url, encoded=True)


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
