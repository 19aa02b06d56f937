"""Ports that tests choose: below those that systems hand out by themselves, so that nobody is given one meanwhile.

A port that was asked for with 0 and closed again is free only until the next program asks: it may then be another test's.
"""

from __future__ import annotations

import errno
import random
import socket
from typing import Final

CHOSEN: Final = range(20_000, 30_000)  # Linux hands out 32768 and up, macOS and Windows 49152 and up

_given: Final[set[int]] = set()
_system: Final = random.SystemRandom()  # no test's seed may bring two processes to one port


def free_port() -> int:
    """Return a port on which nobody listens, another one at each call; a program may be told to listen there."""
    while True:
        port = _system.choice(CHOSEN)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    return not (_is_taken(socket.AF_INET, "127.0.0.1", port) or _is_taken(socket.AF_INET6, "::1", port))


def _is_taken(family: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        with socket.socket(family) as tried:
            tried.bind((address, port))
    except OSError as error:  # a machine without IPv6 has no such address: nobody listens there either
        return error.errno == errno.EADDRINUSE
    return False
