"""One HTTP connection as the sender uses it: writes prepared bytes, and takes no answer that nobody asked for.

It builds on the parts aiohttp's client is made of. It does not choose where to connect and judges no answer.
"""

from __future__ import annotations

import asyncio
import select
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.http import HttpResponseParser
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from swiftclaw_local.dispatcher.request import Request
from swiftclaw_local.scheduler.outcome import Cause

_HEAD_END: Final = b"\r\n\r\n"
_BEGINNING: Final = b"HTTP/1."
_TLS_RECORD: Final = (b"\x15\x03", b"\x16\x03")  # alert, handshake
_SHOWN: Final = 16
# An answer that has not ended its headers by then never will.
LONGEST_HEAD: Final = 262144
MOST_INTERIM: Final = 100
SWITCHING: Final = 101


class Phase(StrEnum):
    """How far an attempt has come."""

    LOOK_UP = "look_up"
    CONNECT = "connect"
    TLS = "tls"
    ANSWER = "answer"


@dataclass(slots=True)
class Sending:
    """One attempt under way: how far it has come, and on which connection.

    `host` is as in the URL; `refused` says why an address was not connected to, `tried` whether another was.
    """

    request: Request
    host: str
    phase: Phase = Phase.ANSWER
    wire: Wire | None = None
    tried: bool = False
    refused: tuple[Cause, str] | None = None


class Wire(ResponseHandler):
    """The protocol of one connection, used for one request at a time.

    `heard` tells whether any byte of an answer to the present request came; `reused` whether it is not its first;
    `origin` where the connection goes, once it has been in the pool.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.heard = False
        self.reused = False
        self.origin: ConnectionKey | None = None
        self._answer: AnswerParser | None = None
        self._idle = False
        self._readable = select.poll()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to watch the socket."""
        super().connection_made(transport)
        self._readable.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def rest(self, origin: ConnectionKey) -> None:
        """Lie idle in the pool: from now on nothing may come."""
        self.origin = origin
        self._idle = True

    def take(self) -> bool:
        """Leave the pool for the next request; return whether the connection is fit for it.

        Asking the socket itself notices an end or an unasked answer that the event loop has not come round to read.
        """
        if self.should_close or not self.is_connected() or self._is_amid_answer() or self._readable.poll(0):
            return False
        self._idle = False
        self.heard = False
        self.reused = True
        return True

    def _is_amid_answer(self) -> bool:
        # The beginning of a second answer, glued to the first, has gone into the parser without a trace outside of it.
        return self._answer is not None and self._answer.is_amid_answer()

    def break_body(self, error: HttpProcessingError) -> None:
        """End the body that is being read: what came is not its rest."""
        if self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(aiohttp.ClientPayloadError(error.message))

    def stop_reading(self) -> None:
        """Read no more of an answer; only the connection's end is left to it."""
        self._pause_transport_reading()

    def has_unsent(self) -> bool:
        """Return whether part of the request still waits to be read by the receiver."""
        return self.transport is not None and self.transport.get_write_buffer_size() > 0

    def close(self) -> None:
        """Close at once: a receiver that reads nothing would keep an orderly close waiting for ever."""
        self.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes of the answer; close on bytes that come unasked, or the next request would get them as its answer."""
        if self._idle:
            if data:  # aiohttp itself feeds none, to go on with what it held back
                self.abort()
            return
        self.heard = True
        super().data_received(data)

    def set_response_params(self, **params: Any) -> None:
        """Prepare for the answer to one request. The parameters are aiohttp's."""
        super().set_response_params(**params)
        self._answer = AnswerParser(self, self._loop, cast(Any, self._parser), params)
        self._parser = cast(Any, self._answer)


class AnswerParser:
    """aiohttp's parser, except that what follows a complete answer cannot spoil it.

    aiohttp's throws away an answer when anything that is not HTTP follows it in the same read. This one closes the
    connection and keeps the answer. Garbage before an answer's end, in the read that ended its headers, still spoils it.
    """

    __slots__ = ("_inner", "_interim_count", "_loop", "_params", "_seen", "_wire")

    def __init__(
        self, wire: Wire, loop: asyncio.AbstractEventLoop, inner: HttpResponseParser, params: dict[str, Any]
    ) -> None:
        self._wire = wire
        self._loop = loop
        self._inner = inner
        self._params = params
        self._seen: bytes | None = b""
        self._interim_count = 0

    def feed_data(self, data: bytes) -> tuple[Any, bool, bytes]:
        """Parse what came; interim answers (100, 103) are dropped. Raises: HttpProcessingError."""
        if self._seen is None:
            return self._feed_body(data)
        if self._interim_count > MOST_INTERIM:
            self._wire.stop_reading()  # until the time is up
            return (), False, b""
        if len(self._seen) > LONGEST_HEAD:
            raise HttpProcessingError(message=f"its headers are longer than {LONGEST_HEAD} bytes")
        self._seen += data
        check_beginning(self._seen)
        try:
            messages, upgraded, tail = self._inner.feed_data(data)
        except HttpProcessingError:
            messages, upgraded, tail = self._feed_again(self._seen)
        if not messages:
            return (), upgraded, tail
        if is_final(messages[-1][0].code):
            check_length(messages[-1][0])
            self._seen = None
            if messages[-1][0].code == SWITCHING:
                self._wire.force_close()  # to a protocol nobody asked for
        else:
            self._seen = self._seen.rpartition(_HEAD_END)[2]
        final = [message for message in messages if is_final(message[0].code)]
        self._interim_count += len(messages) - len(final)
        return final, upgraded, tail

    def feed_eof(self) -> Any:
        """Take note that the receiver ended the connection."""
        return self._inner.feed_eof()

    def is_amid_answer(self) -> bool:
        """Return whether part of another answer has been parsed; the parser is of no further use."""
        inner: Any = self._inner
        if getattr(inner, "_tail", b"") or getattr(inner, "_lines", ()):
            return True  # aiohttp's parser without its C part says nothing of a beginning that it cannot make sense of
        try:
            return self._inner.feed_eof() is not None
        except Exception:  # whatever it stumbles over, it is not the clean end of an answer
            return True

    def pause_reading(self) -> None:
        """Stop parsing until fed again."""
        self._inner.pause_reading()

    def _feed_body(self, data: bytes) -> tuple[Any, bool, bytes]:
        try:
            return self._inner.feed_data(data)
        except HttpProcessingError as error:
            # aiohttp tells nobody who reads the body already, and he would wait for the rest.
            self._wire.break_body(error)
            raise

    def _feed_again(self, seen: bytes) -> tuple[Any, bool, bytes]:
        """Parse bytes in which an error was found again, head by head, for a complete answer before the error."""
        self._inner = new_parser(self._wire, self._loop, self._params)
        messages: list[Any] = []
        while seen and not (messages and is_final(messages[-1][0].code)):
            head, end, seen = seen.partition(_HEAD_END)
            messages += self._inner.feed_data(head + end)[0]
        try:
            self._inner.feed_data(seen)
        except HttpProcessingError:
            if not messages[-1][1].is_eof():
                raise
        self._wire.force_close()
        return messages, False, b""


def check_beginning(answer: bytes) -> None:
    """Check that bytes can be the beginning of an HTTP/1.x answer; aiohttp's parser also takes RTSP, HTTP/0.9 and HTTP/2.0.

    Raises: HttpProcessingError, saying what they are instead.
    """
    answer = answer.lstrip(b"\r\n")
    start = answer[: len(_BEGINNING)]
    if start == _BEGINNING[: len(start)]:
        return
    if answer.startswith(_TLS_RECORD):
        raise HttpProcessingError(message="it speaks TLS. Is the URL to begin with https://?")
    raise HttpProcessingError(message=f"it begins with {answer[:_SHOWN]!r}")


def check_length(message: Any) -> None:
    """Check that an answer tells its length once; aiohttp's parser without its C part takes the first of several.

    Raises: HttpProcessingError.
    """
    if len(message.headers.getall("Content-Length", ())) > 1:
        raise HttpProcessingError(message="it has more than one Content-Length")


def is_final(status: int) -> bool:
    """Return whether a status answers the request; the others (100, 103) say that the answer is still to come."""
    return not 100 <= status <= 199 or status == SWITCHING


def new_parser(wire: Wire, loop: asyncio.AbstractEventLoop, params: dict[str, Any]) -> HttpResponseParser:
    """Return a fresh parser, made as aiohttp makes its own."""
    return HttpResponseParser(
        wire,
        loop,
        params["read_bufsize"],
        timer=params["timer"],
        payload_exception=aiohttp.ClientPayloadError,
        response_with_body=not params["skip_payload"],
        read_until_eof=params["read_until_eof"],
        auto_decompress=params["auto_decompress"],
        max_line_size=params["max_line_size"],
        max_field_size=params["max_field_size"],
        max_headers=params["max_headers"],
    )


class _Written:
    """Stands for the stream writer of a request that was written in one go."""

    output_size = 0


_WRITTEN: Final = cast(AbstractStreamWriter, _Written())
_NO_HEADERS: Final[CIMultiDict[str]] = CIMultiDict()
_NO_HEADERS_PROXY: Final = CIMultiDictProxy(_NO_HEADERS)


class WireRequest(aiohttp.ClientRequest):
    """Writes the bytes of a `Request` as they are, in one go; aiohttp neither adds nor reorders a header.

    aiohttp makes it out of what `ClientSession.post` is given: `data` is the `Sending`.
    """

    def __init__(
        self,
        method: str,
        url: URL,
        *,
        data: Sending,
        loop: asyncio.AbstractEventLoop,
        response_class: type[aiohttp.ClientResponse],
        session: aiohttp.ClientSession,
        ssl: Any,
        timer: Any,
        **_unused: Any,
    ) -> None:
        # Without aiohttp's own constructor, which costs a sixth of the whole exchange to make headers that are not sent.
        # These are the attributes that its session and connector read; those they find on the class are left alone.
        self.sending = data
        self.method = method
        self.url = self.original_url = url
        self.loop = loop
        self.response_class = response_class
        self.headers = _NO_HEADERS
        self.proxy = self.proxy_auth = self.proxy_headers = None
        self.server_hostname = None
        self._session = session
        self._ssl = ssl
        self._timer = timer

    @property
    def request_info(self) -> aiohttp.RequestInfo:
        """What aiohttp's errors carry along."""
        return aiohttp.RequestInfo(self.url, self.method, _NO_HEADERS_PROXY, self.url)

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Write the request and return the response that is to be started. Raises: aiohttp.ServerDisconnectedError."""
        wire = conn.protocol
        assert isinstance(wire, Wire)
        self.sending.wire = wire
        if wire.transport is None or wire.transport.is_closing():
            raise aiohttp.ServerDisconnectedError
        request = self.sending.request
        line = f"POST {self.url.raw_path_qs} HTTP/1.1\r\n".encode()
        wire.transport.write(b"".join((line, request.head, b"\r\n", request.body)))
        return self.response_class(
            self.method,
            self.original_url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=[],
            loop=self.loop,
            session=self._session,
            stream_writer=_WRITTEN,
        )
