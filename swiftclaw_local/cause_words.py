"""The classes of errors in words for people: the one place for server and commands. It imports nothing of the project."""

from __future__ import annotations

from typing import Final

CAUSE_WORDS: Final = {
    "connect_refused": "connection refused",
    "connect_failed": "no connection",
    "connect_timeout": "no connection in time",
    "dns": "name not found",
    "reset": "connection reset",
    "closed_early": "closed without an answer",
    "timeout": "no answer in time",
    "malformed": "not an HTTP answer",
    "stale_connection": "reused connection had died",
    "redirect": "redirect",
    "tls_expired": "certificate expired",
    "tls_wrong_host": "certificate of another host",
    "tls_untrusted": "certificate not trusted",
    "tls_version": "TLS version not supported",
    "tls_not_tls": "answered without TLS",
    "tls_timeout": "no TLS in time",
    "tls_failed": "TLS failed",
    "blocked_host": "public host, not allowed",
    "blocked_address": "address never sent to",
    "blocked_self": "SwiftClaw local's own port",
    "held_back": "held back by a fault",
    "dropped": "never sent, by a fault",
    "hung_up": "hung up on by a fault",
    "internal": "a defect of SwiftClaw local",
    "interrupted": "cut off by a stop of SwiftClaw local",
}
