"""`swiftclaw events` and `swiftclaw alerts`, against a stand-in of the API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from swiftclaw_local.cli.main import main
from tests.unit.api_documents import NOON, Json, delivered, event, page
from tests.unit.fake_api import FakeApi

Shown = pytest.CaptureFixture[str]

RULE = ["--agent", "my-agent", "--metric", "webhook-failures", "--threshold", "5", "--window", "1h"]


def alert(**changes: Any) -> Json:
    return {
        "id": "alert-1",
        "agent": "my-agent",
        "metric": "webhook-failures",
        "threshold": 5,
        "window": "1h",
        "notify_url": None,
        "state": "ok",
        "current": 1,
        "created": NOON,
    } | changes


# --- events -----------------------------------------------------------------------------------------------------


def test_events_are_listed_the_newest_last(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /v1/events", page(event(id="evt_2", data={"t": "\x1b"}), event(id="evt_1", data={})))
    flags = ["--type", "agent.failed", "--agent", "my-agent", "--since", "1h ago", "--limit", "9"]
    assert main(["events", "list", *flags]) == 0
    assert capsys.readouterr().out == (
        "EVENT  CREATED   TYPE          DATA\n"
        "evt_1  11:59:50  agent.failed  {}\n"
        'evt_2  11:59:50  agent.failed  {"t":"\\u001b"}\n'
    )
    assert api.asked[0].query == {"type": "agent.failed", "agent": "my-agent", "since": "1h ago", "limit": "9"}


@pytest.mark.parametrize(
    ("flags", "note"),
    [([], "No events yet. Send one: swiftclaw trigger agent.completed\n"), (["--type", "x"], "No events match.\n")],
)
def test_an_empty_list_of_events_is_a_note(api: FakeApi, capsys: Shown, flags: list[str], note: str) -> None:
    api.on("GET /v1/events", page())
    assert main(["events", "list", *flags]) == 0
    assert capsys.readouterr() == ("", note)


def test_an_event_is_shown_with_its_deliveries(api: FakeApi, capsys: Shown) -> None:
    found = {"event": event(id="evt_1", data={"t": "\u202e"}), "deliveries": [delivered(id="dlv_1")], "known": False}
    api.on("GET /v1/events/@last", found)
    assert main(["events", "show", "@last"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "evt_1   agent.failed   2026-11-23 11:59:50Z"
    assert '  "t": "\\u202e"' in out.splitlines()
    assert out.splitlines()[-1].startswith("dlv_1     11:59:55  webhook-123")
    assert err == "Its bytes: swiftclaw events body evt_1\n"
    main(["events", "show", "@last", "--json"])
    assert json.loads(capsys.readouterr().out) == found


def test_an_event_without_deliveries_says_so(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /v1/events/evt_1", {"event": event(), "deliveries": [], "known": False})
    assert main(["events", "show", "evt_1"]) == 0
    assert capsys.readouterr().err == "No webhook took it.\n"


def test_a_body_is_piped_byte_for_byte(api: FakeApi, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    raw = '{"t":"é\u202e"}'.encode()
    api.on("GET /v1/events/evt_1/body", raw)
    assert main(["events", "body", "evt_1"]) == 0
    assert capfdbinary.readouterr().out == raw


def test_the_body_of_an_unknown_event_is_not_found(api: FakeApi, capsys: Shown) -> None:
    api.refuse("GET /v1/events/evt_9/body", "unknown_event", 'There is no event "evt_9".', status=404)
    assert main(["events", "body", "evt_9"]) == 3
    assert capsys.readouterr() == ("", 'error: There is no event "evt_9".\n')


# --- alerts -----------------------------------------------------------------------------------------------------


def test_a_new_alert_says_when_it_fires_and_how_it_stands(api: FakeApi, capsys: Shown) -> None:
    api.on("POST /v1/alerts", alert(), status=201)
    assert main(["alerts", "create", *RULE]) == 0
    assert capsys.readouterr().out == (
        "Created alert-1: fires when my-agent has 5 or more webhook-failures in 1h. Now: 1."
        " Shown in: swiftclaw listen, swiftclaw alerts list, and the server's log.\n"
    )
    assert api.bodies("POST /v1/alerts") == [
        {"agent": "my-agent", "metric": "webhook-failures", "threshold": 5, "window": "1h"}
    ]


def test_an_alert_that_posts_says_where(api: FakeApi, capsys: Shown) -> None:
    api.on("POST /v1/alerts", alert(notify_url="http://localhost:9/x", state="firing", current=7), status=201)
    assert main(["alerts", "create", *RULE, "--url", "http://localhost:9/x"]) == 0
    assert capsys.readouterr().out.endswith("Now: 7, firing. It POSTs to http://localhost:9/x.\n")
    assert api.bodies("POST /v1/alerts")[0]["notify_url"] == "http://localhost:9/x"


def test_a_window_that_is_none_is_named_after_its_flag(api: FakeApi, capsys: Shown) -> None:
    message = '"1 hour" is not a duration. Write 6h, 90s or 1h30m.'
    error = {"error": {"code": "invalid_duration", "message": message, "field": "window"}}
    api.on("POST /v1/alerts", error, status=400)
    assert main(["alerts", "create", *RULE]) == 2
    assert capsys.readouterr().err == f"error: --window {message}\n"


def test_alerts_are_listed_with_how_near_they_are(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /v1/alerts", page(alert(current=5, state="firing")))
    assert main(["alerts", "list", "--agent", "my-agent", "--firing"]) == 0
    assert capsys.readouterr().out == (
        "ID       AGENT     METRIC            THRESHOLD  WINDOW  STATE   NOW/THRESHOLD  URL\n"
        "alert-1  my-agent  webhook-failures          5      1h  firing            5/5  -\n"
    )
    assert api.asked[0].query == {"agent": "my-agent", "firing": "1"}


def test_without_alerts_there_is_a_note(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /v1/alerts", page())
    assert main(["alerts", "list"]) == 0
    assert capsys.readouterr() == ("", "No alerts yet. Set one up: swiftclaw alerts create --help\n")


def test_deleting_an_alert_keeps_its_history(api: FakeApi, capsys: Shown) -> None:
    api.on("DELETE /v1/alerts/alert-1", status=204)
    assert main(["alerts", "delete", "1"]) == 0
    assert capsys.readouterr().out == ("Deleted alert-1. Its history is kept (swiftclaw alerts history alert-1).\n")


@pytest.mark.parametrize(
    ("words", "route"), [([], "GET /v1/alerts/history"), (["1"], "GET /v1/alerts/alert-1/history")]
)
def test_the_history_has_the_newest_last(api: FakeApi, capsys: Shown, words: list[str], route: str) -> None:
    fired = {"id": "ale_1", "alert": "alert-1", "state": "firing", "count": 5, "at": NOON - 60}
    api.on(route, page(fired | {"state": "ok", "count": 4, "at": NOON}, fired))
    assert main(["alerts", "history", *words]) == 0
    assert capsys.readouterr().out == (
        "TIME      ALERT    STATE   COUNT\n11:59:00  alert-1  firing      5\n12:00:00  alert-1  ok          4\n"
    )


def test_without_history_there_is_a_note(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /v1/alerts/history", page())
    assert main(["alerts", "history"]) == 0
    assert capsys.readouterr() == ("", "Nothing has fired yet.\n")
