"""A scenario: a small TOML file of events, faults and moves of the clock, read as a whole before any of it is played.

Every mistake is told with its line. What a step then does is in `playing`.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Final

from swiftclaw_local.dispatcher.fault_kinds import read_fault
from swiftclaw_local.durations import parse_duration
from swiftclaw_local.errors import InvalidInput, InvalidScenario
from swiftclaw_local.events.catalog import check_event_type
from swiftclaw_local.plays.places import Place, step_places, told

Json = dict[str, Any]

AGENT: Final = "my-agent"
MOST_EVENTS: Final = 10_000
MOST_BYTES: Final = 1 << 20
_TOML_PLACE: Final = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
_EXPECTED: Final = re.compile(r"any|[2-5]xx|[2-5]\d\d", re.ASCII)
_ONE_EVENT: Final = ("reorder", "burst")


@dataclass(frozen=True, slots=True)
class Emit:
    """Announce `count` events of a type, with the clock moved on by `every` after each. `expect` as 2xx or 401; any; None: by the fault."""

    type: str
    data: Json | None = None
    exact: bool = False
    count: int = 1
    every: str | None = None
    fault: str | None = None
    id: str | None = None
    agent: str | None = None
    expect: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Arm:
    """Arm a fault. `lasts` is how long it meets each attempt, on the engine's clock."""

    kind: str
    lasts: str | None = None
    times: int | None = None
    probability: float | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Clear:
    """Disarm the faults of this play."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Send the named event again, byte for byte, as whoever overheard it would."""

    name: str
    expect: str | None = None


@dataclass(frozen=True, slots=True)
class Advance:
    """Move the clock on."""

    by: str


@dataclass(frozen=True, slots=True)
class Idle:
    """Run everything that is scheduled."""


Act = Emit | Arm | Clear | Replay | Advance | Idle


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what people are told, and what is done, if anything is."""

    say: str | None
    act: Act | None

    @property
    def moves_clock(self) -> bool:
        """Whether the clock has to move for it."""
        return isinstance(self.act, Advance | Idle) or (isinstance(self.act, Emit) and self.act.every is not None)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario; `about` is one sentence for people."""

    name: str
    about: str
    agent: str
    steps: tuple[Step, ...] = field(default=())

    @property
    def moves_clock(self) -> bool:
        """Whether it has a step that moves the clock."""
        return any(step.moves_clock for step in self.steps)


def read_scenario(text: str, *, name: str, source: str) -> Scenario:
    """Return the scenario that a TOML text is; `source` is what errors call it. Raises: InvalidScenario, with the line."""
    document = _parsed(text, source)
    *of_steps, own = step_places(text)
    steps = document.get("step", [])
    top = _Reader(text, source, own, "the file", document)
    top.check_keys(_OF_FILE)
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise top.wrong("step", "steps are written as [[step]], one after the other")
    if len(of_steps) != len(steps):  # written in a way that we do not find: better no place than a wrong one
        of_steps = [{} for _ in steps]
    read = [
        _step(_Reader(text, source, found, f"step {number}", step))
        for number, (step, found) in enumerate(zip(steps, of_steps, strict=True), 1)
    ]
    if not read:
        raise InvalidScenario(
            told(source, "it has no step."), hint='Write [[step]], and below it emit = "agent.completed"'
        )
    _check_names(read, text, source, of_steps)
    return Scenario(name, top.text("about") or "", top.text("agent") or AGENT, tuple(read))


# --- one table of the file --------------------------------------------------------------------------------------


class _Reader:
    """Reads the values of one table, and tells what is wrong with them."""

    def __init__(self, text: str, source: str, places: Mapping[str, Place], what: str, table: Json) -> None:
        self._text = text
        self._source = source
        self._places = places
        self._what = what
        self.table = table

    def wrong(self, key: str, message: str, *, hint: str | None = None) -> InvalidScenario:
        """Return the error about a key; "" is the table itself."""
        place = self._places.get(key) or self._places.get("")
        about = f"{key}: " if key else ""
        return InvalidScenario(
            told(self._source, f"{about}{message} ({self._what})", text=self._text, place=place), hint=hint
        )

    def check_keys(self, known: tuple[str, ...]) -> None:
        """Raises: InvalidScenario for a key that is not known, with the closest one that is."""
        for key in self.table:
            if key not in known:
                close = get_close_matches(key, known, n=1)
                guess = f' Did you mean "{close[0]}"?' if close else ""
                place = self._places.get(key) or self._places.get("")
                message = f'there is no "{key[:80]}" in {self._what}.{guess}'
                raise InvalidScenario(
                    told(self._source, message, text=self._text, place=place),
                    hint=f"It takes: {', '.join(dict.fromkeys(known))}",
                )

    def text(self, key: str) -> str | None:
        """Return a text."""
        value = self.table.get(key)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise self.wrong(key, "write a text in quotes")
        return value

    def duration(self, key: str) -> str | None:
        """Return a duration as it is written; it is not nothing."""
        value = self.text(key)
        if value is not None and self.judged(key, parse_duration, value) <= timedelta():
            raise self.wrong(key, f'"{value}" leaves no time')
        return value

    def whole(self, key: str, least: int, most: int) -> int | None:
        """Return a whole number."""
        value = self.table.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(key, f"write a whole number from {least} to {most}")
        return value

    def yes(self, key: str) -> bool:
        """Return whether a key is there; it can only be true."""
        if key in self.table and self.table[key] is not True:
            raise self.wrong(key, f"write {key} = true, or leave it out")
        return key in self.table

    def judged(self, key: str, judge: Callable[[str], Any], value: str) -> Any:
        """Return what somebody who knows makes of a value. Raises: InvalidScenario, in their words."""
        try:
            return judge(value)
        except InvalidInput as error:
            raise self.wrong(key, error.message.rstrip("."), hint=error.hint) from None


def _parsed(text: str, source: str) -> Json:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_PLACE.match(str(error))
        if found is None:
            raise InvalidScenario(told(source, f"it is not TOML: {error}")) from None
        lines = text.splitlines() or [""]
        place = Place(int(found[2]), int(found[3])) if found[2] else Place(len(lines), len(lines[-1]) + 1)
        said = f"it is not TOML: {found[1][:1].lower()}{found[1][1:]}"
        raise InvalidScenario(told(source, said, text=text, place=place)) from None
    except (ValueError, RecursionError):  # a number of thousands of digits, thousands of brackets
        raise InvalidScenario(told(source, "it holds a number or a nesting that nothing could be done with")) from None


# --- steps ------------------------------------------------------------------------------------------------------

_OF_FILE: Final = ("about", "agent", "step")
_OF_VERB: Final[dict[str, tuple[str, ...]]] = {
    "emit": ("data", "exact", "count", "every", "fault", "id", "agent", "expect", "name"),
    "fault": ("for", "times", "probability", "seed"),
    "clear": (),
    "replay": ("expect",),
    "advance": (),
    "idle": (),
}


def _step(reader: _Reader) -> Step:
    table = reader.table
    verb = next((verb for verb in _OF_VERB if verb in table), None)  # an event may have a fault: it comes first
    others = [other for other in _OF_VERB if other in table and other not in (verb, *_OF_VERB.get(verb or "", ()))]
    if verb is not None and others:
        raise reader.wrong(
            others[0], f'a step does one thing, and this one has "{verb}" too', hint="Write another [[step]]."
        )
    if verb is None:
        reader.check_keys((*_OF_VERB, "say", *(key for keys in _OF_VERB.values() for key in keys)))
        if "say" not in table or len(table) > 1:
            raise reader.wrong("", "it does nothing", hint=f"A step has one of: {', '.join(_OF_VERB)}; or say alone.")
        return Step(reader.text("say"), None)
    reader.check_keys((verb, *_OF_VERB[verb], "say"))
    return Step(reader.text("say"), _ACTS[verb](reader))


def _emit(reader: _Reader) -> Emit:
    type = reader.judged("emit", check_event_type, reader.text("emit") or "")
    data = reader.table.get("data")
    if data is not None and not isinstance(data, dict):
        raise reader.wrong("data", "write a table, as { tokens_used = 450 }")
    if data is not None:
        _check_data(reader, data)
    count, id, fault = reader.whole("count", 1, MOST_EVENTS) or 1, reader.text("id"), reader.text("fault")
    if id is not None and count > 1:
        raise reader.wrong("id", "one id is one event, and count asks for more", hint="Leave one of the two out.")
    if fault is not None:
        kind = reader.judged("fault", read_fault, fault).kind
        if kind in _ONE_EVENT:
            raise reader.wrong("fault", f"{kind} is about several events: give it a step of its own before this one")
    return Emit(
        type=type,
        data=data,
        exact=reader.yes("exact"),
        count=count,
        every=reader.duration("every"),
        fault=fault,
        id=id,
        agent=reader.text("agent"),
        expect=_expected(reader),
        name=reader.text("name"),
    )


def _arm(reader: _Reader) -> Arm:
    probability = reader.table.get("probability")
    if probability is not None and (
        isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 < probability <= 1
    ):
        raise reader.wrong("probability", "write a number above 0 and up to 1")
    seed = reader.whole("seed", 0, 2**53)
    if seed is not None and probability is None:
        raise reader.wrong("seed", "a seed goes with a probability")
    return Arm(
        kind=str(reader.judged("fault", read_fault, reader.text("fault") or "")),
        lasts=reader.duration("for"),
        times=reader.whole("times", 1, 1_000_000),
        probability=None if probability is None else float(probability),
        seed=seed,
    )


def _replay(reader: _Reader) -> Replay:
    return Replay(reader.text("replay") or "", _expected(reader))


def _clear(reader: _Reader) -> Clear:
    reader.yes("clear")
    return Clear()


def _advance(reader: _Reader) -> Advance:
    return Advance(reader.duration("advance") or "")


def _idle(reader: _Reader) -> Idle:
    reader.yes("idle")
    return Idle()


_ACTS: Final[dict[str, Callable[[_Reader], Act]]] = {
    "emit": _emit,
    "fault": _arm,
    "clear": _clear,
    "replay": _replay,
    "advance": _advance,
    "idle": _idle,
}


def _expected(reader: _Reader) -> str | None:
    expect = reader.text("expect")
    if expect is not None and not _EXPECTED.fullmatch(expect):
        raise reader.wrong("expect", "write 2xx, 4xx, a status as 401, or any")
    return expect


def _check_data(reader: _Reader, data: Json) -> None:
    """Raises: InvalidScenario for what TOML has and JSON has not."""
    pending: list[Any] = [data]
    while pending:
        value = pending.pop()
        match value:
            case dict():
                pending += value.values()
            case list():
                pending += value
            case str() | bool() | int():
                pass
            case float() if -float("inf") < value < float("inf"):
                pass
            case _:
                raise reader.wrong("data", f"JSON has no {value!r}", hint="Write it as a text in quotes.")


def _check_names(steps: list[Step], text: str, source: str, places: list[dict[str, Place]]) -> None:
    """Raises: InvalidScenario for a name that two events have, and for a replay of a name that none before it has."""
    names: Counter[str] = Counter()
    for number, (step, found) in enumerate(zip(steps, places, strict=True), 1):
        reader = _Reader(text, source, found, f"step {number}", {})
        match step.act:
            case Emit(name=str(name)):
                names[name] += 1
                if names[name] > 1:
                    raise reader.wrong("name", f'another event is called "{name}" already')
            case Replay(name=name) if name not in names:
                known = ", ".join(names) or "none"
                raise reader.wrong("replay", f'no event before it is called "{name}"', hint=f"Names before it: {known}")
            case _:
                pass
