"""Builds the request of one attempt: the stored body, signed, and exactly the headers of decision D8 in their order.

It sends nothing and asks no time: the same claim and time always give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from swiftclaw_local.dispatcher.hostname import ascii_host
from swiftclaw_local.dispatcher.signing import sign, sign_standard
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


@dataclass(frozen=True, slots=True)
class Request:
    """One POST, complete: `headers` in the order they are sent, `head` the same as header lines for the log.

    `signature` is the value of `X-SwiftClaw-Signature`; empty when there is none.
    """

    url: str
    body: bytes = field(repr=False)
    signature: str
    headers: Headers = field(repr=False)
    head: bytes = field(repr=False)


def build_request(claim: Claim, *, mode: HeaderMode, now: datetime) -> Request:
    """Return the request of a claimed delivery's next attempt; `now` (aware) is stamped only where the mode asks for it."""
    signature = sign(claim.secret, claim.body)
    headers = (*_platform_headers(claim.url, claim.body), (SIGNATURE_HEADER, signature))
    match mode:
        case HeaderMode.DEBUG:
            headers += _debug_headers(claim, now)
        case HeaderMode.STANDARD:
            headers += _standard_headers(claim, now)
    return Request(claim.url, claim.body, signature, headers, _head(headers))


def notice_request(url: str, body: bytes) -> Request:
    """Return the request that tells of an alert: the same headers, but unsigned, for no webhook's secret is asked for."""
    headers = _platform_headers(url, body)
    return Request(url, body, "", headers, _head(headers))


@lru_cache(maxsize=_HOSTS_KEPT)
def host_header(url: str) -> str:
    """Return the Host header for a URL that `check_url` passed: the host, and the port unless it is the scheme's own."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    name = f"[{host}]" if ":" in host else ascii_host(host)
    return name if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{name}:{parts.port}"


def _platform_headers(url: str, body: bytes) -> Headers:
    return (
        ("Host", host_header(url)),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("User-Agent", USER_AGENT),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
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


def _head(headers: Headers) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
