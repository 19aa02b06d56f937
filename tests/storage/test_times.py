"""Times as SQLite keeps them: text that sorts as the times do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from swiftclaw_local.storage.statements import from_text, to_text

NOW = datetime(2026, 11, 23, 14, 10, tzinfo=UTC)
SPANS = st.timedeltas(timedelta(days=-700_000), timedelta(days=2_900_000))
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(SPANS, ZONES | st.just(UTC))
def test_a_time_is_kept_in_utc_to_the_microsecond(span: timedelta, zone: timezone) -> None:
    moment = (NOW + span).astimezone(zone)
    assert to_text(moment) == moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    assert from_text(to_text(moment)) == moment
