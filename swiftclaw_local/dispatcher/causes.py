"""Names what went wrong when no HTTP answer came: an exception of the client becomes a `Cause` and one line for people.

It is pure: it sends nothing, and what it does not know is `Cause.INTERNAL`, a defect of ours.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from typing import Final

import aiohttp

from swiftclaw_local.dispatcher.answer import Malformed
from swiftclaw_local.scheduler.outcome import Cause

LONGEST_DETAIL: Final = 200

# Source: OpenSSL, x509_vfy.h. What is in neither set is some reason not to trust the certificate.
_EXPIRED: Final = frozenset({9, 10, 11, 12})  # not valid yet, expired; likewise of a revocation list
_WRONG_HOST: Final = frozenset({62, 64})  # hostname mismatch, IP address mismatch

# Reasons as OpenSSL names them, without what stands before: SSLV3_ALERT_…, TLSV1_ALERT_…
_TLS_VERSION: Final = frozenset(
    {
        "UNSUPPORTED_PROTOCOL",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "NO_PROTOCOLS_AVAILABLE",
        "VERSION_TOO_LOW",
        "WRONG_SSL_VERSION",
        "UNSUPPORTED_SSL_VERSION",
    }
)
_NOT_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}
)
# Newer OpenSSL says this of any first record that is not one.
_NOT_TLS_PERHAPS: Final = "RECORD_LAYER_FAILURE"

_CLOSED: Final = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ESHUTDOWN})
_ERRNO: Final = re.compile(r"\[Errno (\d+)\]")
_INVISIBLE: Final = re.compile(r"[^\x20-\x7e\xa1-\U0010ffff]+")


class NotAnswered(Exception):
    """Nothing was sent, or nothing came back, and the cause is known already where it was seen."""

    def __init__(self, cause: Cause, detail: str) -> None:
        self.cause = cause
        self.detail = detail
        super().__init__(detail)


def cause_of(error: BaseException) -> tuple[Cause, str]:
    """Return why there is no answer, and in one printable line of at most 200 characters what happened."""
    cause, detail = _cause_of(error)
    return cause, one_line(detail)


def one_line(text: str) -> str:
    """Return a text on one line without anything invisible, cut to 200 characters."""
    line = "".join(c if c.isprintable() else " " for c in _INVISIBLE.sub(" ", text))
    line = " ".join(line.split())
    return line if len(line) <= LONGEST_DETAIL else f"{line[: LONGEST_DETAIL - 1]}…"


def _cause_of(error: BaseException) -> tuple[Cause, str]:
    match error:
        case NotAnswered(cause=cause, detail=detail):
            return cause, detail
        case aiohttp.ClientConnectorDNSError() | socket.gaierror() | aiohttp.InvalidURL() | UnicodeError():
            return Cause.DNS, _dns_detail(error)
        case aiohttp.ClientConnectorCertificateError(certificate_error=inner):
            return _tls(inner)
        case aiohttp.ClientConnectorSSLError(os_error=inner) | aiohttp.ClientConnectorError(os_error=inner):
            return _tls(inner) if isinstance(inner, ssl.SSLError) else _connect(inner)
        case ssl.SSLError():
            return _tls(error)
        case aiohttp.ServerTimeoutError() | TimeoutError():
            return Cause.TIMEOUT, "No complete answer came in time."
        case aiohttp.ServerDisconnectedError():
            return Cause.CLOSED_EARLY, "The connection was closed before a complete answer came."
        case Malformed():
            return Cause.MALFORMED, f"Not an HTTP/1.x answer: {error}"
        case OSError():
            return _broken(error)
        case aiohttp.ClientConnectionError():
            return Cause.CLOSED_EARLY, "The connection was lost before a complete answer came."
        case _:
            return Cause.INTERNAL, type(error).__name__


def _dns_detail(error: BaseException) -> str:
    inner = getattr(error, "os_error", error)
    why = getattr(inner, "strerror", None) or str(inner)
    host = getattr(error, "host", "")
    return f"{host} does not resolve: {why}" if host else f"The host does not resolve: {why}"


def _tls(error: BaseException) -> tuple[Cause, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error.verify_code), f"The certificate is not accepted: {error.verify_message}"
    reason = (getattr(error, "reason", None) or "").upper()
    shown = reason.replace("_", " ").lower() or str(error)
    if reason in _TLS_VERSION:
        return Cause.TLS_VERSION, f"No TLS version in common: {shown}"
    if reason in _NOT_TLS or reason == _NOT_TLS_PERHAPS:
        return Cause.TLS_NOT_TLS, f"The port does not speak TLS: {shown}"
    return Cause.TLS_FAILED, f"TLS failed: {shown}"


def _certificate(code: int) -> Cause:
    if code in _EXPIRED:
        return Cause.TLS_EXPIRED
    return Cause.TLS_WRONG_HOST if code in _WRONG_HOST else Cause.TLS_UNTRUSTED


def _connect(error: OSError) -> tuple[Cause, str]:
    """Return the cause of a connection that could not be made, to one address or to several."""
    # Several addresses that failed in different ways come as one error without a number, their texts joined.
    numbers = {error.errno} if error.errno else {int(n) for n in _ERRNO.findall(str(error))}
    if errno.ECONNREFUSED in numbers:
        return Cause.CONNECT_REFUSED, "The connection was refused: nothing listens there."
    if errno.ETIMEDOUT in numbers or isinstance(error, TimeoutError):
        return Cause.CONNECT_TIMEOUT, "The connection could not be made in time."
    if numbers & _CLOSED or isinstance(error, ConnectionError):
        return Cause.RESET, "The connection was reset while it was made."
    return Cause.CONNECT_FAILED, f"The connection could not be made: {error.strerror or error}"


def _broken(error: OSError) -> tuple[Cause, str]:
    """Return the cause of a connection that was made and broke."""
    if error.errno == errno.ETIMEDOUT:
        return Cause.TIMEOUT, "The connection timed out."
    return Cause.RESET, "The connection was reset before a complete answer came."
