"""The retry policy: every outcome and what follows from it, and what holds for all of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftclaw_local.scheduler.outcome import BLOCKED, Answered, Cause, Outcome, Unanswered
from swiftclaw_local.scheduler.policy import (
    PAGE_SCHEDULE,
    Again,
    Dead,
    Decision,
    RetryAt,
    Succeeded,
    decide,
    with_jitter,
)

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
RETRIED_CAUSES = sorted(set(Cause) - BLOCKED - {Cause.STALE_CONNECTION})

outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.integers(100, 999).map(Answered), st.sampled_from(sorted(Cause)).map(Unanswered)
)
schedules = st.lists(st.timedeltas(timedelta(milliseconds=1), timedelta(days=9)), max_size=9).map(tuple)


def decided(outcome: Outcome, *, retries_used: int = 0) -> Decision:
    return decide(outcome, retries_used=retries_used, now=NOW, schedule=PAGE_SCHEDULE)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 250, 299])
def test_200_to_299_is_success(status: int) -> None:
    assert decided(Answered(status)) == Succeeded()


@pytest.mark.parametrize("status", [100, 101, 199, 300, 301, 304, 308, 400, 401, 404, 408, 410, 429, 499, 600, 999])
def test_everything_but_2xx_and_5xx_is_final(status: int) -> None:
    assert decided(Answered(status)) == Dead("rejected")


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 511, 599])
def test_500_to_599_is_retried(status: int) -> None:
    assert decided(Answered(status)) == RetryAt(NOW + timedelta(minutes=1))


@pytest.mark.parametrize("cause", RETRIED_CAUSES)
def test_no_answer_is_retried_like_a_5xx(cause: Cause) -> None:
    assert decided(Unanswered(cause)) == RetryAt(NOW + timedelta(minutes=1))


@pytest.mark.parametrize("cause", sorted(BLOCKED))
def test_a_blocked_address_is_final(cause: Cause) -> None:
    assert decided(Unanswered(cause)) == Dead("blocked")


@pytest.mark.parametrize("retries_used", [0, 5])
def test_a_stale_connection_is_tried_again_at_once_however_many_retries_are_used(retries_used: int) -> None:
    assert decided(Unanswered(Cause.STALE_CONNECTION), retries_used=retries_used) == Again()


def test_the_pages_schedule_is_1m_5m_15m_1h_6h_and_then_the_end() -> None:
    waits = []
    for used in range(5):
        decision = decided(Answered(500), retries_used=used)
        assert isinstance(decision, RetryAt)
        waits.append(decision.due_at - NOW)
    assert [wait // timedelta(minutes=1) for wait in waits] == [1, 5, 15, 60, 360]
    assert decided(Answered(500), retries_used=5) == Dead("exhausted")


def test_without_a_schedule_a_failure_is_final_and_a_success_is_one() -> None:
    assert decide(Answered(500), retries_used=0, now=NOW, schedule=()) == Dead("unscheduled")
    assert decide(Answered(200), retries_used=0, now=NOW, schedule=()) == Succeeded()


@given(outcomes, schedules)
def test_no_outcome_is_tried_more_often_than_the_schedule_is_long(
    outcome: Outcome, schedule: tuple[timedelta, ...]
) -> None:
    used, decision = 0, decide(outcome, retries_used=0, now=NOW, schedule=schedule)
    while isinstance(decision, RetryAt):
        used += 1
        decision = decide(outcome, retries_used=used, now=NOW, schedule=schedule)
    assert used in (0, len(schedule))


@given(outcomes, st.integers(0, 5), st.floats(0, 1), st.integers())
def test_jitter_only_adds_to_a_wait_and_never_more_than_its_part(
    outcome: Outcome, used: int, part: float, seed: int
) -> None:
    decision = decided(outcome, retries_used=used)
    late = with_jitter(decision, now=NOW, part=part, random=Random(seed))
    if not isinstance(decision, RetryAt):
        assert late == decision
        return
    assert isinstance(late, RetryAt)
    most = decision.due_at + (decision.due_at - NOW) * part
    assert decision.due_at <= late.due_at <= most + timedelta(microseconds=1)
