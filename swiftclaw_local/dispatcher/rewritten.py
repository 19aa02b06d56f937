"""The usual ways in which a body is changed between the socket and the check of its signature.

Each is a guess with a name for people; it knows nothing of signatures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any, Final

# Whole numbers above this lose digits in JavaScript.
_SAFE_INTEGER: Final = 2**53 - 1
# From here on JavaScript writes numbers with an exponent.
_LARGEST_WITHOUT_EXPONENT: Final = 1e21
_SMALLEST_WITHOUT_EXPONENT: Final = 1e-6
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)
_FIRST_NO_INDEX: Final = 2**32 - 1
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A body as it may have become: `reason` names the kind of change, `how` completes "after ..."."""

    reason: str
    how: str
    body: bytes


def rewritten(body: bytes) -> Iterator[Rewritten]:
    """Yield the usual changes of a body that differ from it, the likeliest first."""
    yield from (guess for guess in every_rewriting(body) if guess.body != body)


def every_rewriting(body: bytes) -> Iterator[Rewritten]:
    """Yield the usual changes of a body, those too that leave this one as it is; the likeliest first."""
    yield from _as_json(body)
    yield Rewritten("whitespace", "the white space around it is taken off", body.strip())
    yield Rewritten("whitespace", "a newline is added at the end", body + b"\n")
    yield Rewritten("whitespace", "a CRLF is added at the end", body + b"\r\n")
    unix = body.replace(b"\r\n", b"\n")
    yield Rewritten("whitespace", "its line ends become LF", unix)
    yield Rewritten("whitespace", "its line ends become LF and the last one is taken off", unix.strip())
    yield Rewritten("whitespace", "its line ends become CRLF", unix.replace(b"\n", b"\r\n"))
    yield Rewritten("encoding", "its byte order mark is taken off", body.removeprefix(_BOM))
    yield Rewritten("encoding", "a byte order mark is put before it", _BOM + body)
    yield Rewritten("encoding", "it is read as ASCII and what is not ASCII is left out", _ascii(body))
    yield Rewritten("encoding", "it is read as Latin-1 and written as UTF-8", body.decode("latin-1").encode())
    yield Rewritten("encoding", "bytes that are not UTF-8 are replaced", body.decode(errors="replace").encode())
    yield Rewritten("empty_body", "it is left empty, as when the stream had been read before", b"")


def _ascii(body: bytes) -> bytes:
    return body.decode("ascii", errors="ignore").encode()


def _as_json(body: bytes) -> Iterator[Rewritten]:
    """Yield the body parsed and written again; nothing when it is not JSON, or nests too deeply to be tried."""
    try:
        value = json.loads(body)
        written = [(how, write(value)) for how, write in _WRITERS.items()]
    except (ValueError, OverflowError, RecursionError):
        return
    for how, text in written:
        yield Rewritten("reserialised", how, text.encode(errors="replace"))


def _javascript(value: Any) -> str:
    match value:
        case dict():
            return "{" + ",".join(f"{_quoted(key)}:{_javascript(value[key])}" for key in _property_order(value)) + "}"
        case list():
            return "[" + ",".join(map(_javascript, value)) + "]"
        case str():
            return _quoted(value)
        case bool() | None:
            return json.dumps(value)
        case _:
            return _javascript_number(value)


def _property_order(value: dict[str, Any]) -> list[str]:
    """Return an object's keys as JavaScript orders them: array indexes first, by size, then the rest as written."""
    indexes = {key for key in value if _INDEX.fullmatch(key) and int(key) < _FIRST_NO_INDEX}
    return sorted(indexes, key=int) + [key for key in value if key not in indexes]


def _javascript_number(number: int | float) -> str:
    if isinstance(number, int) and abs(number) <= _SAFE_INTEGER:
        return str(number)
    value = float(number)
    if not isfinite(value):
        return "null"
    if value == 0:
        return "0"
    if _SMALLEST_WITHOUT_EXPONENT <= abs(value) < _LARGEST_WITHOUT_EXPONENT:
        text = format(Decimal(repr(value)), "f")
        return text.removesuffix(".0")
    return repr(value).replace("e-0", "e-")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _python(**options: Any) -> Callable[[Any], str]:
    return json.JSONEncoder(**options).encode


def _compact(**options: Any) -> Callable[[Any], str]:
    return _python(separators=(",", ":"), **options)


def _go(value: Any) -> str:
    text = _compact(ensure_ascii=False, sort_keys=True)(value)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _php(value: Any) -> str:
    return _compact()(value).replace("/", "\\/")


_WRITERS: Final[dict[str, Callable[[Any], str]]] = {
    "JSON.stringify()": _javascript,
    "Python's json.dumps()": _python(),
    "Python's json.dumps(ensure_ascii=False)": _python(ensure_ascii=False),
    'Python\'s json.dumps(separators=(",", ":"))': _compact(),
    'Python\'s json.dumps(separators=(",", ":"), ensure_ascii=False)': _compact(ensure_ascii=False),
    "Python's json.dumps(sort_keys=True)": _python(sort_keys=True),
    "its keys are sorted and it is written compactly": _compact(ensure_ascii=False, sort_keys=True),
    "its keys are sorted and it is written compactly in ASCII": _compact(sort_keys=True),
    "JSON.stringify(body, null, 2)": _python(ensure_ascii=False, indent=2),
    "Python's json.dumps(indent=2)": _python(indent=2),
    "JSON.stringify(body, null, 4)": _python(ensure_ascii=False, indent=4),
    "Python's json.dumps(indent=4)": _python(indent=4),
    "Go's json.Marshal()": _go,
    "PHP's json_encode()": _php,
    "being turned into a JSON string": lambda value: _quoted(_javascript(value)),
    "Python's str()": str,
}
