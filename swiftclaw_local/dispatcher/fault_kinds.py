"""The kinds of faults: their names, what is said of them, and the one value that some take, written `kind:value`.

The documents and the commands' texts are made from this table. It applies nothing; that is done in `faults`.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Literal

from swiftclaw_local.durations import duration_text, parse_duration
from swiftclaw_local.errors import InvalidDuration, InvalidInput, UnknownFaultKind
from swiftclaw_local.events.shapes import SHAPES

_Form = Literal["duration", "count", "shape"]


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a kind: its name in the API's `params`, how it is written, its default, and its bounds if it is a number."""

    name: str
    form: _Form
    default: str
    least: int = 1
    most: int = 1


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: `done` completes "the next delivery is …", or of another `noun`; `tests` is what a receiver shows by it."""

    name: str
    done: str
    tests: str
    value: Value | None = None
    noun: Literal["delivery", "reply"] = "delivery"


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind with its value, in the form in which the log shows it."""

    kind: str
    value: str = ""

    def __str__(self) -> str:
        """Return `duplicate`, or `delay:30s`."""
        return f"{self.kind}:{self.value}" if self.value else self.kind


_LONGEST_DELAY: Final = 30 * 86_400
KINDS: Final = (
    Kind("duplicate", "sent twice", "It looks at the event's id before it acts."),
    Kind("duplicate_simultaneous", "sent twice at the same time", "Looking and marking are one step, not two."),
    Kind(
        "lost_reply",
        "ignored, as if the network lost it",
        "It acts once, though the platform thinks that it failed.",
        noun="reply",
    ),
    Kind(
        "reorder",
        "sent in reverse order, {n} at a time",
        "It does not rely on the order of events.",
        Value("n", "count", "2", 2, 100),
    ),
    Kind("delay", "held back for {delay}", "It takes an event that comes late.", Value("delay", "duration", "30s")),
    Kind("wrong_signature", "sent with a wrong signature", "It answers 401 and does nothing."),
    Kind("missing_signature", "sent without a signature", "It answers 401, not 500."),
    Kind("other_secret", "signed with another secret", "It answers 401 and does nothing."),
    Kind("tampered_body", "changed by one digit after it was signed", "It checks the signature over all of the body."),
    Kind(
        "body_shape",
        "written in the shape {shape}, and signed so",
        "It checks the bytes that came, not what it parsed.",
        Value("shape", "shape", "pretty"),
    ),
    Kind("truncated_body", "cut off in the middle, with the signature of the whole", "It answers 401, not 500."),
    Kind("not_json", "sent with a signed body that is not JSON", "It answers 400, not 500, which would be retried."),
    Kind("empty_body", "sent with an empty body, signed", "It answers 400, not 500, which would be retried."),
    Kind(
        "huge_body",
        "blown up to {bytes} bytes, and signed so",
        "Its limit on bodies is where you think it is.",
        Value("bytes", "count", "1048576", 1024, 16 * 1024 * 1024),
    ),
    Kind("unknown_type", "sent with a type that it does not know", "It takes what it does not handle with a 2xx."),
    Kind(
        "old_created",
        "dated {age} back",
        "It has an idea of how old an event may be.",
        Value("age", "duration", "1d"),
    ),
    Kind(
        "slow_upload",
        "sent at {bps} bytes a second",
        "A slow sender does not keep the others waiting.",
        Value("bps", "count", "100", 1, 1_000_000),
    ),
    Kind("hang_up_early", "cut off by a hang-up in the middle of the body", "It does nothing with half an event."),
    Kind("drop", "never sent", "You notice that an event is missing."),
    Kind(
        "refused",
        "not sent, and taken for refused, as while it is restarted",
        "It takes what comes late, all at once, when it is back.",
    ),
    Kind(
        "status",
        "not sent, and taken for answered with {code}",
        "The same, behind a proxy that answers for it.",
        Value("code", "count", "503", 400, 599),
    ),
    Kind(
        "secret_rotated_midway",
        "signed with a new secret, the first half of them still with the old one",
        "It takes both secrets while they change.",
    ),
    Kind(
        "burst",
        "held back until there are {n}, and then sent at once",
        "It answers in time when many come together.",
        Value("n", "count", "10", 2, 1000),
    ),
)
_BY_NAME: Final = {kind.name: kind for kind in KINDS}
# What a receiver is right to refuse, whatever its secret.
WRONGLY_SIGNED: Final = frozenset(
    {"wrong_signature", "missing_signature", "other_secret", "tampered_body", "truncated_body", "secret_rotated_midway"}
)
# Nothing goes out, and the outcome is made up.
NEVER_SENT: Final = frozenset({"drop", "refused", "status"})
KIND_NAMES: Final = tuple(_BY_NAME)


def kind_of(fault: Fault) -> Kind:
    """Return the kind of a fault."""
    return _BY_NAME[fault.kind]


def read_fault(text: str, params: dict[str, Any] | None = None) -> Fault:
    """Return the fault written as `duplicate` or `delay:30s`; `params` may hold its value by name instead.

    Raises: UnknownFaultKind with the closest name; InvalidInput for a value that the kind does not take.
    """
    name, colon, written = text.partition(":")
    kind = _BY_NAME.get(name)
    if kind is None:
        close = get_close_matches(name, _BY_NAME, n=1)
        guess = f' Did you mean "{close[0]}"?' if close else ""
        raise UnknownFaultKind(
            f'There is no fault "{name[:80]}".{guess}', hint=f"Kinds: {', '.join(_BY_NAME)}", field="kind"
        )
    given = dict(params or {})
    if kind.value is None:
        return _without_value(kind, given, written=bool(colon))
    if kind.value.name in given:
        if colon:
            raise InvalidInput(f'The value of {name} is given twice: in "{text[:80]}" and in params.', field="params")
        written = str(given.pop(kind.value.name))
    if given:
        raise InvalidInput(
            f"{name} takes no {next(iter(given))!r}.", hint=f"It takes: {kind.value.name}", field="params"
        )
    return Fault(name, _checked(kind, kind.value, written or kind.value.default))


def _without_value(kind: Kind, given: dict[str, Any], *, written: bool) -> Fault:
    if given or written:
        raise InvalidInput(f"{kind.name} takes no value.", hint=f'Write it alone: "{kind.name}"', field="kind")
    return Fault(kind.name)


def _checked(kind: Kind, value: Value, written: str) -> str:
    """Return a value in the one form in which it is kept. Raises: InvalidInput."""
    match value.form:
        case "duration":
            return _checked_duration(kind, written)
        case "shape":
            if written not in SHAPES:
                raise InvalidInput(
                    f'There is no shape "{written[:80]}".', hint=f"Shapes: {', '.join(SHAPES)}", field="kind"
                )
            return written
        case "count":
            if not (written.isascii() and written.isdigit()) or not value.least <= int(written[:12]) <= value.most:
                raise InvalidInput(
                    f'{kind.name} takes a whole number from {value.least} to {value.most}, not "{written[:80]}".',
                    hint=f"Write {kind.name}:{value.default}",
                    field="kind",
                )
            return str(int(written))


def _checked_duration(kind: Kind, written: str) -> str:
    try:
        duration = parse_duration(written)
    except InvalidDuration:
        raise InvalidInput(
            f'"{written[:80]}" is not a duration.', hint=f"Write {kind.name}:30s or {kind.name}:1h30m", field="kind"
        ) from None
    if not 0 < duration.total_seconds() <= _LONGEST_DELAY:
        raise InvalidInput(f"{kind.name} takes more than 0s and at most 30d.", field="kind")
    return duration_text(duration)
