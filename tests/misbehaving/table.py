"""The table of receivers that misbehave: rows 1 to 31, each with its variants and what is expected of each.

Rows of more than one exchange (14, 15, 28, 29, 30, 31) begin here and go on in test_sequences.py and test_own_port.py.
"""

from __future__ import annotations

import zlib
from typing import Any, Final
from unittest.mock import ANY

from tests.misbehaving import handlers
from tests.misbehaving.rows import CHUNKED, HEAD, KEPT, LENGTH, Either, Seen, Variant, at, refused, retried, says, taken

LARGE: Final[dict[str, Any]] = {"text": "x" * 8_000_000}
MALFORMED: Final = retried("malformed")
TIMEOUT: Final = retried("timeout")
LENGTH_LINE: Final = b"Content-Length: 2\r\n"
CHUNKED_LINE: Final = b"Transfer-Encoding: chunked\r\n"


def _retry_after(value: str) -> list[Variant]:
    line = f"Retry-After: {value}\r\n".encode()
    head, tail = line + LENGTH_LINE, line + LENGTH
    return [
        says(f"503, {value}", b"HTTP/1.1 503 Busy\r\n" + tail, Seen("R", 503, None, head, b"ok", 2)),
        says(f"429, {value}", b"HTTP/1.1 429 Slow\r\n" + tail, refused(429, head=head, body=b"ok")),
    ]


def _redirect(status: int, location: str) -> Variant:
    head = f"Location: {location}\r\nContent-Length: 0\r\n".encode()
    expected = refused(status, error_class="redirect", head=head)
    return says(f"{status} to {location}", b"HTTP/1.1 %d Moved\r\n%b\r\n" % (status, head), expected)


def _bomb(coding: str, packed: bytes) -> Variant:
    head = f"Content-Encoding: {coding}\r\nContent-Length: {len(packed)}\r\n".encode()
    expected = taken(head, packed[:KEPT], size=len(packed), cut="size" if len(packed) > KEPT else None)
    return Variant(f"{coding}, {len(packed) / 1e6:.1f} MB", handlers.flood(HEAD + head + b"\r\n" + packed), expected)


def _packed(megabytes: int) -> bytes:
    """Return gzip's bytes of this many megabytes of zeros, made piece by piece."""
    packer = zlib.compressobj(1, wbits=31)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(megabytes)) + packer.flush()


def _malformed(answers: dict[str, bytes]) -> list[Variant]:
    return [says(name, answer, MALFORMED) for name, answer in answers.items()]


def _body(name: str, body: bytes, head: bytes = b"Content-Type: text/html; charset=bogus\r\n") -> Variant:
    return says(name, HEAD + head + b"\r\n" + body, taken(head, body))


NAMES: Final[dict[str, Any]] = {"nowhere": [], "hanging": None}

# brotli's bytes for a great many zeros begin so; nobody here unpacks them
BROTLI: Final = b"\xcf\xff\xff\x7f\xf8\x27\x00\xe2\xb1\x40\x20\xf0" * 20_000

ROWS: Final[dict[int, tuple[str, list[Variant]]]] = {
    1: ("refuses the connection", [Variant("nobody listens", handlers.nobody, retried("connect_refused"))]),
    2: (
        "does not resolve, or not in time",
        [
            Variant("no such name", handlers.address("http://nowhere:80/hook"), retried("dns")),
            Variant("the resolver hangs", handlers.address("http://hanging:80/hook"), retried("dns")),
        ],
    ),
    3: (
        "resets, or closes without an answer",
        [
            Variant("resets at once", at(handlers.reset_at_once), retried("reset")),
            Variant("resets after the request", at(handlers.reset_after_the_request), retried("reset")),
            Variant("closes", at(handlers.close_without_an_answer), retried("closed_early")),
            Variant("closes amid the headers", at(handlers.close_amid_the_headers), retried("closed_early")),
        ],
    ),
    4: ("accepts and never answers", [Variant("silent", at(handlers.say_nothing), TIMEOUT)]),
    5: ("never reads an 8 MB body", [Variant("deaf", at(handlers.read_nothing), TIMEOUT, LARGE)]),
    6: (
        "answers before it has read",
        [Variant("hasty", at(handlers.answer_before_reading), taken(LENGTH_LINE), LARGE)],
    ),
    7: ("drips its headers", [Variant("drips", at(handlers.drip_the_headers), TIMEOUT)]),
    8: (
        "never ends its body",
        [
            Variant(
                "drips", at(handlers.drip_the_body), taken(b"Content-Length: 1000\r\n", ANY, size=1000, cut="time")
            ),
            Variant(
                "hangs",
                at(handlers.begin_and_hang(HEAD + b"Content-Length: 1000\r\n\r\n", b"abc")),
                taken(b"Content-Length: 1000\r\n", b"abc", size=1000, cut="time"),
            ),
            Variant(
                "hangs amid chunks",
                at(handlers.begin_and_hang(CHUNKED, b"3\r\nabc\r\n")),
                taken(CHUNKED_LINE, b"abc", size=None, cut="time"),
            ),
        ],
    ),
    9: (
        "sends a body without end",
        [
            Variant(
                "500 MB",
                handlers.flood(HEAD + b"\r\n", *[b"x" * 1_000_000] * 500),
                taken(b"", b"x" * KEPT, size=None, cut="size"),
            )
        ],
    ),
    10: ("sends a bomb", [_bomb("gzip", _packed(200)), _bomb("br", BROTLI)]),
    11: (
        "lies about its coding",
        [
            _body("gzip that is none", b"ok", b"Content-Encoding: gzip\r\n"),
            _body("unknown", b"ok", b"Content-Encoding: zzz\r\n"),
        ],
    ),
    12: (
        "sends less than it said",
        [
            says(
                "3 of 1000 bytes",
                HEAD + b"Content-Length: 1000\r\n\r\nabc",
                taken(b"Content-Length: 1000\r\n", b"abc", size=None, cut="early_close"),
            ),
            says("no last chunk", CHUNKED + b"3\r\nabc\r\n", taken(CHUNKED_LINE, b"abc", size=None, cut="early_close")),
        ],
    ),
    13: (
        "glues something to its answer",
        [
            says("a second answer", HEAD + LENGTH + b"HTTP/1.1 500 No\r\n" + LENGTH, taken(LENGTH_LINE)),
            says("half a second answer", HEAD + LENGTH + b"HTTP/1.1 500 N", taken(LENGTH_LINE)),
            says("garbage", HEAD + LENGTH + b"\x00garbage", taken(LENGTH_LINE)),
            says("garbage inside", CHUNKED + b"2\r\nok\r\ngarbage\r\n", MALFORMED),
            Variant(
                "garbage inside, later",
                at(handlers.break_the_chunks_later),
                taken(CHUNKED_LINE, size=None, cut="early_close"),
            ),
        ],
    ),
    14: (
        "sends a second answer 0.1 s later",
        [Variant("the first event", at(handlers.number_the_answers), taken(b"Content-Length: 1\r\n", b"1"))],
    ),
    15: (
        "promises to keep the connection, and closes",
        [Variant("the first event", at(handlers.promise_and_close), taken(LENGTH_LINE, b"{}"))],
    ),
    16: (
        "redirects",
        [
            _redirect(status, location)
            for status in (301, 302, 303, 307, 308)
            for location in ("/hook", "file:///etc/passwd", "http://169.254.169.254/latest/meta-data/")
        ],
    ),
    17: (
        "answers with an odd status",
        [
            says("101", b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n", refused(101, head=ANY)),
            says("304", b"HTTP/1.1 304 No\r\n\r\n", refused(304, error_class="redirect", head=b"")),
            says("600", b"HTTP/1.1 600 What\r\n" + LENGTH, refused(600, body=b"ok")),
            says("999", b"HTTP/1.1 999 What\r\n" + LENGTH, refused(999, body=b"ok")),
        ],
    ),
    18: (
        "says for ever that the answer will come",
        [
            Variant("100", handlers.flood(*[b"HTTP/1.1 100 Continue\r\n\r\n" * 40_000] * 50), TIMEOUT),
            Variant("103", handlers.flood(*[b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" * 30_000] * 50), TIMEOUT),
        ],
    ),
    19: (
        "sends headers without measure",
        [
            Variant("a line of 8 MB", handlers.flood(HEAD + b"X: " + b"a" * 8_000_000 + b"\r\n" + LENGTH), MALFORMED),
            Variant("200,000 lines", handlers.flood(HEAD + b"X: y\r\n" * 200_000 + LENGTH), MALFORMED),
        ],
    ),
    20: (
        "sends headers that are none",
        _malformed(
            {
                "NUL in a header": HEAD + b"X: a\x00b\r\n" + LENGTH,
                "a space in a name": HEAD + b"X Y: a\r\n" + LENGTH,
                "two lengths": HEAD + b"Content-Length: 3\r\n" + LENGTH,
                "a negative length": HEAD + b"Content-Length: -2\r\n\r\nok",
                "a length and chunks": HEAD + b"Transfer-Encoding: chunked\r\n" + LENGTH,
                "a bad chunk size": CHUNKED + b"xyz\r\nok\r\n0\r\n\r\n",
            }
        ),
    ),
    21: (
        "is sloppy",
        [
            says("bare LF", b"HTTP/1.1 200 OK\nX: y\nContent-Length: 2\n\nok", taken(b"X: y\r\nContent-Length: 2\r\n")),
            says("no reason", b"HTTP/1.1 200\r\n" + LENGTH, taken(LENGTH_LINE)),
            says("latin-1", HEAD + b"X: caf\xe9\r\n" + LENGTH, taken(b"X: caf\xe9\r\n" + LENGTH_LINE)),
        ],
    ),
    22: (
        "speaks something else",
        _malformed(
            {
                "HTTP/0.9": b"<html>hello</html>",
                "HTTP/2 frames": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80",
                "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
                "nonsense": b"SSH-2.0-OpenSSH_9.6\r\n",
            }
        ),
    ),
    23: (
        "sends a million chunks of a byte",
        [
            Variant(
                "a million chunks",
                handlers.flood(CHUNKED, b"1\r\na\r\n" * 1_000_000),
                taken(CHUNKED_LINE, ANY, size=None, cut=Either("size", "time")),
            )
        ],
    ),
    24: (
        "sends what must not be shown as it is",
        [
            _body("NUL", b"a\x00b"),
            _body("invalid UTF-8", b"\xff\xfe\xc3"),
            _body("ANSI escapes", b"\x1b[2J\x1b]0;owned\x07"),
            _body("a script", b"<script>alert(1)</script>"),
        ],
    ),
    25: ("sets a cookie", [_body("the first event", b"ok", b"Set-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n")]),
    27: (
        "asks to be left alone",
        [
            v
            for value in ("99999999999999999999", "-1", "soon", "Fri, 31 Dec 9999 23:59:59 GMT")
            for v in _retry_after(value)
        ],
    ),
    28: (
        "answers 204 with a body",
        [
            says(
                "204",
                b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
                taken(b"Content-Length: 5\r\n", b"", status=204),
            )
        ],
    ),
}
