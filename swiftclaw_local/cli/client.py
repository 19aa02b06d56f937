"""The API of a running server, spoken with the standard library alone over one connection that is kept open.

Answers come back as parsed JSON, refusals as the errors of `swiftclaw_local.errors`. It prints nothing and knows no command.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from swiftclaw_local.cli.address import Address
from swiftclaw_local.errors import NoServer, WaitTimeout, error_of

PATIENCE_S: Final = 30.0  # how long an answer may take when nobody said otherwise
CONNECT_S: Final = 5.0
SILENT_S: Final = 40.0  # a stream that says nothing for so long is lost: it would have shown that it lives
_PAGE: Final = 500
_PIECE: Final = 64 * 1024
NDJSON: Final = "application/x-ndjson"
_START: Final = "Start one: swiftclaw serve      or, with your app: swiftclaw dev -- <command>"


class Answer(NamedTuple):
    """What the server answered: any status, header names in lower case, the body's bytes."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One connection to one server. `trace` is told each request in one line."""

    def __init__(
        self,
        address: Address,
        *,
        timeout_s: float | None = None,
        token: str | None = None,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._token = token
        self._trace = trace
        self._parts = urlsplit(address.url)
        self._connection: http.client.HTTPConnection | None = None

    def another(self) -> Client:
        """Return another connection to the same server, for another thread; whoever asks for it closes it."""
        return Client(self.address, timeout_s=None, token=self._token)

    # --- what commands call -------------------------------------------------------------------------------------

    def get(self, path: str, *, long: bool = False, **query: Any) -> Any:
        """Return the JSON at a path; a query value of None is left out, True is sent as 1.

        `long`: the answer may take any time, unless `--timeout` was given.

        Raises: NoServer, WaitTimeout, and whatever error the server answers.
        """
        return self.call("GET", path, query=query, long=long)

    def post(self, path: str, body: Any = None, *, long: bool = False, **query: Any) -> Any:
        """Send JSON to a path and return the JSON of the answer, None when it has none. Raises: as `get`."""
        return self.call("POST", path, body=body, query=query, long=long)

    def patch(self, path: str, body: Any) -> Any:
        """Change what is at a path. Raises: as `get`."""
        return self.call("PATCH", path, body=body)

    def delete(self, path: str) -> Any:
        """Remove what is at a path. Raises: as `get`."""
        return self.call("DELETE", path)

    def every(self, path: str, *, limit: int | None = None, **query: Any) -> Iterator[Any]:
        """Yield the items of a list, page after page, `limit` of them at most. Raises: as `get`."""
        cursor = None
        left = limit
        while left is None or left > 0:
            page = self.get(path, limit=_PAGE if left is None else min(left, _PAGE), cursor=cursor, **query)
            yield from page["data"]
            cursor = page["next"]
            if cursor is None:
                return
            left = None if left is None else left - len(page["data"])

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        long: bool = False,
    ) -> Any:
        """Send one request and return the JSON of its answer. Raises: as `get`."""
        answer = self.exchange(method, path, body=body, query=query, headers=headers, long=long)
        document = self._document(answer)
        if answer.status >= 400:
            raise error_of(answer.status, document)
        return document

    def exchange(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        long: bool = False,
    ) -> Answer:
        """Send one request and return the answer as it is, whatever its status. Raises: NoServer, WaitTimeout."""
        data = None if body is None else json.dumps(body).encode()
        sent = self._headers() | dict(headers or {})
        if data is not None:
            sent["Content-Type"] = "application/json"
        limit = self._timeout_s or (None if long else PATIENCE_S)
        answer = self._send(method, self._target(path, query or {}), data, sent, limit)
        if self._trace:
            self._trace(f"{method} {self.address.url}{path}{_query_text(query or {})} -> {answer.status}")
        return answer

    def upload(self, path: str, pieces: Iterable[bytes], **query: Any) -> Any:
        """Send a body piece by piece, and return the JSON of the answer, which may take any time. Raises: as `get`."""
        sent = self._headers() | {"Content-Type": NDJSON}
        answer = self._send("POST", self._target(path, query), pieces, sent, self._timeout_s)
        if self._trace:
            self._trace(f"POST {self.address.url}{path}{_query_text(query)} -> {answer.status}")
        document = self._document(answer)
        if answer.status >= 400:
            raise error_of(answer.status, document)
        return document

    def stream(self, path: str, **query: Any) -> Iterator[bytes]:
        """Yield what is at a path as it comes, over a connection of its own. Raises: as `get`; NoServer when it breaks off."""
        self.close()
        limit = self._timeout_s or PATIENCE_S
        connection = self._open()
        try:
            connection.sock.settimeout(limit)
            connection.request("GET", self._target(path, query), headers=self._headers())
            response = connection.getresponse()
            if response.status >= 400:
                raise error_of(response.status, self._document(Answer(response.status, {}, response.read())))
            while piece := response.read(_PIECE):
                yield piece
        except TimeoutError:
            raise WaitTimeout(
                f"Nothing came from {self.address.url} for {limit:g}s.", hint="Wait longer: --timeout 60s"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._no_answer(error) from None
        finally:
            self.close()

    def lines(self, path: str, *, query: Mapping[str, Any], headers: Mapping[str, str]) -> Iterator[Any]:
        """Yield the JSON of each line of an answer without an end, over a connection of its own, until it ends.

        Raises: NoServer when it is lost, or says nothing for longer than a server that lives would; as `get`.
        """
        connection = self._open()
        self._connection = None
        sent = {"Accept": "application/x-ndjson", **headers}
        if self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        try:
            connection.sock.settimeout(SILENT_S)
            connection.request("GET", self._parts.path + path + _query_text(query), headers=sent)
            response = connection.getresponse()
            if response.status >= 400:
                raise error_of(response.status, self._document(Answer(response.status, {}, response.read())))
            while line := response.readline():
                if line.strip():
                    yield json.loads(line)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._no_answer(error) from None
        finally:
            connection.close()

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # --- the connection -----------------------------------------------------------------------------------------

    def _target(self, path: str, query: Mapping[str, Any]) -> str:
        return self._parts.path + path + _query_text(query)

    def _headers(self) -> dict[str, str]:
        token = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        return {"Accept": "application/json", **token}

    def _send(
        self,
        method: str,
        target: str,
        data: bytes | Iterable[bytes] | None,
        headers: dict[str, str],
        limit: float | None,
    ) -> Answer:
        fresh = self._connection is None
        connection = self._connection or self._open()
        try:
            if connection.sock is not None:
                connection.sock.settimeout(limit)
            connection.request(method, target, body=data, headers=headers)
            response = connection.getresponse()
            body = response.read()
        except TimeoutError:
            self.close()
            raise WaitTimeout(
                f"No answer from {self.address.url} within {limit:g}s.",
                hint="Wait longer: --timeout 60s",
                extra={"waited_s": limit},
            ) from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # the server may close a connection it kept open at any moment: for a read, ask once more
            if not fresh and method == "GET" and isinstance(error, (ConnectionError, http.client.RemoteDisconnected)):
                return self._send(method, target, data, headers, limit)
            raise self._no_answer(error) from None
        except BaseException:  # interrupted: an answer that nobody has read must not be the next request's
            self.close()
            raise
        if response.will_close:
            self.close()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body)

    def _open(self) -> http.client.HTTPConnection:
        """Connect. Raises: NoServer."""
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        wait = min(self._timeout_s or CONNECT_S, CONNECT_S)
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=wait)
        try:
            connection.connect()
        except TimeoutError:
            raise NoServer(
                f"No SwiftClaw local server answers at {self.address.url} within {wait:g}s.", extra={"waited_s": wait}
            ) from None
        except (OSError, UnicodeError) as error:
            raise self._no_answer(error) from None
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        return connection

    def _no_answer(self, error: Exception) -> NoServer:
        source = f"   (the address comes from {self.address.source})" if self.address.source else ""
        if isinstance(error, ConnectionRefusedError):
            return NoServer(f"No SwiftClaw local server at {self.address.url}.", hint=f"{_START}{source}")
        if isinstance(error, http.client.BadStatusLine) and not isinstance(error, ConnectionError):
            return self._stranger()
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return NoServer(
            f"No SwiftClaw local server answers at {self.address.url}: {reason}.",
            hint=f"{_START}{source}",
        )

    def _document(self, answer: Answer) -> Any:
        """Return the parsed body. Raises: NoServer when this cannot be an answer of ours."""
        if not answer.body and answer.status < 400:
            return None
        try:
            document = json.loads(answer.body)
        except ValueError:
            raise self._stranger() from None
        if answer.status >= 400 and not (isinstance(document, dict) and isinstance(document.get("error"), dict)):
            raise self._stranger()
        return document

    def _stranger(self) -> NoServer:
        return NoServer(
            f"Something answers at {self.address.url}, but it is not SwiftClaw local.",
            hint="Start one on another port: swiftclaw serve --port 7421   then: --api-url http://127.0.0.1:7421",
        )


def in_path(part: str) -> str:
    """Return a name as one part of a path, so that `a/b` and `..` stay one part."""
    return quote(part, safe="@:") if part not in (".", "..") else part.replace(".", "%2E")


def _query_text(query: Mapping[str, Any]) -> str:
    pairs = [(name, "1" if value is True else value) for name, value in query.items() if value not in (None, False)]
    return "?" + urlencode(pairs, doseq=True) if pairs else ""
