"""Builds the request of one attempt: the stored body, signed, and exactly the headers of decision D8 in their order.

It sends nothing and asks no time: the same claim and time always give the same bytes.
"""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from swiftclaw_local.dispatcher.hostname import ascii_host
from swiftclaw_local.dispatcher.manners import Manner
from swiftclaw_local.dispatcher.signing import sign, sign_standard
from swiftclaw_local.hot_value import hot_value
from swiftclaw_local.storage.records import Claim

Headers = tuple[tuple[str, str], ...]

USER_AGENT: Final = "SwiftClaw-Webhooks/1.0"
# Source: the page, "X-SwiftClaw-Signature"; the only header of the platform's name.
SIGNATURE_HEADER: Final = "X-SwiftClaw-Signature"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOSTS_KEPT: Final = 4096


class HeaderMode(StrEnum):
    """Which headers a request has besides the platform's: none, ours for debugging, or those of Standard Webhooks."""

    PLAIN = "plain"
    DEBUG = "debug"
    STANDARD = "standard"


@hot_value
class Request:
    """One POST, complete: `head` holds its header lines in the order they are sent, for the wire and for the log.

    `signature` is the value of `X-SwiftClaw-Signature`; empty when there is none. `manner` is how it is carried; None: well.
    """

    url: str
    body: bytes = field(repr=False)
    signature: str
    head: bytes = field(repr=False)
    manner: Manner | None = None


def build_request(claim: Claim, *, mode: HeaderMode, now: datetime) -> Request:
    """Return the request of a claimed delivery's next attempt; `now` (aware) is stamped only where the mode asks for it."""
    signature = sign(claim.secret, claim.body)
    head = f"{_platform_lines(claim.url, claim.body)}{SIGNATURE_HEADER}: {signature}\r\n"
    match mode:
        case HeaderMode.DEBUG:
            head += _lines(_debug_headers(claim, now))
        case HeaderMode.STANDARD:
            head += _lines(_standard_headers(claim, now))
    return Request(claim.url, claim.body, signature, head.encode())


def signed_request(url: str, body: bytes, *, signature: str) -> Request:
    """Return a request with the platform's headers and this signature, be it right or wrong."""
    head = f"{_platform_lines(url, body)}{SIGNATURE_HEADER}: {signature}\r\n"
    return Request(url, body, signature, head.encode())


def notice_request(url: str, body: bytes) -> Request:
    """Return a request with the same headers, but unsigned: for an alert no webhook's secret is asked for."""
    return Request(url, body, "", _platform_lines(url, body).encode())


@lru_cache(maxsize=_HOSTS_KEPT)
def host_header(url: str) -> str:
    """Return the Host header for a URL that `check_url` passed: the host, and the port unless it is the scheme's own."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    name = f"[{host}]" if ":" in host else ascii_host(host)
    return name if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{name}:{parts.port}"


def _platform_lines(url: str, body: bytes) -> str:
    # One text instead of pairs that are joined: this is done for every attempt.
    return (
        f"Host: {host_header(url)}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"User-Agent: {USER_AGENT}\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
    )


def _debug_headers(claim: Claim, now: datetime) -> Headers:
    return (
        ("X-SwiftClaw-Local-Delivery", claim.delivery_id),
        ("X-SwiftClaw-Local-Attempt", str(claim.attempt_number)),
        ("X-SwiftClaw-Local-Timestamp", str(int(now.timestamp()))),
    )


def _standard_headers(claim: Claim, now: datetime) -> Headers:
    # The event's id, not the delivery's: it is the one that stays the same over retries and replays.
    timestamp = int(now.timestamp())
    return (
        ("webhook-id", claim.event_id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", sign_standard(claim.secret, claim.body, id=claim.event_id, timestamp=timestamp)),
    )


def _lines(headers: Headers) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers)
