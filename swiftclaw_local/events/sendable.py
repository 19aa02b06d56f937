"""What JSON can be sent to any receiver unharmed. It knows no event, and makes no bytes."""

from __future__ import annotations

from typing import Final

from swiftclaw_local.errors import InvalidJson

MAX_DEPTH: Final = 64
MAX_INTEGER: Final = 2**63
EVENT_ID_MAX_LENGTH: Final = 128


def check_json(value: object) -> None:
    """Check that a value parsed from JSON can be sent to any receiver unharmed.

    Raises: InvalidJson, naming what is wrong.
    """
    pending = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise InvalidJson(f"The JSON nests deeper than {MAX_DEPTH} levels.", field="data")
        match item:
            case dict():
                for key in item:
                    _check_text(key)
                pending += [(child, depth + 1) for child in item.values()]
            case list():
                pending += [(child, depth + 1) for child in item]
            case str():
                _check_text(item)
            case _:
                _check_number(item)


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidJson(
            "The JSON holds half of a surrogate pair (as \\ud800), which is not text.",
            hint="Write the whole pair, or the character itself.",
            field="data",
        ) from None


def _check_number(item: object) -> None:
    if isinstance(item, int) and not -MAX_INTEGER <= item < MAX_INTEGER:
        raise InvalidJson(
            "The JSON holds an integer outside the 64 bits that receivers can read.",
            hint="Send it as a string.",
            field="data",
        )
    if isinstance(item, float) and not -float("inf") < item < float("inf"):
        raise InvalidJson("The JSON holds a number that is not finite.", field="data")
