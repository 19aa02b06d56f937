"""Reads JSON from a request, strictly: what a receiver in another language could read differently is refused here.

At most 1 MiB, UTF-8, whatever the content type says; no duplicate keys, no NaN, no number outside 64 bits, no half of a
surrogate pair, 64 levels at most. It does not know what the JSON means.
"""

from __future__ import annotations

import asyncio
import codecs
import json
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from aiohttp import web

from swiftclaw_local.errors import BodyTooLarge, InvalidInput, InvalidJson
from swiftclaw_local.events.sendable import MAX_DEPTH, MAX_INTEGER

MAX_BODY: Final = 1024 * 1024
READ_S: Final = 10.0
_INTEGER_DIGITS: Final = 20  # of 2^63 with its sign; longer ones are not even turned into a number


async def read_json_object(request: web.Request) -> dict[str, Any]:
    """Return the request's body, an object; an empty body is an empty object.

    Raises: BodyTooLarge; InvalidJson; InvalidInput when the body is compressed or does not arrive in time.
    """
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise InvalidInput(f"The body is compressed ({encoding[:20]}).", hint="Send it as it is.")
    return parse_json_object(await _read(request))


def parse_json_object(raw: bytes) -> dict[str, Any]:
    """Return the object that these bytes are. Raises: InvalidJson, saying what is wrong and where."""
    if not raw.strip():
        return {}
    value = parse_json(raw)
    if not isinstance(value, dict):
        kind = {list: "a list", str: "a string", bool: "true or false", type(None): "null"}.get(type(value), "a number")
        raise InvalidJson(f"The body is {kind}.", hint='Write an object: {"name": "value"}')
    return value


def parse_json(raw: bytes) -> Any:
    """Return the value that these bytes are. Raises: InvalidJson."""
    if raw.startswith(codecs.BOM_UTF8):
        raise InvalidJson("The body begins with a byte order mark.", hint="Leave the first three bytes out.")
    try:
        text = raw.decode("utf-8")
        value = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise InvalidJson(f"The body is not UTF-8: byte {error.start} is 0x{raw[error.start]:02x}.") from None
    except json.JSONDecodeError as error:
        raise InvalidJson(
            f"The body is not valid JSON: line {error.lineno}, column {error.colno}: {error.msg}."
        ) from None
    except RecursionError:
        raise InvalidJson(f"The JSON nests deeper than {MAX_DEPTH} levels.") from None
    if "\\u" in text or text.count("[") + text.count("{") > MAX_DEPTH:  # else neither can be wrong
        _check_nested(value)
    return value


async def _read(request: web.Request) -> bytes:
    try:
        if request.content.is_eof():  # it came with its head, and needs no timer
            return await request.read()
        async with asyncio.timeout(READ_S):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise BodyTooLarge(f"The body is larger than {MAX_BODY // 1024} KiB.") from None
    except TimeoutError:
        raise InvalidInput(f"The body did not arrive within {READ_S:g}s.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InvalidJson(
            f'The key "{twice[:80]}" appears twice in one object.', hint="Receivers differ in which they take."
        )
    return found


def _integer(text: str) -> int:
    number = int(text) if len(text) <= _INTEGER_DIGITS else MAX_INTEGER
    if not -MAX_INTEGER <= number < MAX_INTEGER:
        raise InvalidJson(
            f"The integer {text[:30]} does not fit the 64 bits that receivers can read.", hint="Send it as a string."
        )
    return number


def _number(text: str) -> float:
    number = float(text)
    if number in (float("inf"), -float("inf")):
        raise InvalidJson(f"The number {text[:30]} is larger than any that receivers can read.")
    return number


def _no_constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not JSON.", hint="Write null, or leave the key out.")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_no_constant
)


def _check_nested(value: object) -> None:
    pending: list[tuple[object, str, int]] = [(value, "", 1)]
    while pending:
        item, where, depth = pending.pop()
        if depth > MAX_DEPTH and isinstance(item, dict | list):
            raise InvalidJson(f"The JSON nests deeper than {MAX_DEPTH} levels, at {where[:60]}….")
        if isinstance(item, str):
            _check_text(item, where)
        pending += [(child, name, depth + 1) for child, name in _children(item, where)]


def _children(item: object, where: str) -> Iterator[tuple[object, str]]:
    if isinstance(item, dict):
        for key, child in item.items():
            _check_text(key, f"a key of {where or 'the object'}")
            yield child, f"{where}.{key}" if where else key
    elif isinstance(item, list):
        for number, child in enumerate(item):
            yield child, f"{where}[{number}]"


def _check_text(text: str, where: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidJson(
            f"The JSON holds half of a surrogate pair (as \\ud800) at {where[:80]}, which is not text.",
            hint="Write the whole pair, or the character itself.",
        ) from None
