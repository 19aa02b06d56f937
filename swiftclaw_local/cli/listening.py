"""Does anything listen at a receiver's address? Asked by a TCP connection, on this machine and private networks only.

A public host is never connected to, and its name never looked up: made-up events must not give themselves away.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

CONNECT_S: Final = 0.5
_PORTS: Final = {"http": 80, "https": 443}
_PRIVATE: Final = tuple(
    ip_network(text) for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a URL points to: an address of this machine or of a private network, and a port."""

    address: str
    port: int

    @property
    def on_this_machine(self) -> bool:
        """Whether the address is a loopback address."""
        return ip_address(self.address).is_loopback


def private_place(url: str) -> Place | None:
    """Return the place a URL points to when that is known without DNS to be loopback or private; else None."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80)
    except ValueError:
        return None
    if host == "localhost" or host.endswith(".localhost"):
        host = "127.0.0.1"
    with suppress(ValueError):
        address = ip_address(host)
        if any(address in network for network in _PRIVATE):
            return Place(str(address), port)
    return None


def listens(place: Place, *, timeout_s: float = CONNECT_S) -> bool:
    """Return whether a connection is taken there, on IPv6's loopback address too where that is this machine."""
    addresses = [place.address, "::1"] if place.address == "127.0.0.1" else [place.address]
    return any(_connects(address, place.port, timeout_s=timeout_s) for address in addresses)


def _connects(address: str, port: int, *, timeout_s: float) -> bool:
    with suppress(OSError), socket.create_connection((address, port), timeout=timeout_s):
        return True
    return False
