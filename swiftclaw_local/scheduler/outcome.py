"""What a receiver did with one attempt: it answered, or it did not. Never an exception."""

from __future__ import annotations

from enum import StrEnum

from swiftclaw_local.hot_value import hot_value


class Cause(StrEnum):
    """Why there is no HTTP answer: the closed list of error classes."""

    CONNECT_REFUSED = "connect_refused"
    CONNECT_FAILED = "connect_failed"  # no route, network down, address family not available
    CONNECT_TIMEOUT = "connect_timeout"
    DNS = "dns"
    RESET = "reset"
    CLOSED_EARLY = "closed_early"  # closed without a complete status line and headers
    TIMEOUT = "timeout"
    MALFORMED = "malformed"  # what came is not an HTTP/1.x answer
    STALE_CONNECTION = "stale_connection"  # a reused connection died before any byte of answer
    TLS_EXPIRED = "tls_expired"
    TLS_WRONG_HOST = "tls_wrong_host"
    TLS_UNTRUSTED = "tls_untrusted"
    TLS_VERSION = "tls_version"
    TLS_NOT_TLS = "tls_not_tls"
    TLS_TIMEOUT = "tls_timeout"
    TLS_FAILED = "tls_failed"
    BLOCKED_HOST = "blocked_host"  # a public host, not allowed (decision D29)
    BLOCKED_ADDRESS = "blocked_address"  # link-local, metadata, multicast: never
    BLOCKED_SELF = "blocked_self"  # the engine's own port: never
    HELD_BACK = "held_back"  # by a fault: nothing was sent yet
    DROPPED = "dropped"  # by a fault: nothing is ever sent
    HUNG_UP = "hung_up"  # by a fault: we ended the connection in the middle of the body
    INTERNAL = "internal"  # a defect of ours; the log has the traceback


BLOCKED = frozenset({Cause.BLOCKED_HOST, Cause.BLOCKED_ADDRESS, Cause.BLOCKED_SELF})


@hot_value
class Answered:
    """A complete status line and headers came back.

    `head` is the header lines as bytes, at most 64 KiB; `body` the first bytes of the body as received, at most 64 KiB;
    `body_size` its true size in bytes where known; `truncated` why not all of it is here: size, time, early_close.
    """

    status: int
    head: bytes = b""
    body: bytes = b""
    body_size: int | None = None
    truncated: str | None = None


@hot_value
class Unanswered:
    """No HTTP answer: the class of the error, and one line for people."""

    cause: Cause
    detail: str = ""


Outcome = Answered | Unanswered
