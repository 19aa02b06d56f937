"""The API of a server, spoken with the standard library alone, over connections that are kept open; from any thread.

Whatever a test patches, as aiohttp, does not reach it. It knows no route.
"""

from __future__ import annotations

import json
import socket
from collections import deque
from collections.abc import Iterable, Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from swiftclaw_local.errors import InvalidUrl, NoServer, WaitTimeout, error_of

# How long an answer may take: the engine gives a receiver ten seconds for each attempt, and there may be several.
PATIENCE_S: Final = 300.0
NDJSON: Final = "application/x-ndjson"


class Connection:
    """Requests to the server at `url`. Each takes a connection that nobody uses, or opens one."""

    def __init__(self, url: str) -> None:
        """Raises: InvalidUrl."""
        self.url = url.rstrip("/")
        self._host, self._port, self._path = _parts(self.url)
        self._idle: deque[HTTPConnection] = deque()

    def get(self, path: str, **query: Any) -> Any:
        """Return the JSON at a path; a query value of None is left out. Raises: NoServer, and what the server answers."""
        return self.call("GET", path, query=query)

    def post(self, path: str, body: Any, **query: Any) -> Any:
        """Send JSON to a path and return the JSON of the answer, None when it has none. Raises: as `get`."""
        return self.call("POST", path, body=body, query=query)

    def delete(self, path: str) -> Any:
        """Remove what is at a path. Raises: as `get`."""
        return self.call("DELETE", path)

    def upload(self, path: str, pieces: Iterable[bytes], **query: Any) -> Any:
        """Send lines of JSON piece by piece, and return the JSON of the answer. Raises: as `get`."""
        return self._parsed(*self._exchange("POST", self._target(path, query), pieces, content_type=NDJSON))

    def download(self, path: str, **query: Any) -> bytes:
        """Return the bytes at a path. Raises: as `get`."""
        status, raw = self._exchange("GET", self._target(path, query), None)
        return raw if status < 400 else self._parsed(status, raw)

    def call(self, method: str, path: str, *, body: Any = None, query: dict[str, Any] | None = None) -> Any:
        """Send one request and return the JSON of its answer. Raises: as `get`."""
        data = None if body is None else json.dumps(body).encode()
        return self._parsed(*self._exchange(method, self._target(path, query or {}), data))

    def close(self) -> None:
        """Let go of all connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _target(self, path: str, query: Mapping[str, Any]) -> str:
        given = {name: value for name, value in query.items() if value is not None}
        return self._path + path + (f"?{urlencode(given)}" if given else "")

    def _parsed(self, status: int, raw: bytes) -> Any:
        """Return the JSON of an answer. Raises: what it says, when it is none of success."""
        try:
            document = json.loads(raw or b"null")
        except ValueError:
            document = None
            if status < 400:
                raise self._stranger() from None
        if status < 400:
            return document
        if not isinstance(document, dict) or not isinstance(document.get("error"), dict):
            raise self._stranger()
        error = error_of(status, document)
        if error.hint:
            error.add_note(error.hint)
        raise error

    def _exchange(
        self, method: str, target: str, data: bytes | Iterable[bytes] | None, *, content_type: str = "application/json"
    ) -> tuple[int, bytes]:
        connection = self._take()
        try:
            connection.request(method, target, data, {"Content-Type": content_type})
            answer = connection.getresponse()
            raw = answer.read()
        except TimeoutError:
            connection.close()
            raise WaitTimeout(f"No answer from {self.url} within {PATIENCE_S:g}s.") from None
        except (OSError, HTTPException) as error:
            connection.close()
            raise self._no_answer(error) from None
        except BaseException:  # an answer that nobody has read must not be the next request's
            connection.close()
            raise
        if answer.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return answer.status, raw

    def _take(self) -> HTTPConnection:
        """Return a connection that lives. Raises: NoServer."""
        while self._idle:
            kept = self._idle.pop()
            if kept.sock is not None and _lives(kept.sock):
                return kept
            kept.close()
        connection = HTTPConnection(self._host, self._port, timeout=PATIENCE_S)
        try:
            connection.connect()
        except OSError as error:
            raise self._no_answer(error) from None
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _no_answer(self, error: Exception) -> NoServer:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return NoServer(f"No SwiftClaw local server answers at {self.url}: {reason}.")

    def _stranger(self) -> NoServer:
        return NoServer(f"Something answers at {self.url}, but it is not SwiftClaw local.")


def in_path(part: str) -> str:
    """Return a name as one part of a path, so that `a/b` and `..` stay one part."""
    return quote(part, safe="@:") if part not in (".", "..") else part.replace(".", "%2E")


def _lives(sock: socket.socket) -> bool:
    """Return whether the server has kept a connection: nothing may be there to read, and no end."""
    timeout = sock.gettimeout()
    sock.setblocking(False)
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        sock.settimeout(timeout)
        return True
    except OSError:
        return False
    return False


def _parts(url: str) -> tuple[str, int, str]:
    try:
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname:
            return parts.hostname, parts.port or 80, parts.path
    except ValueError:
        pass
    raise InvalidUrl(f'"{url}" is not the address of a server. Write it as http://127.0.0.1:7420')
