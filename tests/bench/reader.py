"""A reader of a server's event stream: takes what is told as fast as it comes, and counts it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from tests.bench.child import ChildFailed

# HTTP/1.0, so that the lines come as they are, not in chunks.
_ASKED: Final = b"GET /v1/stream?types=attempt HTTP/1.0\r\nHost: %b\r\nAccept: application/x-ndjson\r\n\r\n"
_LONGEST_S: Final = 30.0
_LOOK_S: Final = 0.01


class Reader:
    """One open stream of attempts; `told` is how many came so far."""

    def __init__(self, place: str) -> None:
        host, _, port = place.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=_LONGEST_S)
        self._socket.sendall(_ASKED % place.encode())
        self._lines = self._socket.makefile("rb")
        while b'"open"' not in (line := self._lines.readline()):  # from there on what happens is told
            if not line:
                raise ChildFailed("The stream did not open.")
        self.told = 0
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def wait_for(self, count: int) -> None:
        """Wait until so many were told. Raises: ChildFailed when they are not."""
        until = time.monotonic() + _LONGEST_S
        while self.told < count:
            if time.monotonic() > until:
                raise ChildFailed(f"The stream told {self.told} of {count} attempts.")
            time.sleep(_LOOK_S)

    def close(self) -> None:
        """Hang up."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._lines.close()
        self._socket.close()

    def _read(self) -> None:
        while line := self._lines.readline():
            self.told += line != b"\n"


@contextmanager
def reading(url: str) -> Iterator[Reader]:
    """Read a server's stream until the block ends."""
    reader = Reader(urlsplit(url).netloc)
    try:
        yield reader
    finally:
        reader.close()
