"""What is told of attempts: failures always, successes up to 50 a second, and one summary line for the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import structlog

from swiftclaw_local.dispatcher.journal import LINES_PER_SECOND, Journal, Sent, reason_text
from swiftclaw_local.storage.states import State


def attempt(
    number: int,
    *,
    state: State = State.SUCCEEDED,
    status: int = 200,
    reason: str | None = None,
    fault: str | None = None,
) -> Sent:
    return Sent(
        at=datetime(2026, 11, 23, 14, 0, tzinfo=UTC),
        delivery_id=f"dlv_{number}",
        event_id=f"evt_{number}",
        event_type="agent.failed",
        webhook_id="webhook-123",
        agent="my-agent",
        number=1,
        retry=0,
        retries_max=5,
        status=status,
        error_class=None,
        duration_ms=number,
        state=state,
        outcome="succeeded" if state is State.SUCCEEDED else "retry",
        reason=reason,
        due_at=None,
        fault=fault,
    )


def told(journal_of: Any) -> list[dict[str, Any]]:
    with structlog.testing.capture_logs() as lines:
        journal_of(structlog.get_logger())
    return [dict(line) for line in lines]


def test_one_wide_line_says_everything_of_an_attempt() -> None:
    (line,) = told(lambda log: Journal(log).add(attempt(7)))
    assert line["event"] == "delivery.attempted"
    assert (line["delivery_id"], line["event_id"], line["webhook_id"]) == ("dlv_7", "evt_7", "webhook-123")
    assert (line["attempt"], line["retry"], line["status"], line["ms"]) == (1, "0 of 5", 200, 7)


def test_above_fifty_successes_a_second_one_line_sums_up_the_rest() -> None:
    def busy(log: Any) -> None:
        journal = Journal(log)
        for number in range(LINES_PER_SECOND + 100):
            journal.add(attempt(number))
        journal.every_second()
        journal.every_second()
        journal.add(attempt(1))

    lines = told(busy)
    assert [line["event"] for line in lines].count("delivery.attempted") == LINES_PER_SECOND + 1
    (summary,) = [line for line in lines if line["event"] == "deliveries.summarized"]
    assert (summary["delivered"], summary["p95_ms"]) == (100, 145)


def test_an_attempt_without_a_line_need_not_be_told_to_be_counted() -> None:
    def busy(log: Any) -> None:
        journal = Journal(log)
        for number in range(LINES_PER_SECOND):
            journal.add(attempt(number))
        assert journal.only_counts(State.SUCCEEDED, 7) is True
        journal.every_second()

    (summary,) = [line for line in told(busy) if line["event"] == "deliveries.summarized"]
    assert (summary["delivered"], summary["p95_ms"]) == (1, 7)


def test_an_attempt_with_a_line_or_a_collector_is_to_be_told() -> None:
    journal = Journal(structlog.get_logger())
    assert journal.only_counts(State.SUCCEEDED, 7) is False
    with structlog.testing.capture_logs():
        for number in range(LINES_PER_SECOND):
            journal.add(attempt(number))
        assert journal.only_counts(State.DEAD, 7) is False
        with journal.collecting():
            assert journal.only_counts(State.SUCCEEDED, 7) is False


def test_failures_always_get_their_own_line() -> None:
    def failing(log: Any) -> None:
        journal = Journal(log)
        for number in range(200):
            journal.add(attempt(number, state=State.PENDING, status=500))

    lines = told(failing)
    assert [line["log_level"] for line in lines] == ["warning"] * 200


def test_with_debug_every_success_gets_its_line_too() -> None:
    def busy(log: Any) -> None:
        journal = Journal(log, every_line=True)
        for number in range(200):
            journal.add(attempt(number))

    assert len(told(busy)) == 200


def test_collectors_get_what_was_added_while_they_collect() -> None:
    journal = Journal(structlog.get_logger())
    with structlog.testing.capture_logs():
        journal.add(attempt(1))
        with journal.collecting() as outer:
            journal.add(attempt(2))
            with journal.collecting() as inner:
                journal.add(attempt(3))
            journal.add(attempt(4))
        journal.add(attempt(5))
    assert [sent.delivery_id for sent in outer] == ["dlv_2", "dlv_3", "dlv_4"]
    assert [sent.delivery_id for sent in inner] == ["dlv_3"]


def test_a_final_status_is_explained_in_words() -> None:
    rejected = attempt(1, state=State.DEAD, status=404, reason="rejected")
    assert reason_text(rejected) == "4xx is not in SwiftClaw's retry codes"
    assert reason_text(attempt(1, state=State.DEAD, status=500, reason="exhausted")) == "exhausted"


def test_an_attempt_that_met_a_fault_always_has_its_line() -> None:
    def busy(log: Any) -> None:
        journal = Journal(log)
        for number in range(LINES_PER_SECOND + 1):
            journal.add(attempt(number))
        journal.add(attempt(99, fault="not_json"))

    lines = told(busy)
    assert [line["fault"] for line in lines] == [None] * LINES_PER_SECOND + ["not_json"]
