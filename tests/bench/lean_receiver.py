"""The bench's own receiver, for machines without nginx: answers every POST at once, counts, and notes when each arrived.

As lean as Python allows, and no HTTP server: it expects whole, well-formed requests with a Content-Length. Run as a child:
it prints its port and lives until it is ended. `/fail` is answered 500, `/count` with the number of POSTs so far,
`/arrivals` with the times of the POSTs since it was last asked, in seconds of the system's monotonic clock. `/slow` takes
50 ms, `/hang` never answers.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from typing import Final

import uvloop

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_ARRIVALS_KEPT: Final = 100_000
_SLOW_S: Final = 0.05


def answer(status: bytes, body: bytes) -> bytes:
    """Return a whole answer that keeps the connection open."""
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    return head + body


_OK: Final = answer(b"200 OK", b'{"received":true}')
_FAIL: Final = answer(b"500 Internal Server Error", b'{"error":"Processing failed"}')


class Counted:
    """What all connections have counted."""

    def __init__(self) -> None:
        self.posts = 0
        self.arrivals: deque[float] = deque(maxlen=_ARRIVALS_KEPT)

    def take_arrivals(self) -> list[float]:
        """Return the arrivals not taken yet."""
        taken = list(self.arrivals)
        self.arrivals.clear()
        return taken


class Connection(asyncio.Protocol):
    """One connection: cuts what comes into requests and answers each."""

    def __init__(self, counted: Counted) -> None:
        self._counted = counted
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]  # uvloop's transports are no subclasses

    def data_received(self, data: bytes) -> None:
        """Answer every whole request in what has come so far."""
        self._buffer += data
        while (end := self._buffer.find(_END)) >= 0:
            head = self._buffer[:end]
            size = end + len(_END) + content_length(head)
            if len(self._buffer) < size:
                return
            self._buffer = self._buffer[size:]
            assert self._transport is not None
            reply = self._answer(head)
            if head.startswith(b"POST /slow"):
                asyncio.get_running_loop().call_later(_SLOW_S, self._transport.write, reply)
            elif not head.startswith(b"POST /hang"):
                self._transport.write(reply)

    def _answer(self, head: bytes) -> bytes:
        if head.startswith(b"POST"):
            self._counted.posts += 1
            self._counted.arrivals.append(time.monotonic())
            return _FAIL if head.startswith(b"POST /fail") else _OK
        wanted = self._counted.take_arrivals() if head.startswith(b"GET /arrivals") else self._counted.posts
        return answer(b"200 OK", json.dumps(wanted).encode())


def content_length(head: bytes) -> int:
    """Return the length that a request's head promises; 0 without one."""
    lower = head.lower()
    start = lower.find(_LENGTH)
    return 0 if start < 0 else int(lower[start + len(_LENGTH) :].split(b"\r\n", 1)[0])


async def serve() -> None:
    """Serve on a free port, printed first, until ended."""
    counted = Counted()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(counted), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
