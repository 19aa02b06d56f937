"""An event's `data` as it is typed: `--data FILE`, `--set data.k=v`, `--unset k`, each laid over the one before.

Pure but for reading the file. It knows no API: what becomes of the data is the command's matter.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from swiftclaw_local.errors import InvalidInput, InvalidJson

JsonObject = dict[str, Any]
Steps = tuple[str, ...]

_SHOWN_BEFORE: Final = 50
_SHOWN_AFTER: Final = 30
_EXPECTED: Final = {
    "Expecting value": "expected a value",
    "Expecting ':' delimiter": "expected ':'",
    "Expecting property name enclosed in double quotes": "expected a name in double quotes",
    "Illegal trailing comma before end of object": "a comma before '}' is not allowed",
    "Illegal trailing comma before end of array": "a comma before ']' is not allowed",
    "Extra data": "expected the end of the file",
    "Unterminated string starting at": "this string has no closing quote",
    "Invalid control character at": "a line break or control character inside a string; write \\n",
    "Invalid \\escape": "an unknown escape after \\",
    "Invalid \\uXXXX escape": "expected four hex digits after \\u",
}


def read_data(name: str, *, flag: str = "--data") -> JsonObject:
    """Return the JSON object in a file, or on stdin for `-`.

    Raises: InvalidJson with line, column and a caret; InvalidInput when the file cannot be read or holds no object.
    """
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise InvalidInput(f"{flag} {name}: there is no such file.", field="data") from None
    except UnicodeDecodeError as error:
        raise InvalidJson(f"{flag} {name} is not UTF-8: byte {error.start + 1} fits no character.") from None
    except OSError as error:
        raise InvalidInput(f"{flag} {name} cannot be read: {error.strerror}.", field="data") from None
    return parse_data(text, source=f"{flag} {name}")


def parse_data(text: str, *, source: str) -> JsonObject:
    """Return the JSON object written in `text`; `source` is what the errors call it.

    Raises: InvalidJson with line, column and a caret; InvalidInput when it is another value than an object.
    """
    try:
        value = json.loads(text, object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InvalidJson(_where(error, source=source), field="data") from None
    except RecursionError:
        raise InvalidJson(f"{source} nests too deeply; 64 levels are the most.", field="data") from None
    except ValueError as error:
        raise InvalidJson(f"{source} cannot be sent: {error}.", field="data") from None
    if not isinstance(value, dict):
        raise InvalidInput(
            f"{source} holds {_kind(value)}; an event's data is a JSON object.",
            hint='Write {"tokens_used": 450}.',
            field="data",
        )
    return value


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed about an event's data; `exact`: it is all of the data, no sample lies under it."""

    file: JsonObject | None = None
    settings: tuple[tuple[Steps, Any], ...] = ()
    unset: tuple[Steps, ...] = ()
    exact: bool = False


def composed(typed: Typed, *, sample: Callable[[], JsonObject]) -> tuple[JsonObject | None, bool]:
    """Return the data to emit, and whether it is the whole data; if not, the server lays it over its own sample.

    The sample is asked for only when a part of it is changed or left out. None: nothing was typed.

    Raises: InvalidInput when what is to be left out is not there.
    """
    given = typed.file or {}
    if typed.file is None and not typed.settings and not typed.unset:
        return ({}, True) if typed.exact else (None, False)
    inside = any(len(path) > 1 and path[0] not in given for path, _ in typed.settings)
    base = sample() if not typed.exact and (typed.unset or inside) else {}
    data = base | given
    for path, value in typed.settings:
        data = assign(data, path, value)
    for path in typed.unset:
        data = remove(data, path)
    if typed.exact or typed.unset:
        return data, True
    return {name: data[name] for name in [*given, *(path[0] for path, _ in typed.settings)]}, False


def parse_setting(text: str) -> tuple[Steps, Any]:
    """Return the path and the value of `data.k=v`: the value as JSON where it is JSON, else as text.

    Raises: InvalidInput.
    """
    path, equals, written = text.partition("=")
    if not equals:
        raise InvalidInput(f'--set "{text}" has no value.', hint=f"Write --set {_with_data(text)}=value", field="set")
    if path != "data" and not path.startswith("data."):
        hint = "The event's own id and time have flags: --id, --created." if path in ("id", "created") else None
        raise InvalidInput(
            f'--set "{text}" is not inside the data. Did you mean --set {_with_data(path)}={written} ?',
            hint=hint,
            field="set",
        )
    try:
        value = json.loads(written, object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        value = written
    return _steps(path.removeprefix("data").removeprefix("."), flag="--set", text=text), value


def parse_unset(text: str) -> Steps:
    """Return the path of `k`, `k.l` or `data.k`. Raises: InvalidInput."""
    return _steps(text.removeprefix("data."), flag="--unset", text=text)


def assign(data: JsonObject, path: Steps, value: Any) -> JsonObject:
    """Return the data with the value at a path; what is on the way and no object is replaced by one."""
    changed = deepcopy(data)
    place = changed
    for step in path[:-1]:
        if not isinstance(place.get(step), dict):
            place[step] = {}
        place = place[step]
    place[path[-1]] = value
    return changed


def remove(data: JsonObject, path: Steps) -> JsonObject:
    """Return the data without what is at a path.

    Raises: InvalidInput when nothing is there.
    """
    changed = deepcopy(data)
    place: Any = changed
    for step in path[:-1]:
        place = place.get(step) if isinstance(place, dict) else None
    if not isinstance(place, dict) or path[-1] not in place:
        names = ", ".join(changed) or "nothing"
        raise InvalidInput(f"--unset {'.'.join(path)}: the data has no such name. It has: {names}.", field="unset")
    del place[path[-1]]
    return changed


def _where(error: json.JSONDecodeError, *, source: str) -> str:
    expected = _EXPECTED.get(error.msg, error.msg)
    if error.msg == "Expecting ',' delimiter":
        expected = f"expected ',' or '{_closing(error.doc[: error.pos])}'"
    elif error.pos >= len(error.doc) and error.msg == "Expecting value":
        expected = "expected a value, found the end of the file"
    lines = error.doc.splitlines() or [""]
    line = lines[error.lineno - 1] if error.lineno <= len(lines) else ""
    start = max(0, error.colno - 1 - _SHOWN_BEFORE)
    shown = line[start : error.colno - 1 + _SHOWN_AFTER].replace("\t", " ")
    caret = " " * (error.colno - 1 - start) + "^"
    place = f"line {error.lineno}, column {error.colno}"
    return f"{source} is not valid JSON: {place}: {expected}\n  {shown}\n  {caret}"


def _closing(text: str) -> str:
    """Return the bracket that closes what is open at the end of `text`."""
    open_brackets: list[str] = []
    in_string = escaped = False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "{[":
            open_brackets.append("}" if character == "{" else "]")
        elif character in "}]" and open_brackets:
            open_brackets.pop()
    return open_brackets[-1] if open_brackets else "}"


def _no_doubles(pairs: list[tuple[str, Any]]) -> JsonObject:
    seen: JsonObject = {}
    for name, value in pairs:
        if name in seen:
            raise ValueError(f'the name "{name}" stands twice in one object')
        seen[name] = value
    return seen


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _kind(value: object) -> str:
    match value:
        case list():
            return "a list"
        case str():
            return "a text"
        case None:
            return "null"
        case bool():
            return "true or false"
        case _:
            return "a number"


def _steps(path: str, *, flag: str, text: str) -> Steps:
    steps = tuple(path.split("."))
    if not all(steps):
        raise InvalidInput(f'{flag} "{text}" names nothing inside the data.', hint=f"Write {flag} data.name=value")
    return steps


def _with_data(path: str) -> str:
    return path if path.startswith("data.") else f"data.{path}"
