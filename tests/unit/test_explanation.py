"""The one line on why a delivery stands as it does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from swiftclaw_local.server.explanation import explanation, span_text, wait_text
from swiftclaw_local.storage.records import Delivery
from swiftclaw_local.storage.states import State

NOW = datetime(2026, 11, 23, 14, tzinfo=UTC)
DELIVERY = Delivery(
    id="dlv_1",
    event_id="evt_1",
    event_type="agent.failed",
    agent="my-agent",
    webhook_id="webhook-123",
    webhook_url="http://localhost:8000/",
    webhook_enabled=True,
    state=State.PENDING,
    trigger="event",
    scheduled=True,
    replay_of=None,
    attempts=0,
    retries_used=0,
    created_at=NOW,
    due_at=NOW,
    ended_at=None,
    reason=None,
    body_size=2,
    last_attempt_at=None,
    last_status=None,
    last_error_class=None,
    last_duration_ms=None,
)
SECOND_RETRY = replace(
    DELIVERY, attempts=2, retries_used=2, due_at=NOW + timedelta(minutes=4, seconds=12), last_status=500
)
DEAD = replace(DELIVERY, state=State.DEAD, attempts=1, last_status=401, reason="rejected")


@pytest.mark.parametrize(
    ("delivery", "line"),
    [
        (DELIVERY, "first attempt due now"),
        (replace(DELIVERY, due_at=NOW + timedelta(seconds=90)), "first attempt in 1m 30s"),
        (SECOND_RETRY, "500; retry 2 of 5 in 4m 12s"),
        (replace(SECOND_RETRY, due_at=NOW), "500; retry 2 of 5 due now"),
        (
            replace(SECOND_RETRY, last_status=None, last_error_class="connect_refused"),
            "connection refused; retry 2 of 5 in 4m 12s",
        ),
        (
            replace(DELIVERY, attempts=1, last_error_class="stale_connection"),
            "reused connection had died; next attempt due now",
        ),
        (replace(SECOND_RETRY, webhook_enabled=False), "waits: webhook-123 is disabled"),
        (replace(DELIVERY, state=State.IN_FLIGHT), "being sent"),
        (replace(DELIVERY, state=State.SUCCEEDED, attempts=1), "delivered"),
        (replace(DELIVERY, state=State.SUCCEEDED, attempts=3, retries_used=2), "delivered by retry 2"),
        (replace(DELIVERY, state=State.CANCELED, reason="canceled"), "canceled on request"),
        (replace(DELIVERY, state=State.CANCELED, reason="webhook_deleted"), "webhook-123 was deleted"),
        (DEAD, "4xx is not retried"),
        (replace(DEAD, last_status=308), "redirects are not followed, and not retried"),
        (replace(DEAD, last_status=100), "1xx is not retried"),
        (replace(DEAD, last_status=503, reason="exhausted"), "503; all 5 retries are used up"),
        (
            replace(DEAD, trigger="test", last_status=500, reason="unscheduled"),
            "500; a test is one attempt, not retried",
        ),
        (
            replace(DEAD, last_status=None, last_error_class="blocked_host", reason="blocked"),
            "not sent: public host, not allowed",
        ),
        (
            replace(DEAD, last_status=None, reason="interrupted_repeatedly"),
            "cut off five times in a row by a stop of SwiftClaw local",
        ),
    ],
)
def test_every_state_has_its_line(delivery: Delivery, line: str) -> None:
    assert explanation(delivery, retries_max=5, now=NOW) == line


def test_a_wait_that_ran_out_says_what_is_waited_for() -> None:
    assert wait_text(SECOND_RETRY, retries_max=5, now=NOW, timeout_s=5, virtual=True) == (
        "dlv_1 is still retrying after 5s: 2 sends, last 500; retry 2 of 5 due in 4m 12s of virtual time"
    )
    assert wait_text(
        replace(DELIVERY, state=State.IN_FLIGHT), retries_max=5, now=NOW, timeout_s=0.5, virtual=False
    ) == ("dlv_1 is still being sent after 0.5s")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-5, "0s"),
        (0.2, "1s"),
        (58, "58s"),
        (252, "4m 12s"),
        (3600, "1h 00m"),
        (21_600, "6h 00m"),
        (90_000, "1d 01h"),
    ],
)
def test_a_span_is_told_in_two_units_and_never_too_short(seconds: float, text: str) -> None:
    assert span_text(timedelta(seconds=seconds)) == text
