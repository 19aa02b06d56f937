"""Reads one HTTP/1.x answer out of the pieces in which it comes. Pure: it knows no socket, no time and no verdict.

It takes what is merely sloppy (bare line feeds, no reason, any bytes in a header's value but NUL) and refuses what two
readers could read differently: names with spaces, two lengths, a length beside chunks. Header lines are kept as they
came, but for their ends, and a body is kept as it came, but for its chunks; nothing is inflated.

Source of the grammar: RFC 9112, sections 2 to 7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# What is taken of a head; beyond that an answer is malformed. Real ones stay below a tenth of all three.
LONGEST_LINE: Final = 16384
MOST_HEADERS: Final = 1024
LONGEST_HEAD: Final = 262144
# Interim answers (100, 103) beyond this many are a flood; see `AnswerReader.flooded`.
MOST_INTERIM: Final = 100
# What is kept of a head (decision D28).
KEPT_HEAD: Final = 65536

# How many heads are remembered with what they say, and how long such a head may be (bytes).
_HEADS_SEEN: Final = 256
_LONGEST_SEEN: Final = 1024

SWITCHING: Final = 101
_LOWEST_STATUS: Final = 100
_LOWEST_FINAL: Final = 200
_BODILESS: Final = frozenset({SWITCHING, 204, 304})
_BEGINNING: Final = b"HTTP/1."
_TLS_RECORD: Final = (b"\x15\x03", b"\x16\x03")  # alert, handshake
_SHOWN: Final = 40

_HEAD_END: Final = re.compile(rb"\n\r?\n")
_STATUS_LINE: Final = rb"HTTP/1\.(\d) (\d{3})(?: [^\x00\r\n]*+)?\r?\n"
# A value may go on in a line that begins with white space, as it did in HTTP/1.0.
_FIELD: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[^\x00\r\n]*+(?:\r?\n[ \t]++[^\x00\r\n]*+)*+\r?\n"
_HEAD: Final = re.compile(_STATUS_LINE + rb"((?:" + _FIELD + rb")*+)\r?\n")
_ONE_FIELD: Final = re.compile(_FIELD)
_FOLD: Final = re.compile(rb"\r?\n[ \t]+")
# Each field follows a line's end: the status line is before them.
_FRAMING: Final = re.compile(rb"\n(content-length|transfer-encoding|connection):[ \t]*+([^\r\n]*+)", re.IGNORECASE)
_LENGTH: Final = re.compile(rb"\d{1,18}[ \t]*")
_KEEP_ALIVE: Final = b"keep-alive"
_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00\r\n]*)?\r\n")
_CHUNK_LINE_PART: Final = re.compile(rb"(?:[0-9A-Fa-f]{1,15}[ \t]*(?:;[^\x00\r\n]{0,4096})?\r?)?")
_CHUNK_END: Final = b"\r\n"
_TRAILERS: Final = re.compile(rb"(?:" + _FIELD + rb")*+\r?\n")
# What `_chunk_left` says besides the bytes that are left of a chunk.
_LINE_NEXT: Final = -1
_TRAILERS_NEXT: Final = -2


class Malformed(Exception):
    """What came is not an HTTP/1.x answer; the text completes "Not an HTTP/1.x answer: …"."""


@dataclass(frozen=True, slots=True)
class _Head:
    """What a head says: its status, its lines as they are kept, where the body ends, and whether the connection may go on."""

    status: int
    kept: bytes
    length: int | None
    chunked: bool
    keep_alive: bool


class AnswerReader:
    """One answer. `status` is None until its headers are complete; `heard` tells whether any byte came.

    `head` is its header lines as bytes, at most 64 KiB; `body` the first `most_bytes` of its body.
    `complete` when all of it came, `overflowing` when its body is longer than what is kept.
    """

    __slots__ = (
        "_chunk_left",
        "_chunked",
        "_interim_count",
        "_keep_alive",
        "_length",
        "_most_bytes",
        "_pieces",
        "_received",
        "_rest",
        "_searched",
        "_skipped",
        "complete",
        "excess",
        "head",
        "heard",
        "status",
    )

    def __init__(self, *, most_bytes: int) -> None:
        self.status: int | None = None
        self.head = b""
        self.complete = False
        self.excess = False
        self.heard = False
        self._most_bytes = most_bytes
        self._rest = b""  # what came and is not read yet: part of a head, of a chunk's line, or of the trailers
        self._searched = 0
        self._skipped = 0
        self._interim_count = 0
        self._keep_alive = False
        self._length: int | None = None
        self._chunked = False
        self._chunk_left = _LINE_NEXT
        self._pieces: list[bytes] = []
        self._received = 0

    @property
    def flooded(self) -> bool:
        """Whether interim answers came beyond measure: reading on would serve nobody."""
        return self._interim_count > MOST_INTERIM

    @property
    def overflowing(self) -> bool:
        """Whether more of the body came than is kept."""
        return self._received > self._most_bytes

    @property
    def ended(self) -> bool:
        """Whether enough of it came: all, or more than is kept."""
        return self.complete or self.overflowing

    @property
    def reusable(self) -> bool:
        """Whether the connection is clean for another request: the answer ended by itself, and nothing followed it."""
        return self.complete and self._keep_alive and not self.excess

    @property
    def body(self) -> bytes:
        """The first bytes of the body, as many as are kept."""
        return b"".join(self._pieces)[: self._most_bytes]

    @property
    def size(self) -> int | None:
        """The body's true size in bytes: as it was announced, or as it was counted to its end; None when unknown."""
        return self._received if self.complete else self._length

    def feed(self, data: bytes) -> None:
        """Read on. Raises: Malformed."""
        self.heard = True
        if self.status is None:
            data = self._read_heads(data)
            if self.status is None:
                return
        if not self.complete:
            self._read_body(data)
        elif data:
            self.excess = True

    def feed_eof(self) -> None:
        """Take note that no more will come: this is the end of a body that has no other."""
        if self.status is not None and self._length is None and not self._chunked:
            self.complete = True

    # --- heads ------------------------------------------------------------------------------------------------------

    def _read_heads(self, data: bytes) -> bytes:
        """Read interim heads and the final one, and return what follows."""
        data = self._rest + data if self._rest else data
        while self.status is None and not self.flooded:
            if data[:1] in (b"\r", b"\n"):
                data = self._skip_line_ends(data)
            end = _HEAD_END.search(data, self._searched)
            if end is None:
                self._wait_for_more(data)
                return b""
            self._searched = 0
            self._read_head(data[: end.end()])
            data = data[end.end() :]
        self._rest = b""
        return data

    def _skip_line_ends(self, data: bytes) -> bytes:
        """Return what follows line ends before an answer, which a reader is to overlook."""
        found = data.lstrip(b"\r\n")
        self._skipped += len(data) - len(found)
        if self._skipped > LONGEST_LINE:
            raise Malformed("it begins with line ends alone")
        return found

    def _wait_for_more(self, data: bytes) -> None:
        check_beginning(data)
        if len(data) > LONGEST_HEAD:
            raise Malformed(f"its headers are longer than {LONGEST_HEAD} bytes")
        self._rest = data
        self._searched = max(0, len(data) - 2)

    def _read_head(self, head: bytes) -> None:
        read = _head_seen(head) if len(head) <= _LONGEST_SEEN else _head_of(head)
        if read.status < _LOWEST_FINAL and read.status != SWITCHING:
            self._interim_count += 1
            return
        self._length, self._chunked, self._keep_alive = read.length, read.chunked, read.keep_alive
        self.complete = read.length == 0
        self.status, self.head = read.status, read.kept

    # --- bodies -----------------------------------------------------------------------------------------------------

    def _read_body(self, data: bytes) -> None:
        if self._chunked:
            self._read_chunks(data)
            return
        if self._length is not None:
            left = self._length - self._received
            if len(data) >= left:
                self.complete, self.excess = True, len(data) > left
                data = data[:left]
        self._take(data)

    def _take(self, data: bytes) -> None:
        if self._received <= self._most_bytes:
            self._pieces.append(data)
        self._received += len(data)

    def _read_chunks(self, data: bytes) -> None:
        """Read chunks until the data ends, the answer does, or more came than is kept."""
        data = self._rest + data if self._rest else data
        at = 0
        while not self.complete and not self.overflowing:
            if self._chunk_left == _LINE_NEXT:
                at = self._read_whole_chunks(data, at)
            went_on = self._read_chunk_part(data, at)
            if went_on is None:
                break
            at = went_on
        self._rest = data[at:]
        self.excess = self.complete and at < len(data)

    def _read_whole_chunks(self, data: bytes, at: int) -> int:
        """Read the chunks that are there from their lines to their ends; return where the next part begins.

        Part by part, a body of tiny chunks kept the event loop for three times as long.
        """
        received, most, pieces = self._received, self._most_bytes, self._pieces
        while received <= most and (line := _CHUNK_LINE.match(data, at)) is not None:
            start, size = line.end(), int(line[1], 16)
            end = start + size
            if not size or data[end : end + 2] != _CHUNK_END:
                break
            pieces.append(data[start:end])
            received += size
            at = end + 2
        self._received = received
        return at

    def _read_chunk_part(self, data: bytes, at: int) -> int | None:
        """Read a chunk's line, its bytes or the trailers; return where the next part begins, None when more must come first."""
        if self._chunk_left == _LINE_NEXT:
            return self._read_chunk_line(data, at)
        if self._chunk_left == _TRAILERS_NEXT:
            return self._read_trailers(data, at)
        if self._chunk_left > 0:
            piece = data[at : at + self._chunk_left]
            self._take(piece)
            self._chunk_left -= len(piece)
            return at + len(piece) if piece else None
        end = data[at : at + 2]
        if end != _CHUNK_END[: len(end)]:
            raise Malformed(f"a chunk goes on with {data[at : at + _SHOWN]!r}")
        if len(end) < len(_CHUNK_END):
            return None
        self._chunk_left = _LINE_NEXT
        return at + len(_CHUNK_END)

    def _read_chunk_line(self, data: bytes, at: int) -> int | None:
        line = _CHUNK_LINE.match(data, at)
        if line is None:
            if _CHUNK_LINE_PART.fullmatch(data, at) is None:
                raise Malformed(f"a chunk begins with {data[at : at + _SHOWN]!r}")
            return None
        self._chunk_left = int(line[1], 16) or _TRAILERS_NEXT
        return line.end()

    def _read_trailers(self, data: bytes, at: int) -> int | None:
        trailers = _TRAILERS.match(data, at)
        if trailers is None:
            if len(data) - at > LONGEST_LINE or _HEAD_END.search(data, at):
                raise Malformed(f"its trailers are {data[at : at + _SHOWN]!r}")
            return None
        self.complete = True
        return trailers.end()


def check_beginning(answer: bytes) -> None:
    """Check that bytes can be the beginning of an HTTP/1.x answer. Raises: Malformed, saying what they are instead."""
    start = answer[: len(_BEGINNING)]
    if start == _BEGINNING[: len(start)]:
        return
    if answer.startswith(_TLS_RECORD):
        raise Malformed("it speaks TLS. Is the URL to begin with https://?")
    raise Malformed(f"it begins with {answer[:_SHOWN]!r}")


def check_measure(head: bytes) -> None:
    """Check that a head keeps to what is taken. Raises: Malformed."""
    if len(head) > LONGEST_HEAD:
        raise Malformed(f"its headers are longer than {LONGEST_HEAD} bytes")
    lines = head.split(b"\n")
    if len(lines) > MOST_HEADERS:
        raise Malformed(f"it has more than {MOST_HEADERS} header lines")
    if any(len(line) > LONGEST_LINE for line in lines):
        raise Malformed(f"it has a header line longer than {LONGEST_LINE} bytes")


def _head_of(head: bytes) -> _Head:
    """Read a head that is all there. Raises: Malformed."""
    found = _HEAD.fullmatch(head)
    if found is None:
        check_beginning(head)
        raise Malformed(_what_is_wrong(head))
    version, status, fields = found.groups()
    if len(head) > LONGEST_LINE or fields.count(b"\n") > MOST_HEADERS:
        check_measure(head)
    code = int(status)
    if code < _LOWEST_STATUS:
        raise Malformed(f"its status is {status.decode()}")
    kept = (fields if b"\r\n" in head else fields.replace(b"\n", b"\r\n"))[:KEPT_HEAD]
    if code < _LOWEST_FINAL and code != SWITCHING:
        return _Head(code, kept, length=None, chunked=False, keep_alive=False)
    if b"\n " in fields or b"\n\t" in fields:
        head = _FOLD.sub(b" ", head)
    return _framed(head, code, kept, keep_alive=version != b"0")


# A receiver's heads differ by their date, once a second, if at all: reading one anew was a fifth of our part of a send.
_head_seen = lru_cache(maxsize=_HEADS_SEEN)(_head_of)


def _framed(head: bytes, code: int, kept: bytes, *, keep_alive: bool) -> _Head:
    """Find out where the body ends, and whether the connection is for further use. Raises: Malformed."""
    length, coding = None, None
    for name, value in _FRAMING.findall(head):
        match len(name):
            case 14 if length is None:
                length = value
            case 14:
                raise Malformed("it has more than one Content-Length")
            case 17:
                coding = value
            case _:
                keep_alive = _says_keep_alive(value, otherwise=keep_alive)
    chunked, size = False, None
    if code in _BODILESS:
        size = 0
    elif coding is not None:
        if length is not None:
            raise Malformed("it has both a length and chunks")
        chunked = coding.lower().rpartition(b",")[2].strip() == b"chunked"
    elif length is not None:
        if _LENGTH.fullmatch(length) is None:
            raise Malformed(f"its Content-Length is {length[:_SHOWN]!r}")
        size = int(length)
    keep_alive = keep_alive and (chunked or size is not None) and code != SWITCHING
    return _Head(code, kept, length=size, chunked=chunked, keep_alive=keep_alive)


def _what_is_wrong(head: bytes) -> str:
    """Return which line of a head that does not fit the grammar is to blame."""
    status_line, _, fields = head.partition(b"\n")
    if re.fullmatch(_STATUS_LINE, status_line + b"\n") is None:
        return f"its status line is {status_line[:_SHOWN]!r}"
    at = 0
    while (field := _ONE_FIELD.match(fields, at)) is not None:
        at = field.end()
    return f"its header line {fields[at:].partition(chr(10).encode())[0][:_SHOWN]!r} is none"


def _says_keep_alive(connection: bytes, *, otherwise: bool) -> bool:
    if connection == _KEEP_ALIVE:
        return True  # which is what most say
    options = [option.strip() for option in connection.lower().split(b",")]
    return b"close" not in options and (otherwise or _KEEP_ALIVE in options)
