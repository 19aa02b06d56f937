"""Durations and times as people write them: `1h30m`, `14:02`, `2h ago`, unix seconds.

Pure: the present is passed in.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from swiftclaw_local.errors import InvalidDuration, InvalidTime

_UNITS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_DURATION: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_MAX: Final = timedelta(days=36_500)
_CLOCK_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_TEXTS_KEPT: Final = 64
_NUMBER: Final = re.compile(r"\d{1,11}(?:\.\d{1,6})?", re.ASCII)


@lru_cache(maxsize=_TEXTS_KEPT)
def parse_duration(text: str, *, field: str | None = None) -> timedelta:
    """Return the duration written as `6h`, `90s`, `1h30m`, `250ms`; `0s` is one too.

    Raises: InvalidDuration.
    """
    match = _DURATION.fullmatch(text.strip())
    if not match or not any(match.groups()):
        raise InvalidDuration(f'"{text}" is not a duration. Write 6h, 90s or 1h30m.', field=field)
    amounts = zip(match.groups(), _UNITS.values(), strict=True)
    milliseconds = sum(int(amount) * unit for amount, unit in amounts if amount)
    if milliseconds > _MAX / timedelta(milliseconds=1):
        raise InvalidDuration(f'"{text}" is longer than a hundred years.', field=field)
    return timedelta(milliseconds=milliseconds)


def duration_text(duration: timedelta) -> str:
    """Return the duration as `parse_duration` reads it: `1h30m`, `6m`, `1m500ms`, `0s`; negative ones with a minus."""
    milliseconds = round(duration / timedelta(milliseconds=1))
    sign, rest = ("-", -milliseconds) if milliseconds < 0 else ("", milliseconds)
    parts = []
    for name, unit in _UNITS.items():
        amount, rest = divmod(rest, unit)
        if amount:
            parts.append(f"{amount}{name}")
    return sign + ("".join(parts) or "0s")


def parse_time(text: str, *, now: datetime, field: str | None = None) -> datetime:
    """Return the aware UTC time written as `14:02` (today), `2026-11-23 09:00`, ISO 8601, `2h ago`, or unix seconds.

    Times without a zone are UTC. Raises: InvalidTime.
    """
    written = text.strip()
    try:
        if written.endswith(" ago"):
            return now - parse_duration(written.removesuffix(" ago"))
        if _NUMBER.fullmatch(written):
            return datetime.fromtimestamp(float(written), UTC)
        if match := _CLOCK_TIME.fullmatch(written):
            hour, minute, second = (int(part or 0) for part in match.groups())
            return now.astimezone(UTC).replace(hour=hour, minute=minute, second=second, microsecond=0)
        moment = datetime.fromisoformat(written)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (InvalidDuration, ValueError, OverflowError):
        raise InvalidTime(
            f'"{text}" is not a time.', hint="Write 14:02, 2026-11-23 09:00, 2h ago, or unix seconds.", field=field
        ) from None
