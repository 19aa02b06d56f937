"""Says a refusal of the server's in the words of the command line: the API's `url` is what was typed after `--url`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Final

from swiftclaw_local.errors import InvalidInput, SwiftclawError, UnknownAgent

_STATUS: Final = re.compile(r"[1-9](?:[0-9]{2}|xx)", re.ASCII)
_EVENT_TYPE_STARTS: Final = ("agent.", "deployment.", "system.")


@contextmanager
def said_as(**flags: str) -> Iterator[None]:
    """Rename fields in an error of the block: `said_as(url="--url")`. Raises: the error, of its own class."""
    try:
        yield
    except SwiftclawError as error:
        field = error.field or ""
        flag = flags.get(field)
        if flag is None:
            raise
        message = re.sub(
            rf'^"{field}" in the (?:body|query)|^{field}\b|(?<= in ){field}\b', flag, error.message, count=1
        )
        if message.startswith('"'):  # it begins with what was typed; say where
            message = f"{flag} {message}"
        raise type(error)(message, hint=error.hint, field=flag, extra=error.extra) from None


def event_list(text: str | None, extra: list[str], *, taken: str) -> list[str] | None:
    """Return the types of `--events a,b`; None when the option was not given.

    `extra` are words that belong nowhere, `taken` the last word that was read as an argument and may be one of them.

    Raises: InvalidInput when types were separated by spaces, so that the shell cut them apart.
    """
    types = None if text is None else [part.strip() for part in text.split(",") if part.strip()]
    if extra:
        raise _extra_words(types, [taken, *extra])
    return types


def _extra_words(types: list[str] | None, words: list[str]) -> InvalidInput:
    stray = [word.strip(",") for word in words if word.startswith(_EVENT_TYPE_STARTS)]
    if types is None or not stray:
        return InvalidInput(f'The word "{words[-1]}" is one too many.')
    quoted = ", ".join(f'"{word}"' for word in stray)
    together = ",".join([*types, *stray])
    return InvalidInput(
        f"--events got the extra {'words' if len(stray) > 1 else 'word'} {quoted}."
        f" Separate types with commas and no spaces: --events {together}",
        field="--events",
    )


def no_such_agent(agent: str, known: list[str]) -> UnknownAgent:
    """Return the error for an agent without webhooks, with the closest name that has some."""
    close = get_close_matches(agent, known, n=1)
    guess = f' Did you mean "{close[0]}"?' if close else ""
    agents = f" Agents: {', '.join(known[:10])}" if known else ""
    register = f"Register one: swiftclaw webhooks create {agent} --url http://localhost:8000/webhooks/swiftclaw"
    return UnknownAgent(
        f'No agent "{agent}" has webhooks.{guess}{agents}', hint=None if known else register, field="--agent"
    )


def status_code(text: str | None) -> str | None:
    """Return `503` or `5xx` as the API takes it. Raises: InvalidInput."""
    if text is not None and not _STATUS.fullmatch(text.lower()):
        raise InvalidInput(f'--status "{text}" is no status code.', hint="Write 503 or 5xx.", field="--status")
    return None if text is None else text.lower()


def numbered(kind: str, id: str) -> str:
    """Return `webhook-123` for `123`: the number is enough."""
    return f"{kind}-{id}" if id.isascii() and id.isdigit() else id


def typed_id(text: str) -> str:
    """Return an id as the API takes it; of one copied from a terminal, `dlv_…7qm9`, its ending."""
    return text.rpartition("…")[2] if "…" in text else text
