"""Durations and times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftclaw_local.durations import duration_text, parse_duration, parse_time
from swiftclaw_local.errors import InvalidDuration, InvalidTime

NOW = datetime(2026, 11, 23, 14, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6h", 21600), ("90s", 90), ("1h30m", 5400), ("250ms", 0.25), ("1d", 86400), ("0s", 0), ("1m500ms", 60.5)],
)
def test_a_duration_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["6 hours", "", "-5m", "5", "h", "1m1h", "1.5h", "٣m", "99999999d"])
def test_anything_else_is_refused_and_the_text_is_named(text: str) -> None:
    with pytest.raises(InvalidDuration, match=r"duration|hundred years") as caught:
        parse_duration(text)
    assert f'"{text}"' in caught.value.message


@given(st.integers(0, 10**10))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(duration_text(duration)) == duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("14:02", datetime(2026, 11, 23, 14, 2, tzinfo=UTC)),
        ("14:02:03", datetime(2026, 11, 23, 14, 2, 3, tzinfo=UTC)),
        ("2026-11-23 09:00", datetime(2026, 11, 23, 9, 0, tzinfo=UTC)),
        ("2026-11-23T09:00:00+02:00", datetime(2026, 11, 23, 7, 0, tzinfo=UTC)),
        ("2h ago", datetime(2026, 11, 23, 12, 10, 30, tzinfo=UTC)),
        ("1709884800", datetime(2024, 3, 8, 8, 0, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_people_write_it(text: str, expected: datetime) -> None:
    assert parse_time(text, now=NOW) == expected


@pytest.mark.parametrize("text", ["soon", "25:00", "2026-13-01", "two h ago", ""])
def test_what_is_no_time_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(InvalidTime) as caught:
        parse_time(text, now=NOW)
    assert caught.value.hint is not None
    assert "2h ago" in caught.value.hint
