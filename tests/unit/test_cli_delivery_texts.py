"""What a delivery looks like to people, in one line."""

from __future__ import annotations

import pytest

from swiftclaw_local.cli.delivery_texts import (
    LOG_COLUMNS,
    cause_cells,
    cause_text,
    got_through,
    log_cells,
    log_line,
    replay_line,
    result_text,
    send_text,
    sent_line,
    total_text,
    verdict,
)
from swiftclaw_local.cli.delivery_texts import (
    test_line as line_of_test,
)
from swiftclaw_local.cli.output import short_id
from swiftclaw_local.cli.view import View, in_text
from tests.unit.api_documents import NOON, Json, delivered, delivery, failed, refused

VIEW = View(NOON)
SCHEDULED = delivery(state="scheduled", sends=0, last_status=None, last_ms=None, last_at=None, next_in_s=300)
HELD = SCHEDULED | {"held": True, "explanation": "waits: webhook-123 is disabled", "next_in_s": 0}


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (delivered(), "delivered"),
        (delivery(), "retrying: next in 1m"),
        (delivery(next_in_s=252), "retrying: next in 4m 12s"),
        (delivery(next_in_s=0), "retrying: next now"),
        (refused(), "retrying: connection refused; next in 58s"),
        (failed(), "failed: 4xx is not retried"),
        (failed(explanation=None), "failed: rejected"),
        (SCHEDULED, "scheduled: in 5m"),
        (HELD, "held: webhook-123 is disabled"),
        (delivery(held=True), "held: webhook-123 is disabled"),
        (delivery(state="sending"), "being sent"),
        (failed(state="canceled", final_reason="canceled", explanation="canceled on request"), "canceled"),
        (
            failed(state="canceled", final_reason="webhook_deleted", explanation="webhook-123 was deleted"),
            "canceled: webhook-123 was deleted",
        ),
    ],
)
def test_a_result_says_where_a_delivery_stands_and_why(shown: Json, text: str) -> None:
    assert result_text(shown) == text


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (delivery(), "first"),
        (delivery(sends=2, retries_done=1), "retry 1/5"),
        (delivered(trigger="test"), "test"),
        (failed(trigger="replay"), "replay"),
        (SCHEDULED, "-"),
    ],
)
def test_a_send_is_the_first_or_a_numbered_retry(shown: Json, text: str) -> None:
    assert send_text(shown) == text


def test_the_cells_of_the_log_stand_under_its_columns() -> None:
    cells = log_cells(refused(), VIEW)
    assert [column.title for column in LOG_COLUMNS] == ["DELIVERY", "TIME", "EVENT", "STATUS", "MS", "SEND", "RESULT"]
    assert cells == (
        "dlv_01j5abcdefghjkmnpqrstv7qm9",
        "11:59:55",
        "agent.failed",
        "-",
        "2",
        "first",
        "retrying: connection refused; next in 58s",
    )
    assert log_cells(SCHEDULED, VIEW)[1:6] == ("12:01:00", "agent.failed", "-", "-", "-")
    assert log_line(refused(), VIEW).split("  ")[0] == "dlv_01j5abcdefghjkmnpqrstv7qm9"


def test_a_time_of_another_day_has_its_date() -> None:
    assert log_cells(delivered(last_at=NOON - 86_400), VIEW)[1] == "11-22 12:00:00"


def test_a_triggered_delivery_is_one_line() -> None:
    view = View(NOON, short_id)
    assert sent_line(delivery(), view) == (
        "evt_…5c1f  agent.failed  ->  webhook-123   500   31 ms   retrying: retry 1 of 5 in 1m (dlv_…7qm9)"
    )
    assert sent_line(refused(), view) == (
        "evt_…5c1f  agent.failed  ->  webhook-123     -   2 ms"
        "   retrying: connection refused; retry 1 of 5 in 58s (dlv_…7qm9)"
    )
    assert sent_line(HELD, view) == (
        "evt_…5c1f  agent.failed  ->  webhook-123   held: webhook-123 is disabled (dlv_…7qm9)"
    )


def test_a_test_names_the_url() -> None:
    assert line_of_test(delivered(trigger="test"), View(NOON, short_id)) == (
        "agent.failed  evt_…5c1f -> http://localhost:8000/webhooks/swiftclaw   200   18 ms   delivered (dlv_…7qm9)"
    )


@pytest.mark.parametrize(
    ("shown", "through"),
    [
        (delivered(), True),
        (delivery(), False),
        (failed(), False),
        (HELD, False),
        (HELD | {"next_in_s": 300}, False),
        (SCHEDULED, True),
        (SCHEDULED | {"next_in_s": 0}, False),
        (delivery(state="sending"), False),
    ],
)
def test_only_a_2xx_or_a_delivery_for_later_counts_as_through(shown: Json, through: bool) -> None:
    assert got_through(shown) is through


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (failed(last_status=503), delivered(), "fixed: 503 -> 200"),
        (refused(), failed(), "still failing: connection refused -> 401"),
        (delivered(), failed(), "regressed: 200 -> 401"),
        (delivered(), delivered(), "still ok: 200 -> 200"),
        (SCHEDULED, delivered(), "fixed: not sent -> 200"),
    ],
)
def test_a_replay_has_a_verdict(before: Json, after: Json, text: str) -> None:
    assert verdict(before, after) == text


def test_a_replay_says_what_comes_next() -> None:
    new = "dlv_01j5abcdefghjkmnpqrstv0new"
    start = f"{new}  agent.failed  ->  webhook-123   "
    fixed = replay_line(failed(last_status=503), delivered(id=new), VIEW)
    assert fixed == f"{start}200   18 ms   fixed: 503 -> 200"
    again = replay_line(failed(last_status=503), delivery(id=new), VIEW)
    assert again == f"{start}500   31 ms   still failing: 503 -> 500   retrying: retry 1 of 5 in 1m"
    assert replay_line(failed(), HELD | {"id": new}, VIEW) == f"{start}held: webhook-123 is disabled"


def test_a_next_attempt_that_was_not_made_has_no_verdict() -> None:
    still = delivery(state="sending")
    assert replay_line(delivery(), still, VIEW).endswith("webhook-123   being sent")


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        ("connect_refused", "connection refused"),
        ("503", "503 Service Unavailable"),
        ("401", "401 Unauthorized  (final, no retry)"),
        ("308", "308 Permanent Redirect  (final, no retry)"),
        ("something_new", "something new"),
    ],
)
def test_a_cause_is_said_in_words(cause: str, text: str) -> None:
    assert cause_text(cause) == text


def test_groups_are_counted_and_their_times_shown() -> None:
    group = {"cause": "503", "deliveries": 212, "events": 210, "webhooks": 2, "first": NOON - 3600, "last": NOON}
    assert cause_cells(group, VIEW) == ("503 Service Unavailable", "212", "210", "2", "11:00:00", "12:00:00")


def test_the_total_says_how_many_are_not_given_up() -> None:
    assert total_text(1, unresolved=False, retrying=[]) == "1 delivery."
    many = total_text(247, unresolved=True, retrying=[delivery(), delivery(next_in_s=30)])
    assert many == ("247 unresolved: never delivered. 2 of them still have retries scheduled (next in 30s).")
    one = total_text(2, unresolved=False, retrying=[delivery()])
    assert one == "2 deliveries. 1 of them still has retries scheduled (next in 1m)."


def test_what_is_due_is_now() -> None:
    assert [in_text(seconds) for seconds in (None, 0, -3, 0.8, 21600)] == ["now", "now", "now", "in 0.8s", "in 6h"]


def test_how_long_ago_is_said_in_the_largest_unit() -> None:
    assert [VIEW.ago(at) for at in (None, NOON - 130, NOON + 5)] == ["-", "2m ago", "0s ago"]
