"""Replaying many deliveries from the command line: what is said, what is asked, and the exit codes."""

from __future__ import annotations

from typing import Any

import pytest

from swiftclaw_local.cli.delivery_texts import cause_of
from swiftclaw_local.cli.main import main
from swiftclaw_local.cli.replay_texts import end_lines, item_text, plan_lines, progress_text, question, seconds_text
from swiftclaw_local.cli.view import View
from tests.unit.api_documents import NOON
from tests.unit.fake_api import Asked, FakeApi

Json = dict[str, Any]
Shown = pytest.CaptureFixture[str]
VIEW = View(NOON)

PLAN: Json = {
    "total": 212,
    "webhooks": 2,
    "scheduled": 61,
    "rate": 10,
    "about_s": 21.2,
    "canary": 1,
    "stop_after": None,
    "with_retries": False,
    "to": None,
    "secret_of": None,
    "first": {"delivery": "dlv_2a", "type": "agent.completed", "created": NOON - 3600},
}
ITEM: Json = {
    "delivery": "dlv_2a",
    "replay": "dlv_9c",
    "verdict": "fixed",
    "status": 200,
    "error": None,
    "ms": 41,
    "skipped": None,
}


def replay(**fields: Any) -> Json:
    told: Json = {
        "id": "rpl_8",
        "state": "done",
        "reason": None,
        "filter": {},
        "total": 212,
        "fixed": 211,
        "still_failing": 1,
        "regressed": 0,
        "still_ok": 0,
        "skipped": 0,
        "sending": 0,
        "left": 0,
        "eta_s": None,
        "rate": 10,
        "canary": 1,
        "stop_after": 5,
        "with_retries": False,
        "to": None,
        "created": NOON,
        "ended": NOON,
        "canaries": [ITEM],
        "bad": [],
    }
    return told | fields


def test_a_plan_says_how_many_where_to_how_fast_and_which_goes_first() -> None:
    assert plan_lines(PLAN, VIEW, order="event") == [
        "Would replay 212 deliveries to 2 webhooks, oldest first, 10 per second: about 21 s."
        " Scheduled retries of the same deliveries are canceled.",
        "First canary: dlv_2a (agent.completed, 11:00:00).  Nothing sent.",
    ]
    quiet = PLAN | {
        "total": 1,
        "webhooks": 1,
        "scheduled": 0,
        "canary": 0,
        "to": "webhook-124",
        "rate": 0.5,
        "about_s": 2,
    }
    assert plan_lines(quiet, VIEW, order="failed") == [
        "Would replay 1 delivery to webhook-124, by the time of their failures, 30 per minute: about 2 s.",
        "First: dlv_2a (agent.completed, 11:00:00).  Nothing sent.",
    ]
    assert plan_lines(PLAN | {"total": 0, "first": None}, VIEW, order="event") == [
        "No deliveries match: there is nothing to replay."
    ]
    assert question(PLAN).startswith("Replay 212 deliveries to 2 webhooks, 10 per second?")


def test_the_end_says_what_came_of_it() -> None:
    bad = ITEM | {"verdict": "still_failing", "status": 500}
    (line,) = end_lines(replay(bad=[bad]), VIEW, answer='{"error":"unknown agent"}')
    assert line == 'Replay rpl_8 done: 211 fixed, 1 still failing (dlv_9c 500 {"error":"unknown agent"}), 0 skipped.'
    stopped = replay(state="stopped", reason="failures", fixed=10, still_failing=5, left=197)
    assert end_lines(stopped, VIEW, answer="") == [
        "Replay rpl_8 stopped at 15/212, 5 failures in a row: 10 fixed, 5 still failing, 0 skipped.",
        "197 deliveries were not sent. Once it is mended: swiftclaw deliveries replay --resume rpl_8",
    ]
    canary = replay(state="stopped", reason="canary", fixed=0, still_failing=1, left=1)
    assert "its canary failed" in end_lines(canary, VIEW, answer="")[0]
    (paused,) = end_lines(replay(state="paused", fixed=118, still_failing=0, left=94), VIEW, answer="")
    assert paused.startswith("Replay rpl_8 paused at 118/212: 118 fixed, 0 still failing")
    assert paused.endswith("Resume: swiftclaw deliveries replay --resume rpl_8")


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (ITEM, "200   41 ms   fixed"),
        (
            ITEM | {"verdict": "regressed", "status": None, "error": "connect_refused"},
            "connection refused   41 ms   regressed",
        ),
        (ITEM | {"verdict": "skipped", "skipped": "delivered"}, "skipped: it got through meanwhile"),
    ],
)
def test_one_delivery_is_said_in_a_few_words(item: Json, text: str) -> None:
    assert item_text(item) == text


def test_progress_says_the_verdicts_and_the_time_left() -> None:
    assert progress_text(replay(state="running", left=94, eta_s=9.4)) == "211 fixed   1 still failing   eta 9 s"
    assert [seconds_text(seconds) for seconds in (0.2, 119, 300, 7500)] == ["1 s", "119 s", "5 min", "2 h 5 min"]


@pytest.mark.parametrize(
    ("typed", "cause"),
    [
        ("503", "503"),
        ("503 Service Unavailable", "503"),
        ("connection refused", "connect_refused"),
        ("Connection Refused", "connect_refused"),
        ("timeout", "timeout"),
    ],
)
def test_a_cause_may_be_typed_as_it_is_shown(typed: str, cause: str) -> None:
    assert cause_of(typed) == cause


def test_it_counts_asks_begins_and_watches(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /_local/clock", {"now": NOON})
    bad = ITEM | {"verdict": "still_failing", "status": 500}
    looks = iter([replay(state="running", left=94, eta_s=9), replay(bad=[bad])])

    def begin(asked: Asked) -> tuple[int, Json]:
        return (200, PLAN) if asked.body.get("dry_run") else (201, replay(state="running", left=212, canaries=[]))

    api.on_call("POST /v1/replays", begin)
    api.on_call("GET /v1/replays/rpl_8", lambda _: (200, next(looks)))
    api.on("GET /v1/deliveries/dlv_9c", {"attempts": [{"response": {"body": "upstream\nmore"}}]})
    words = ["deliveries", "replay", "--unresolved", "--cause", "503", "--rate", "30/m", "--stop-after", "5", "--yes"]
    assert main(words) == 1
    assert capsys.readouterr().out.splitlines() == [
        "Replay rpl_8   canary dlv_2a   200   41 ms   fixed",
        "Replay rpl_8 done: 211 fixed, 1 still failing (dlv_9c 500 upstream), 0 skipped.",
    ]
    posted = [asked.body for asked in api.asked if asked.method == "POST"]
    assert posted[1] == {
        "filter": {"unresolved": True, "cause": "503"},
        "rate": 0.5,
        "stop_after": 5,
        "with_retries": False,
        "order": "event",
    }
    assert posted[0] == posted[1] | {"dry_run": True}


def test_a_dry_run_sends_nothing_and_without_a_terminal_nobody_is_asked(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /_local/clock", {"now": NOON})
    api.on("POST /v1/replays", PLAN)
    assert main(["deliveries", "replay", "--unresolved", "--dry-run"]) == 0
    assert "Nothing sent." in capsys.readouterr().out
    assert main(["deliveries", "replay", "--unresolved"]) == 2
    shown = capsys.readouterr().err
    assert "Nobody can answer here." in shown
    assert "--yes" in shown
    assert [asked.body["dry_run"] for asked in api.asked if asked.method == "POST"] == [True, True]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Say which deliveries: their ids, or a filter as --unresolved."),
        (["dlv_1", "--unresolved"], "Give ids, or say which by a filter: not both."),
        (["--resume", "rpl_1", "--unresolved"], "--resume goes on with what was asked then."),
        (["--unresolved", "--rate", "fast"], '--rate "fast" cannot be read.'),
        (["--failed", "--retrying"], "A delivery that is retrying has not failed for good."),
    ],
)
def test_what_does_not_fit_together_is_refused(api: FakeApi, capsys: Shown, words: list[str], said: str) -> None:
    assert main(["deliveries", "replay", *words]) == 2
    assert said in capsys.readouterr().err
    assert [asked for asked in api.asked if asked.method == "POST"] == []
