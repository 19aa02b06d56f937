"""The event stream on the command line: lines for people, coming back after a loss, and the screen's keys."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from swiftclaw_local.cli import live
from swiftclaw_local.cli.live import Live, Wanted
from swiftclaw_local.cli.live_screen import Acts, Screen
from swiftclaw_local.cli.live_texts import Lines
from swiftclaw_local.cli.view import View
from swiftclaw_local.errors import NoServer, StorageUnavailable

Json = dict[str, Any]


def told(kind: str, **fields: Any) -> Json:
    return {"kind": kind, "id": "1-0", "t": "2026-11-23T14:02:11.312Z", "virtual": False, **fields}


def attempt(**fields: Any) -> Json:
    base: Json = {
        "attempt": "att_1", "delivery": "dlv_1", "event": "evt_1", "type": "agent.failed", "agent": "my-agent",
        "webhook": "webhook-123", "trigger": "event", "n": 1, "retry": 0, "retries_max": 5, "status": 200, "error": None,
        "ms": 5, "outcome": "delivered", "state": "delivered", "reason": None, "next_in_s": None, "answer": None,
        "hints": [], "fault": None,
    }  # fmt: skip
    return told("attempt", **(base | fields))


def delivery(**fields: Any) -> Json:
    base = {"delivery": "dlv_1", "event": "evt_1", "type": "agent.failed", "webhook": "webhook-123", "trigger": "event"}
    return told("delivery", **(base | {"state": "sending", "held": False, "explanation": "being sent"} | fields))


OUT = "14:02:11  ->  agent.failed  evt_1  webhook-123"


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "14:02:11  <-  200     5 ms  delivered"),
        ({"n": 3, "retry": 2}, "14:02:11  <-  200     5 ms  delivered by retry 2/5"),
        (
            {"status": 500, "outcome": "retrying", "next_in_s": 60, "answer": '{"error":\n"x"}'},
            '14:02:11  <-  500     5 ms  retry 1/5 in 1m   {"error": "x"}',
        ),
        (
            {"status": None, "error": "connect_refused", "outcome": "retrying", "next_in_s": 60},
            "14:02:11  <-    -     5 ms  connection refused; retry 1/5 in 1m",
        ),
        (
            {"status": 422, "outcome": "failed", "reason": "4xx is not retried"},
            "14:02:11  <-  422     5 ms  failed, not retried (SwiftClaw retries only 500-599)",
        ),
        (
            {"status": 500, "outcome": "failed", "reason": "500; all 5 retries are used up"},
            "14:02:11  <-  500     5 ms  failed: 500; all 5 retries are used up",
        ),
        ({"fault": "lost_reply"}, "14:02:11  <-  200     5 ms  delivered   [fault: lost_reply]"),
        ({"outcome": "interrupted"}, "14:02:11  <-  200     5 ms  cut off by the end of a dispatcher; sent again"),
    ],
)
def test_an_attempt_is_one_line_after_its_delivery(fields: Json, line: str) -> None:
    lines = Lines(View(0))
    assert lines.of(delivery()) == [OUT]
    assert lines.of(attempt(**fields)) == [line]


def test_a_delivery_that_was_not_announced_is_named_first_and_a_retry_in_its_line() -> None:
    lines = Lines(View(0))
    assert lines.of(attempt())[0] == OUT
    lines.of(delivery(delivery="dlv_2"))
    (line,) = lines.of(attempt(n=2, retry=1))
    assert line == "14:02:11  <-  200     5 ms  agent.failed  evt_1  webhook-123  delivered by retry 1/5"


def test_a_delivery_that_waits_says_for_what_and_one_that_is_due_leaves_it_to_its_attempt() -> None:
    lines = Lines(View(0))
    waits = delivery(state="scheduled", explanation="first attempt in 5m 00s")
    assert lines.of(waits) == ["14:02:11  --  agent.failed  evt_1  webhook-123  first attempt in 5m 00s"]
    assert lines.of(delivery(state="scheduled", explanation="first attempt due now")) == []
    assert len(lines.of(delivery(state="canceled", explanation="canceled on request"))) == 1


def test_wide_lines_put_answers_and_hints_below_and_quiet_ones_tell_trouble_only() -> None:
    failed = attempt(status=422, outcome="failed", answer="{}", hints=[{"code": "x", "text": "Declare it."}])
    assert Lines(View(0), wide=True).of(failed)[2:] == ["          {}", "          hint: Declare it."]
    quiet = Lines(View(0), quiet=True)
    assert [quiet.of(delivery()), quiet.of(attempt()), quiet.of(told("clock", mode="real", lead_s=0))] == [[], [], []]
    assert len(quiet.of(failed)) == 1


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            told("alert", alert="alert-1", state="firing", count=5, metric="webhook-failures", window="1h", agent="my-agent"),
            "14:02:11  !!  alert-1 firing: 5 webhook-failures in 1h (my-agent)",
        ),
        (told("fault", fault="fault-1", change="met", left=0), "14:02:11  --  fault-1 met an attempt, 0 left"),
        (told("fault", fault="fault-1", change="disarmed"), "14:02:11  --  fault-1 disarmed"),
        (told("clock", mode="manual"), "14:02:11  --  clock stands at 2026-11-23 14:02:11Z"),
        (told("clock", mode="fast", rate=60.0), "14:02:11  --  clock runs 60 times as fast as real time"),
        (told("lost", why="stopping"), "          --  server stopped; reconnecting every 1 s"),
        (told("back", missed=0, tries=3), "14:02:11  --  back, 0 missed (3 tries)"),
    ],
)  # fmt: skip
def test_all_else_is_one_line(message: Json, line: str) -> None:
    assert Lines(View(0)).of(message) == [line]


def replay(**fields: Any) -> Json:
    base = dict.fromkeys(("fixed", "still_failing", "regressed", "still_ok", "skipped", "sending"), 0)
    told_of: Json = {"replay": "rpl_8", "state": "running", "reason": None, "total": 200, "left": 200, "to": None}
    return told("replay", **(base | told_of | {"rate": 10, "eta_s": 20} | fields))


def test_a_replay_is_told_when_it_begins_at_each_tenth_and_when_it_stands_still() -> None:
    lines = Lines(View(0))
    assert lines.of(replay()) == ["14:02:11  --  rpl_8 began: 200 deliveries, 10 per second"]
    assert lines.of(replay(fixed=19, left=181)) == []
    assert lines.of(replay(fixed=20, still_failing=1, left=179, eta_s=18)) == [
        "14:02:11  --  rpl_8 21/200   20 fixed   1 still failing   eta 18 s"
    ]
    assert lines.of(replay(fixed=21, still_failing=1, left=178)) == []
    assert lines.of(replay(state="paused", fixed=21, still_failing=1, left=178)) == [
        "14:02:11  --  rpl_8 paused at 22/200: 21 fixed, 1 still failing, 0 skipped"
    ]
    assert lines.of(replay(state="stopped", reason="canary", still_failing=1, left=199)) == [
        "14:02:11  --  rpl_8 stopped at 1/200, its canary failed: 0 fixed, 1 still failing, 0 skipped"
    ]
    assert lines.of(replay(state="done", fixed=199, skipped=1, left=0)) == [
        "14:02:11  --  rpl_8 done: 199 fixed, 0 still failing, 1 skipped"
    ]
    assert lines.of(replay(to="webhook-124"))[0].endswith("rpl_8 began: 200 deliveries to webhook-124, 10 per second")


def test_quiet_lines_tell_a_replay_that_left_failures_alone() -> None:
    quiet = Lines(View(0), quiet=True)
    told_of = [replay(), replay(fixed=100, left=100), replay(state="done", fixed=200, left=0)]
    assert [quiet.of(one) for one in told_of] == [[], [], []]
    assert len(quiet.of(replay(state="done", fixed=199, still_failing=1, left=0))) == 1


class FakeClient:
    """Answers each connection with these messages, or an error."""

    def __init__(self, *connections: list[Json] | Exception) -> None:
        self.connections = list(connections)
        self.headers: list[Json] = []

    def lines(self, _path: str, *, query: Json, headers: Json) -> Iterator[Json]:
        self.headers.append({**headers, **{k: v for k, v in query.items() if v}})
        given = self.connections.pop(0)
        if isinstance(given, Exception):
            raise given
        yield from given


def test_after_a_loss_it_comes_back_with_the_last_id_and_shows_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "AGAIN_S", 0)
    first = [told("open", back_filled=0), attempt(id="1-0"), told("end", id="1-0", reason="stopping")]
    again = [attempt(id="1-0"), attempt(id="2-0", attempt="att_2"), told("open", id="2-0", back_filled=1)]
    client = FakeClient(first, NoServer("gone"), StorageUnavailable("starting"), again, NoServer("gone"))
    messages = Live(client, Wanted(since="1h ago", failed=True)).messages()  # type: ignore[arg-type] # only `lines` is called
    seen = [next(messages) for _ in range(5)]
    assert [(one["kind"], one.get("attempt"), one.get("missed"), one.get("tries")) for one in seen] == [
        ("open", None, None, None),
        ("attempt", "att_1", None, None),
        ("lost", None, None, None),
        ("attempt", "att_2", None, None),
        ("back", None, 1, 3),
    ]
    assert client.headers[0] == {"since": "1h ago", "failed": True}
    assert client.headers[1:] == [{"Last-Event-ID": "1-0", "failed": True}] * 3


def test_without_a_server_from_the_start_it_says_so() -> None:
    with pytest.raises(NoServer):
        next(Live(FakeClient(NoServer("none")), Wanted()).messages())  # type: ignore[arg-type] # as above


def screen(acts: Acts | None = None) -> Screen:
    nothing = Acts(
        details=lambda _: ["details"], replay=lambda name: f"Replayed {name}.", curl=lambda _: "curl -X POST"
    )
    return Screen(io.StringIO(), Lines(View(0)), acts or nothing)


def test_the_screen_follows_until_a_line_is_selected() -> None:
    one = screen()
    for number in range(3):
        one.take(attempt(delivery=f"dlv_{number}"))
    one.key("k")
    assert one.selected == 1
    one.take(attempt(delivery="dlv_9"))
    assert one.selected == 3  # the same line
    one.key("G")
    assert one.selected == 0


def test_keys_act_on_the_selected_delivery() -> None:
    one = screen()
    one.take(attempt(delivery="dlv_7"))
    assert one.key("r")
    assert one.said == "Replayed dlv_7."
    shown = []
    for key in ("enter", "x", "c"):
        one.key(key)
        shown.append(one.detail or [])
    assert shown[:2] == [["details"], []]
    assert "curl -X POST" in shown[2]
    one.key("escape")
    assert not one.key("q")


def test_a_filter_and_a_pause() -> None:
    one = screen()
    one.take(attempt())
    for key in ("/", "2", "0", "backspace", "0", "0", "enter"):
        one.key(key)
    assert (one.wanted, len(one._shown())) == ("200", 1)
    one.key("p")
    one.take(attempt(attempt="att_2", status=200))
    assert (len(one._shown()), len(one.held or [])) == (1, 1)
    one.key("p")
    assert len(one._shown()) == 2
    one.draw()


def test_what_a_receiver_wrote_cannot_move_the_cursor() -> None:
    one = screen()
    one.take(attempt(status=500, outcome="retrying", answer="\x1b[2J\u202e"))
    assert "\\x1b[2J\\u202e" in one.rows[-1].text
