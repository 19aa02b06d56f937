"""Names of hosts: their ASCII form, and which of them are local by name alone.

It asks no DNS: what a name resolves to is judged in `addresses`, on the connected address.
"""

from __future__ import annotations

import re
from typing import Final

_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_LONGEST: Final = 253
# What the standard library's IDNA of 2003 maps to other letters than today's: two different hosts, so neither is guessed.
_MAPPED_DIFFERENTLY: Final = frozenset("ßẞς")
# Never names of the public DNS. Source: RFC 2606, 6761, 6762, 8375; .internal is reserved by ICANN, .lan is in wide use.
_LOCAL_ENDINGS: Final = (".localhost", ".local", ".internal", ".test", ".lan", ".home.arpa")


def ascii_host(host: str) -> str:
    """Return a host's name in lower-case ASCII, international ones in their xn-- form; a last dot stays.

    Raises: ValueError whose text completes the sentence "The host … " for what cannot be a name. An IP address is not a
    name, except that one of four decimal numbers passes.
    """
    if _MAPPED_DIFFERENTLY & set(host):
        raise ValueError("has letters whose ASCII form is disputed; write its xn-- form")
    try:
        name = host.encode("idna").decode().lower() if not host.isascii() else host.lower()
    except UnicodeError:
        raise ValueError("has letters that no host name can have") from None
    labels = name.removesuffix(".").split(".")
    if len(name) > _LONGEST or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("is not a host name: it needs letters, digits and dashes between single dots")
    # getaddrinfo reads 127.1, 0x7f.0.0.1, 0177.0.0.1 and 2130706433 as addresses; nobody means them.
    if _NUMBER.fullmatch(labels[-1]) and not _is_dotted_quad(labels):
        raise ValueError("looks like an IP address; write four plain numbers from 0 to 255, as 127.0.0.1")
    return name


def is_local_name(host: str) -> bool:
    """Return whether a name can only be this machine's or this network's: localhost, single names, *.internal and such."""
    name = host.lower().removesuffix(".")
    return "." not in name or name.endswith(_LOCAL_ENDINGS)


def is_loopback_name(host: str) -> bool:
    """Return whether a name is this machine itself: localhost and all below it (RFC 6761)."""
    name = host.lower().removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")


def _is_dotted_quad(labels: list[str]) -> bool:
    plain = [label for label in labels if label.isdecimal() and str(int(label)) == label and int(label) <= 255]
    return len(labels) == len(plain) == 4
