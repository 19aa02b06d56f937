"""The file of a recording: one JSON object a line, the first of them its version. Pure; it knows no server and no secret.

An event's bytes come out exactly as they went in: as the object `event` where writing it compactly gives the same bytes
again, else as the text `body`, and as `body_base64` where they are no UTF-8. Every mistake is told with line and column.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from json.decoder import scanstring  # type: ignore[attr-defined] # what the parser itself reads strings with
from typing import Any, Final, NoReturn

from swiftclaw_local.errors import InvalidJson, InvalidRecording, RecordingTooNew
from swiftclaw_local.events.catalog import is_system
from swiftclaw_local.events.sendable import EVENT_ID_MAX_LENGTH, check_json
from swiftclaw_local.plays.places import Place, told

Json = dict[str, Any]

VERSION: Final = 1
HEADER: Final = "swiftclaw_recording"
MOST_LINE_BYTES: Final = 4 << 20
LAST_SECOND: Final = 253_402_300_799  # of the year 9999
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_TYPE: Final = re.compile(r"[!-~]{1,100}")
_ID: Final = re.compile(rf"[!-~]{{1,{EVENT_ID_MAX_LENGTH}}}")
_AGENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_KEYS_OF_HEADER: Final = (HEADER, "made_by", "from")
_KEYS_OF_WEBHOOK: Final = ("webhook",)
_KEYS_OF_EVENT: Final = ("at", "agent", "event", "body", "body_base64")
_FORMS: Final = ("event", "body", "body_base64")
_INTEGER_DIGITS: Final = 20  # of 2^63 with its sign
_EVENT: Final = ("id", "type", "created", "data")


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook that was there: for people, who may want to register the like. No secret, and no query in its URL."""

    id: str
    agent: str
    url: str
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event: `body` is its exact bytes; `at` is when it was announced, unix seconds; `agent` is None for system events."""

    at: float | None
    agent: str | None
    body: bytes

    @classmethod
    def parsed(cls, line: bytes) -> Recorded:
        """Return the event of a line that was checked before."""
        return _recorded(_Line("", 0, line.decode().rstrip("\r\n")).parse())

    @property
    def event(self) -> Json:
        """What the bytes say."""
        found: Json = json.loads(self.body)
        return found


# --- writing ----------------------------------------------------------------------------------------------------


def header_line(*, made_by: str, began_at: float) -> bytes:
    """Return the first line."""
    return _line({HEADER: VERSION, "made_by": made_by, "from": began_at})


def webhook_line(webhook: Webhook) -> bytes:
    """Return the line of a webhook."""
    url = webhook.url.partition("?")[0]  # a token may stand in the query
    return _line({"webhook": {"id": webhook.id, "agent": webhook.agent, "url": url, "events": list(webhook.events)}})


def event_line(recorded: Recorded) -> bytes:
    """Return the line of an event."""
    known: Json = {"at": recorded.at, "agent": recorded.agent}
    start = _line({name: value for name, value in known.items() if value is not None})[:-2]
    start += b"," if len(start) > 1 else b""
    return start + _form(recorded.body) + b"}\n"


def _form(body: bytes) -> bytes:
    """Return the bytes in the first form that gives them back."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return b'"body_base64":' + json.dumps(base64.b64encode(body).decode()).encode()
    try:
        if _compact(json.loads(text)) == body and b"\n" not in body:
            return b'"event":' + body
    except (ValueError, RecursionError):
        pass
    return b'"body":' + json.dumps(text).encode()


def _line(document: Json) -> bytes:
    return _compact(document) + b"\n"


def _compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


# --- reading ----------------------------------------------------------------------------------------------------


class Reader:
    """Reads the lines of one recording, in order. `source` is what errors call it."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._number = 0
        self._begun = False

    @property
    def line(self) -> int:
        """The number of the line that was read last, from 1."""
        return self._number

    def read(self, raw: bytes) -> Webhook | Recorded | None:
        """Return what a line says; None for the first line and for an empty one. Raises: InvalidRecording, RecordingTooNew."""
        self._number += 1
        if len(raw) > MOST_LINE_BYTES:
            raise InvalidRecording(f"{self._source}: line {self._number} has more than {MOST_LINE_BYTES >> 20} MiB.")
        if not raw.strip():
            return None
        line = _Line(self._source, self._number, self._text(raw)).parse()
        if not self._begun:
            self._begun = True
            _check_header(line)
            return None
        if HEADER in line.values:
            raise line.wrong(HEADER, "a second beginning; one recording is one file")
        return _webhook(line) if "webhook" in line.values else _recorded(line)

    def end(self) -> None:
        """Check that there was anything. Raises: InvalidRecording."""
        if not self._begun:
            raise InvalidRecording(
                f"{self._source}: it is empty; a recording begins with {{{json.dumps(HEADER)}:{VERSION}}}."
            )

    def _text(self, raw: bytes) -> str:
        try:
            return raw.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            place = f"line {self._number}, column {error.start + 1}"
            raise InvalidRecording(f"{self._source}: {place}: byte 0x{raw[error.start]:02x} is not UTF-8.") from None


class _Line:
    """One line: its values, and where they stand."""

    def __init__(self, source: str, number: int, text: str) -> None:
        self._source = source
        self._number = number
        self.text = text
        self.values: Json = {}
        self._columns: dict[str, int] = {}

    def wrong(self, key: str, message: str, *, hint: str | None = None) -> InvalidRecording:
        """Return the error about a key's value; "" is the line."""
        about = f"{key}: " if key else ""
        return InvalidRecording(self.told(f"{about}{message}", self._columns.get(key, 1)), hint=hint)

    def told(self, message: str, column: int) -> str:
        """Return a message with its place and the line around it."""
        shown = told(self._source, message, text=self.text, place=Place(1, column))
        return shown.replace("line 1,", f"line {self._number},", 1)

    def check_keys(self, known: tuple[str, ...], what: str) -> None:
        """Raises: InvalidRecording for a key that is not known, with the closest one that is."""
        unknown = next((key for key in self.values if key not in known), None)
        if unknown is not None:
            close = get_close_matches(unknown, known, n=1)
            guess = f' Did you mean "{close[0]}"?' if close else ""
            raise InvalidRecording(
                self.told(f'there is no "{unknown[:80]}" in {what}.{guess}', self._columns[unknown]),
                hint=f"It takes: {', '.join(known)}",
            )

    def parse(self) -> _Line:
        """Read the object that the line is, remember where its values stand, and return it all. Raises: InvalidRecording."""
        try:
            self._members()
        except json.JSONDecodeError as error:
            raise InvalidRecording(
                self.told(f"it is not JSON: {error.msg[:1].lower()}{error.msg[1:]}", error.pos + 1)
            ) from None
        except _Refused as error:
            raise InvalidRecording(self.told(str(error), 1)) from None
        except RecursionError:
            raise InvalidRecording(self.told("it nests too deeply", 1)) from None
        return self

    def _members(self) -> None:
        at = self._expect("{", 0, "a line is one JSON object")
        if self.text[at : at + 1] == "}":
            at += 1
        else:
            at = self._member(at)
            while self.text[at : at + 1] == ",":
                at = self._member(_SPACE.match(self.text, at + 1).end())  # type: ignore[union-attr] # it matches always
            at = self._expect("}", at, "expecting ',' or '}'")
        if at != len(self.text):
            raise json.JSONDecodeError("expecting the end of the line", self.text, at)

    def _member(self, at: int) -> int:
        """Read `"name": value`, and return where what follows begins."""
        if self.text[at : at + 1] != '"':
            raise json.JSONDecodeError("expecting a name in double quotes", self.text, at)
        key, after = scanstring(self.text, at + 1)
        if key in self.values:
            raise json.JSONDecodeError(f'"{key}" stands twice in one object', self.text, at)
        start = self._expect(":", after, "expecting ':'")
        self._columns[key] = at + 1
        self.values[key], after = _DECODER.raw_decode(self.text, start)
        return _SPACE.match(self.text, after).end()  # type: ignore[union-attr] # it matches always

    def _expect(self, character: str, at: int, message: str) -> int:
        at = _SPACE.match(self.text, at).end()  # type: ignore[union-attr] # it matches always
        if self.text[at : at + 1] != character:
            raise json.JSONDecodeError(message, self.text, at)
        return _SPACE.match(self.text, at + 1).end()  # type: ignore[union-attr] # it matches always


class _Refused(ValueError):
    """Something that is JSON to some and not to others."""


def _once(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _Refused(f'"{twice[:80]}" stands twice in one object')
    return found


def _no_constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not JSON")


def _integer(text: str) -> int:
    if len(text) > _INTEGER_DIGITS:  # thousands of digits are not even turned into a number
        raise _Refused(f"the integer {text[:30]}… does not fit the 64 bits that receivers can read")
    return int(text)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant, parse_int=_integer)


# --- what a line says -------------------------------------------------------------------------------------------


def _check_header(line: _Line) -> None:
    if HEADER not in line.values:
        start = f'{{"{HEADER}":{VERSION}}}'
        raise line.wrong("", "it does not begin as a recording does", hint=f"The first line is {start}")
    version = line.values[HEADER]
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise line.wrong(HEADER, f"write the format's version, which is {VERSION}")
    if version > VERSION:
        raise RecordingTooNew(
            line.told(f"it is of format {version}, and this version reads {VERSION}", 1),
            hint="Update swiftclaw-local, or record it again.",
        )
    line.check_keys(_KEYS_OF_HEADER, "the first line")


def _webhook(line: _Line) -> Webhook:
    line.check_keys(_KEYS_OF_WEBHOOK, "the line of a webhook")
    match line.values["webhook"]:
        case {"id": str(id), "agent": str(agent), "url": str(url), "events": list(events)} if all(
            isinstance(event, str) for event in events
        ):
            return Webhook(id, agent, url, tuple(events))
        case _:
            raise line.wrong("webhook", "write its id, agent, url and events, or leave the line out")


def _recorded(line: _Line) -> Recorded:
    line.check_keys(_KEYS_OF_EVENT, "the line of an event")
    forms = [form for form in _FORMS if form in line.values]
    if len(forms) != 1:
        raise line.wrong(forms[1] if forms else "", f"write one of {', '.join(_FORMS)}")
    body = _body(line, forms[0])
    at = line.values.get("at")
    if at is not None and (isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at <= LAST_SECOND):
        raise line.wrong("at", "write unix seconds")
    type = _check_event(line, forms[0], body)
    return Recorded(at, _agent(line, type), body)


def _body(line: _Line, form: str) -> bytes:
    """Return an event's bytes."""
    value = line.values[form]
    if form == "event":
        try:
            return _compact(value)
        except UnicodeEncodeError:
            raise line.wrong(form, "it holds half of a surrogate pair (as \\ud800), which is not text") from None
    if not isinstance(value, str):
        raise line.wrong(form, "write a text in quotes")
    try:
        return value.encode() if form == "body" else base64.b64decode(value, validate=True)
    except UnicodeEncodeError:
        raise line.wrong(form, "it holds half of a surrogate pair (as \\ud800), which is not text") from None
    except (binascii.Error, ValueError):
        raise line.wrong(form, "it is not base64") from None


def _check_event(line: _Line, form: str, body: bytes) -> str:
    """Return an event's type. Raises: InvalidRecording when the bytes are no event."""
    try:
        event = _DECODER.decode(body.decode())
        check_json(event)
    except UnicodeDecodeError as error:
        raise line.wrong(form, f"an event is UTF-8, and byte {error.start} of this is not") from None
    except json.JSONDecodeError as error:
        raise line.wrong(form, f"an event is JSON, and this is not: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise line.wrong(form, "it nests too deeply") from None
    except (_Refused, InvalidJson) as error:
        raise line.wrong(form, str(error).rstrip(".")) from None
    if not isinstance(event, dict):
        raise line.wrong(form, "an event is a JSON object")
    unknown = [key for key in event if key not in _EVENT]
    missing = [key for key in _EVENT if key not in event]
    if unknown or missing:
        what = f'it has a "{unknown[0][:80]}"' if unknown else f'it has no "{missing[0]}"'
        raise line.wrong(form, f"{what}; an event has {', '.join(_EVENT)}")
    return _checked(line, form, event)


def _checked(line: _Line, form: str, event: Json) -> str:
    id, type, created = event["id"], event["type"], event["created"]
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise line.wrong(form, f"its id is 1 to {EVENT_ID_MAX_LENGTH} visible ASCII characters")
    if not isinstance(type, str) or not _TYPE.fullmatch(type):
        raise line.wrong(form, "its type is 1 to 100 visible ASCII characters, as agent.completed")
    if isinstance(created, bool) or not isinstance(created, int) or not 0 <= created <= LAST_SECOND:
        raise line.wrong(form, "its created is unix seconds, a whole number")
    if not isinstance(event["data"], dict):
        raise line.wrong(form, "its data is a JSON object")
    return type


def _agent(line: _Line, type: str) -> str | None:
    agent = line.values.get("agent")
    if is_system(type):
        return None
    if not isinstance(agent, str) or not _AGENT.fullmatch(agent):
        raise line.wrong(
            "agent" if "agent" in line.values else "", f'{type} needs the agent that it is of, as "agent":"my-agent"'
        )
    return agent


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines that chunks of a file hold, each with its end; a line that grows beyond the limit is yielded as it is."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in whole)
        if len(rest) > MOST_LINE_BYTES:
            break
    if rest:
        yield rest
