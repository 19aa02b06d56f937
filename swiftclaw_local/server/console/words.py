"""How a page writes times, spans, sizes, ids and answers for people. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from swiftclaw_local.cause_words import CAUSE_WORDS
from swiftclaw_local.server.explanation import span_text
from swiftclaw_local.server.models import Seconds

_ID_END: Final = 4
_KIB: Final = 1024


def moment(seconds: Seconds) -> datetime:
    """Return a time of the API as aware UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def iso(seconds: Seconds) -> str:
    """Return `2026-11-23T14:10:00Z`, as a machine reads it."""
    return moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def absolute(seconds: Seconds) -> str:
    """Return `2026-11-23 14:10:00 UTC`."""
    return moment(seconds).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock_time(seconds: Seconds, now: datetime) -> str:
    """Return `14:10:00`, with the day before it when it is another one, and the year when it is another one."""
    at = moment(seconds)
    if at.date() == now.date():
        return at.strftime("%H:%M:%S")
    return at.strftime("%m-%d %H:%M:%S" if at.year == now.year else "%Y-%m-%d %H:%M:%S")


def hour_minute(seconds: Seconds) -> str:
    """Return `14:10`."""
    return moment(seconds).strftime("%H:%M")


def milliseconds_short(number: int) -> str:
    """Return `20`, `2s`: milliseconds beside an axis."""
    return str(number) if number < 1_000 else f"{number // 1_000}s"


def span(seconds: Seconds) -> str:
    """Return `4m 12s`."""
    return span_text(timedelta(seconds=seconds))


def milliseconds(number: int | None) -> str:
    """Return `18 ms`, `2.4 s`; a dash where there is nothing to tell."""
    if number is None:
        return "–"
    return f"{number} ms" if number < 1_000 else f"{number / 1_000:.1f} s"


def size(count: int | None) -> str:
    """Return `312 B`, `64.0 KiB`."""
    if count is None:
        return "size unknown"
    if count < _KIB:
        return f"{count} B"
    return f"{count / _KIB:.1f} KiB" if count < _KIB * _KIB else f"{count / _KIB / _KIB:.1f} MiB"


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return `1 delivery`, `1,204 deliveries`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def short_id(id: str) -> str:
    """Return `dlv_…7qm9` of a long id; a short one as it is."""
    prefix, _, rest = id.partition("_")
    return id if len(rest) <= 2 * _ID_END else f"{prefix}_…{rest[-_ID_END:]}"


def place(url: str) -> str:
    """Return `localhost:8000/hook`: a URL without what every one of them has."""
    parts = urlsplit(url)
    rest = parts.path if parts.path != "/" else ""
    return f"{parts.netloc}{rest}{'?' + parts.query if parts.query else ''}"


def answer(status: int | None, error: str | None) -> str:
    """Return the newest answer in a word: `200`, `connection refused`; a dash before there is one."""
    if status is not None:
        return str(status)
    return "–" if error is None else CAUSE_WORDS.get(error, error.replace("_", " "))
