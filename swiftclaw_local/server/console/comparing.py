"""What changed between two attempts of a delivery: the request, which should not, and the answer. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from swiftclaw_local.server.console.words import answer
from swiftclaw_local.server.models import AttemptOut

_MOST_LINES: Final = 60
# These differ in every answer and say nothing.
_NOISE: Final = ("date", "age", "x-request-id")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two attempts, beside each other; `body` is a unified diff of the answers' bodies, line by line."""

    first: AttemptOut
    second: AttemptOut
    request: tuple[Change, ...]
    response: tuple[Change, ...]
    body: tuple[str, ...]


def compare(first: AttemptOut, second: AttemptOut) -> Comparison:
    """Return what changed from one attempt to another."""
    return Comparison(
        first, second, tuple(_request(first, second)), tuple(_response(first, second)), tuple(_body(first, second))
    )


def _request(first: AttemptOut, second: AttemptOut) -> Iterator[Change]:
    if first.url != second.url:
        yield Change("URL", first.url, second.url)
    if first.request.sha256 != second.request.sha256:
        yield Change("body", _sum(first), _sum(second))
    yield from _headers(first.request.headers, second.request.headers)


def _sum(attempt: AttemptOut) -> str:
    return f"{attempt.request.bytes} bytes, sha256 {attempt.request.sha256[:12]}…"


def _response(first: AttemptOut, second: AttemptOut) -> Iterator[Change]:
    before, after = (_answer(attempt) for attempt in (first, second))
    if before != after:
        yield Change("answer", before, after)
    if first.response is not None and second.response is not None:
        yield from _headers(dict(first.response.headers), dict(second.response.headers))


def _answer(attempt: AttemptOut) -> str:
    status = attempt.response.status if attempt.response else None
    return answer(status, attempt.error.kind if attempt.error else None)


def _headers(before: dict[str, str], after: dict[str, str]) -> Iterator[Change]:
    for name in sorted(before.keys() | after.keys(), key=str.lower):
        was, now = before.get(name, "(none)"), after.get(name, "(none)")
        if was != now and name.lower() not in _NOISE:
            yield Change(name, was, now)


def _body(first: AttemptOut, second: AttemptOut) -> Iterator[str]:
    before, after = ((one.response.body if one.response else "").splitlines() for one in (first, second))
    lines = [
        line for line in difflib.unified_diff(before, after, lineterm="", n=2) if not line.startswith(("---", "+++"))
    ]
    yield from lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES:
        yield f"… {len(lines) - _MOST_LINES} more lines"
