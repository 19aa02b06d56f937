"""A right receiver passes, a wrong one is told what a right one answers, and what nobody can judge is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from swiftclaw_local.plays.verdicts import alike, came_twice, judged

Json = dict[str, Any]


def attempt(status: int | None = 200, fault: str | None = None) -> Json:
    response = None if status is None else {"status": status}
    return {"fault": fault, "response": response, "error": None if response else {"kind": "timeout"}}


def delivery(*attempts: Json, state: str = "delivered", **more: Any) -> Json:
    last = attempts[-1]["response"] if attempts else None
    known = {"id": "dlv_1", "webhook_id": "webhook-123", "agent": "my-agent", "event_type": "agent.completed"}
    ended = {
        "state": state,
        "last_status": last["status"] if last else None,
        "last_error": "timeout",
        "replay_of": None,
    }
    return {**known, **ended, "attempts": list(attempts), **more}


def found(given: Json, **how: Any) -> tuple[str, str, str]:
    finding = judged(given, **({"expect": None} | how))
    assert finding is not None
    return finding.result, finding.wanted, finding.got


@pytest.mark.parametrize(
    ("fault", "status", "result", "wanted"),
    [
        ("wrong_signature", 401, "pass", "401"),
        ("wrong_signature", 403, "warn", "401"),
        ("wrong_signature", 200, "fail", "401"),
        ("missing_signature", 500, "fail", "401"),
        ("tampered_body", None, "fail", "401"),
        ("truncated_body", 401, "pass", "401"),
        ("other_secret", 401, "pass", "401"),
        ("not_json", 400, "pass", "400"),
        ("not_json", 422, "warn", "400"),
        ("empty_body", 500, "fail", "400"),
        ("unknown_type", 204, "pass", "2xx"),
        ("unknown_type", 404, "warn", "2xx"),
    ],
)
def test_what_is_wrong_on_purpose_is_judged_by_its_answer_as_certify_does(
    fault: str, status: int | None, result: str, wanted: str
) -> None:
    attempts = [attempt(status, fault), attempt(200)]
    assert found(delivery(*attempts))[:2] == (result, wanted)


def test_all_else_is_to_be_delivered_in_the_end_whatever_was_done_to_it_on_the_way() -> None:
    on_the_way = [attempt(None, "refused"), attempt(503, "status:503"), attempt(200)]
    assert found(delivery(*on_the_way)) == ("pass", "2xx in the end", "delivered")
    assert found(delivery(*on_the_way[:2], state="retrying")) == ("fail", "2xx in the end", "retrying: 503")
    assert found(delivery(state="scheduled")) == ("fail", "2xx in the end", "scheduled: not sent yet")


def test_what_the_scenario_expects_comes_first() -> None:
    forged = delivery(attempt(400, "wrong_signature"), state="failed")
    assert found(forged, expect="4xx") == ("pass", "4xx", "400")
    assert found(forged, expect="403") == ("fail", "403", "400")
    assert found(forged, expect="2xx") == ("fail", "2xx in the end", "failed: 400")
    assert judged(forged, expect="any") is None
    assert found(delivery(state="scheduled"), expect="401") == ("fail", "401", "not sent yet")


@pytest.mark.parametrize("fault", ["drop", "secret_rotated_midway"])
def test_what_nobody_can_judge_is_left_alone(fault: str) -> None:
    assert judged(delivery(attempt(401, fault), state="failed"), expect=None) is None


def test_like_findings_are_counted() -> None:
    right = [judged(delivery(attempt()), expect=None)] * 2
    wrong = judged(delivery(attempt(500), state="failed"), expect=None)
    counted = alike(finding for finding in [right[0], wrong, right[1]] if finding is not None)
    assert [(one.finding.result, one.count) for one in counted] == [("pass", 2), ("fail", 1)]


def test_an_event_that_came_twice_is_known() -> None:
    assert came_twice(delivery(attempt(200, "duplicate"), attempt()))
    assert came_twice(delivery(attempt(), replay_of="dlv_0"))
    assert not came_twice(delivery(attempt(200, "delay:30s"), attempt()))
