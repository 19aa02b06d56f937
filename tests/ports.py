"""Ports that tests choose: below those that systems hand out by themselves, so that nobody is given one meanwhile.

A port that was asked for with 0 and closed again is free only until the next program asks: it may then be another test's.
"""

from __future__ import annotations

import errno
import random
import socket
from contextlib import ExitStack
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
    with ExitStack() as bound:
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            try:
                bound.enter_context(socket.socket(family)).bind((address, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return False
    return True
