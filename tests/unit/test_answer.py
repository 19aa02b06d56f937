"""One answer is read the same however it is cut into pieces, and what could be read in two ways is refused."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftclaw_local.dispatcher.answer import (
    KEPT_HEAD,
    LONGEST_HEAD,
    LONGEST_LINE,
    MOST_HEADERS,
    MOST_INTERIM,
    AnswerReader,
    Malformed,
)

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
KEPT = 16


def read(*pieces: bytes, eof: bool = False, most_bytes: int = KEPT) -> AnswerReader:
    reader = AnswerReader(most_bytes=most_bytes)
    for piece in pieces:
        reader.feed(piece)
    if eof:
        reader.feed_eof()
    return reader


def seen(reader: AnswerReader) -> tuple[object, ...]:
    return reader.status, reader.head, reader.body, reader.size, reader.complete, reader.reusable


ANSWERS = {
    "a length": (
        HEAD + b"A: b\r\nContent-Length: 2\r\n\r\nok",
        (200, b"A: b\r\nContent-Length: 2\r\n", b"ok", 2, True, True),
    ),
    "no body": (HEAD + b"content-length: 0\r\n\r\n", (200, b"content-length: 0\r\n", b"", 0, True, True)),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", b"", 0, True, True)),
    "304 with a length": (
        b"HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n",
        (304, b"Content-Length: 5\r\n", b"", 0, True, True),
    ),
    "101": (b"HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n", (101, b"Upgrade: x\r\n", b"", 0, True, False)),
    "chunks": (
        CHUNKED + b"2;a=b\r\nab\r\n001 \r\nc\r\n0\r\nTrailer: x\r\n\r\n",
        (200, b"Transfer-Encoding: chunked\r\n", b"abc", 3, True, True),
    ),
    "gzip in chunks": (
        HEAD + b"Transfer-Encoding: gzip, Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        (200, b"Transfer-Encoding: gzip, Chunked\r\n", b"x", 1, True, True),
    ),
    "until the end": (HEAD + b"\r\nok", (200, b"", b"ok", None, False, False)),
    "another coding": (
        HEAD + b"Transfer-Encoding: gzip\r\n\r\nok",
        (200, b"Transfer-Encoding: gzip\r\n", b"ok", None, False, False),
    ),
    "too little": (HEAD + b"Content-Length: 9\r\n\r\nok", (200, b"Content-Length: 9\r\n", b"ok", 9, False, False)),
    "too much": (HEAD + b"Content-Length: 1\r\n\r\nok", (200, b"Content-Length: 1\r\n", b"o", 1, True, False)),
    "too much after chunks": (CHUNKED + b"0\r\n\r\nx", (200, b"Transfer-Encoding: chunked\r\n", b"", 0, True, False)),
    "close": (
        HEAD + b"Connection: Close\r\nContent-Length: 0\r\n\r\n",
        (200, b"Connection: Close\r\nContent-Length: 0\r\n", b"", 0, True, False),
    ),
    "HTTP/1.0": (b"HTTP/1.0 200\r\nContent-Length: 0\r\n\r\n", (200, b"Content-Length: 0\r\n", b"", 0, True, False)),
    "HTTP/1.0 that is kept": (
        b"HTTP/1.0 200\r\nContent-Length: 0\r\nConnection: x, Keep-Alive\r\n\r\n",
        (200, b"Content-Length: 0\r\nConnection: x, Keep-Alive\r\n", b"", 0, True, True),
    ),
    "interim answers": (
        b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\n" + HEAD + b"Content-Length: 0\r\n\r\n",
        (200, b"Content-Length: 0\r\n", b"", 0, True, True),
    ),
    "bare line feeds": (
        b"HTTP/1.1 200 OK\nA: b\nContent-Length: 2\n\nok",
        (200, b"A: b\r\nContent-Length: 2\r\n", b"ok", 2, True, True),
    ),
    "line ends before it": (
        b"\r\n\n" + HEAD + b"Content-Length: 0\r\n\r\n",
        (200, b"Content-Length: 0\r\n", b"", 0, True, True),
    ),
    "a folded header": (
        HEAD + b"A: b\r\n  c\r\nContent-Length:\r\n 2\r\n\r\nok",
        (200, b"A: b\r\n  c\r\nContent-Length:\r\n 2\r\n", b"ok", 2, True, True),
    ),
    "any byte but NUL": (
        HEAD + b"A:\xff\x1b\x07\r\nContent-Length: 0\r\n\r\n",
        (200, b"A:\xff\x1b\x07\r\nContent-Length: 0\r\n", b"", 0, True, True),
    ),
}


@pytest.mark.parametrize(("answer", "expected"), ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_is_read_whole_and_byte_by_byte_alike(answer: bytes, expected: tuple[object, ...]) -> None:
    assert seen(read(answer)) == expected
    assert seen(read(*(bytes([byte]) for byte in answer))) == expected


@given(st.sampled_from([answer for answer, _ in ANSWERS.values()]), st.lists(st.integers(0, 120), max_size=6))
def test_an_answer_is_read_the_same_however_it_is_cut(answer: bytes, cuts: list[int]) -> None:
    edges = sorted({0, *(cut for cut in cuts if cut < len(answer)), len(answer)})
    pieces = [answer[start:end] for start, end in pairwise(edges)]
    assert seen(read(*pieces)) == seen(read(answer))


@given(
    st.binary(max_size=200), st.sampled_from([b"", HEAD, HEAD + b"\r\n", CHUNKED, HEAD + b"Content-Length: 3\r\n\r\n"])
)
def test_nothing_but_malformed_is_ever_raised(garbage: bytes, beginning: bytes) -> None:
    with suppress(Malformed):
        reader = read(beginning + garbage, eof=True)
        assert reader.status is None or 100 <= reader.status <= 999


MALFORMED = {
    "NUL": HEAD + b"A: \x00\r\n\r\n",
    "a space in a name": HEAD + b"A B: c\r\n\r\n",
    "a space before the colon": HEAD + b"A : b\r\n\r\n",
    "no colon": HEAD + b"nonsense\r\n\r\n",
    "no name": HEAD + b": b\r\n\r\n",
    "a bare carriage return": HEAD + b"A: b\rContent-Length: 1\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "a length of words": HEAD + b"Content-Length: two\r\n\r\n",
    "a length with a sign": HEAD + b"Content-Length: +2\r\n\r\n",
    "a length folded into two": HEAD + b"Content-Length: 1\r\n 2\r\n\r\n",
    "a length beyond measure": HEAD + b"Content-Length: " + b"9" * 19 + b"\r\n\r\n",
    "a length and chunks": HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a chunk without a size": CHUNKED + b"\r\n",
    "a chunk of no number": CHUNKED + b"xyz\r\n",
    "a chunk of no number, unfinished": CHUNKED + b"garbage",
    "a chunk with a negative size": CHUNKED + b"-1\r\n",
    "a chunk beyond measure": CHUNKED + b"f" * 16 + b"\r\n",
    "a chunk longer than it says": CHUNKED + b"1\r\nabc\r\n",
    "trailers that are none": CHUNKED + b"0\r\nno trailer\r\n\r\n",
    "endless trailers": CHUNKED + b"0\r\n" + b"A: b\r\n" * LONGEST_LINE,
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "a status of letters": b"HTTP/1.1 2OO OK\r\n\r\n",
    "a status below 100": b"HTTP/1.1 099 X\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/0.9": b"<html>",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x46",
    "line ends alone": b"\r\n" * LONGEST_LINE,
    "a line too long": HEAD + b"A: " + b"b" * LONGEST_LINE + b"\r\n\r\n",
    "too many lines": HEAD + b"A: b\r\n" * (MOST_HEADERS + 1) + b"\r\n",
    "a head without end": HEAD + b"A: b\r\n" * (LONGEST_HEAD // 6),
    "a line without end": HEAD + b"A: " + b"b" * LONGEST_HEAD,
}


@pytest.mark.parametrize("answer", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_answer_or_two_is_malformed(answer: bytes) -> None:
    with pytest.raises(Malformed):
        read(answer)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (HEAD + b"A: b\r\nC D: e\r\n\r\n", "its header line b'C D: e\\r' is none"),
        (b"HTTP/1.1 2OO OK\r\n\r\n", "its status line is b'HTTP/1.1 2OO OK\\r'"),
        (b"SSH-2.0", "it begins with b'SSH-2.0'"),
        (b"\x16\x03\x01", "it speaks TLS. Is the URL to begin with https://?"),
        (CHUNKED + b"xyz\r\n", "a chunk begins with b'xyz\\r\\n'"),
    ],
)
def test_it_is_told_what_is_wrong(answer: bytes, told: str) -> None:
    with pytest.raises(Malformed) as raised:
        read(answer)
    assert str(raised.value) == told


def test_a_body_without_an_end_of_its_own_ends_with_the_connection() -> None:
    assert seen(read(HEAD + b"\r\nok", eof=True)) == (200, b"", b"ok", 2, True, False)


def test_a_body_that_was_announced_does_not() -> None:
    assert not read(HEAD + b"Content-Length: 9\r\n\r\nok", eof=True).complete
    assert not read(CHUNKED + b"2\r\nok\r\n", eof=True).complete


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        (HEAD + b"Content-Length: 40\r\n\r\n" + b"x" * 30, 40),
        (HEAD + b"\r\n" + b"x" * 30, None),
        (CHUNKED + b"1\r\nx\r\n" * 30, None),
    ],
)
def test_reading_ends_when_more_came_than_is_kept(answer: bytes, size: int | None) -> None:
    reader = read(answer)
    assert (reader.body, reader.ended, reader.overflowing, reader.size) == (b"x" * KEPT, True, True, size)


def test_a_flood_of_interim_answers_is_not_read_on() -> None:
    reader = read(b"HTTP/1.1 103 E\r\n\r\n" * (MOST_INTERIM + 1) + HEAD + b"Content-Length: 0\r\n\r\n")
    assert (reader.status, reader.flooded) == (None, True)


def test_of_many_header_lines_64_kib_are_kept() -> None:
    reader = read(HEAD + (b"A: " + b"b" * 1000 + b"\r\n") * 100 + b"\r\n")
    assert len(reader.head) == KEPT_HEAD


def test_it_is_known_whether_anything_was_heard() -> None:
    assert [read().heard, read(b"H").heard] == [False, True]
