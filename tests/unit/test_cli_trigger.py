"""`swiftclaw trigger`, against a stand-in of the API."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from swiftclaw_local.cli.main import main
from tests.unit.api_documents import NOON, Json, delivered, delivery, event, failed, page, refused
from tests.unit.fake_api import Asked, FakeApi

Shown = pytest.CaptureFixture[str]

EMIT = "POST /v1/agents/my-agent/events"
TYPES: Json = page(
    {
        "name": "agent.failed",
        "group": "agent",
        "meaning": "Agent encountered error",
        "sample": event(
            id="evt_abc123", created=1, data={"agent": "a", "request_id": "req_xyz789", "error": {"code": 1}}
        ),
    },
    {
        "name": "system.incident",
        "group": "system",
        "meaning": "System incident",
        "sample": event(id="evt_abc123", type="system.incident", created=1, data={"title": "é"}),
    },
)


def emitted(*deliveries: Json, **changes: Any) -> Json:
    return {"event": event(), "deliveries": list(deliveries), "known": False} | changes


def trigger(*words: str) -> int:
    return main(["trigger", *words])


# --- one event --------------------------------------------------------------------------------------------------


def test_each_delivery_is_one_line_after_its_first_attempt(api: FakeApi, capsys: Shown) -> None:
    api.on(EMIT, emitted(delivered(id="dlv_1", hints=[]), delivery(id="dlv_2", webhook_id="webhook-124", hints=[])))
    assert trigger("agent.failed") == 1
    assert capsys.readouterr().out == (
        "evt_01j5abcdefghjkmnpqrstv5c1f  agent.failed  ->  webhook-123   200   18 ms   delivered (dlv_1)\n"
        "evt_01j5abcdefghjkmnpqrstv5c1f  agent.failed  ->  webhook-124   500   31 ms"
        "   retrying: retry 1 of 5 in 1m (dlv_2)\n"
    )
    asked = next(asked for asked in api.asked if asked.method == "POST")
    assert (asked.query, asked.body) == ({"wait": "first", "timeout": "60s"}, {"type": "agent.failed"})


def test_everything_typed_reaches_the_api(api: FakeApi, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"a": 1}')
    api.on("POST /v1/agents/billing-bot/events", emitted(delivered(hints=[])))
    flags = ["--agent", "billing-bot", "--data", str(tmp_path / "data.json"), "--set", "data.b=x", "--id", "evt_1"]
    flags += ["--created", "2026-11-23 14:00", "--webhook", "123", "--allow-unknown-type", "--exact"]
    assert trigger("agent.failing", *flags) == 0
    assert api.bodies("POST /v1/agents/billing-bot/events") == [
        {
            "type": "agent.failing",
            "data": {"a": 1, "b": "x"},
            "exact": True,
            "id": "evt_1",
            "created": NOON + 7200,
            "webhook": "webhook-123",
            "allow_unknown_type": True,
        }
    ]


@pytest.mark.parametrize(("text", "created"), [("1795442400", 1795442400), ("1h ago", NOON - 3600), ("0", 0)])
def test_when_it_happened_is_told_on_the_servers_clock(api: FakeApi, text: str, created: int) -> None:
    api.on(EMIT, emitted(delivered(hints=[])))
    trigger("agent.failed", "--created", text)
    assert api.bodies(EMIT)[0]["created"] == created


def test_a_part_of_the_sample_is_changed_in_place(api: FakeApi) -> None:
    api.on(EMIT, emitted(delivered(hints=[])))
    api.on("GET /_local/event-types", TYPES)
    trigger("agent.failed", "--set", "data.error.message=no")
    assert api.bodies(EMIT) == [{"type": "agent.failed", "data": {"error": {"code": 1, "message": "no"}}}]


def test_what_is_unset_is_left_out_of_a_whole_sample(api: FakeApi) -> None:
    api.on(EMIT, emitted(delivered(hints=[])))
    api.on("GET /_local/event-types", TYPES)
    trigger("agent.failed", "--unset", "error")
    body = api.bodies(EMIT)[0]
    assert (body["exact"], sorted(body["data"]), body["data"]["agent"]) == (True, ["agent", "request_id"], "my-agent")
    assert body["data"]["request_id"] != "req_xyz789"


def test_an_unknown_type_has_a_sample_of_the_agent_alone(api: FakeApi) -> None:
    api.on(EMIT, emitted(delivered(hints=[])))
    api.on("GET /_local/event-types", TYPES)
    trigger("agent.new", "--set", "data.a.b=1", "--unset", "a.b", "--allow-unknown-type")
    assert api.bodies(EMIT)[0]["data"] == {"agent": "my-agent", "a": {}}


def test_data_comes_from_stdin_too(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"a": [1]}')))
    api.on(EMIT, emitted(delivered(hints=[])))
    trigger("agent.failed", "--data", "-")
    assert api.bodies(EMIT)[0]["data"] == {"a": [1]}


def test_without_waiting_nothing_is_judged(api: FakeApi, capsys: Shown) -> None:
    api.on(EMIT, emitted(delivery(state="sending", sends=0, last_status=None, last_ms=None)), status=202)
    assert trigger("agent.failed", "--no-wait") == 0
    assert "->  webhook-123   being sent (dlv_" in capsys.readouterr().out
    asked = next(asked for asked in api.asked if asked.method == "POST")
    assert asked.query == {}


def test_an_event_that_was_known_is_said_not_to_be_sent_again(api: FakeApi, capsys: Shown) -> None:
    api.on(EMIT, emitted(delivered(hints=[]), known=True))
    assert trigger("agent.failed", "--id", "evt_1") == 0
    assert "was announced before, with the same content: it is not sent again." in capsys.readouterr().err


def test_one_event_as_json_is_the_apis_document(api: FakeApi, capsys: Shown) -> None:
    hint = {"code": "x", "text": "y"}
    document = emitted(failed(hints=[hint]))
    api.on(EMIT, document)
    assert trigger("agent.failed", "--json") == 1
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == (document, "")


# --- nobody to send to ------------------------------------------------------------------------------------------


def test_a_mistyped_agent_is_answered_with_the_right_one(api: FakeApi, capsys: Shown) -> None:
    api.on("POST /v1/agents/my-agnet/events", emitted())
    api.on("GET /_local/status", {"agents": ["my-agent"]})
    assert trigger("agent.failed", "--agent", "my-agnet") == 3
    assert 'No agent "my-agnet" has webhooks. Did you mean "my-agent"? Agents: my-agent' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "who"), [([], "no webhook takes"), (["--webhook", "123"], "webhook-123 does not take")]
)
def test_an_event_nobody_takes_is_no_failure(api: FakeApi, capsys: Shown, flags: list[str], who: str) -> None:
    api.on(EMIT, emitted())
    api.on("GET /_local/status", {"agents": ["my-agent"]})
    assert trigger("agent.failed", *flags) == 0
    assert capsys.readouterr().err.endswith(f"agent.failed  ->  nobody: {who} this type.\n")


def test_a_system_event_needs_no_agent(api: FakeApi, capsys: Shown) -> None:
    api.on(EMIT, emitted(event=event(type="system.incident")))
    api.on("GET /_local/status", {"agents": []})
    assert trigger("system.incident") == 0
    assert "nobody" in capsys.readouterr().err


# --- wrong usage ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "Which event type?"),
        (["agent.failed", "--agent-run", "failed"], "Give one of TYPE, --agent-run and --deployment."),
        (["--deployment", "failed", "--agent-run", "failed"], "Give one of TYPE, --agent-run and --deployment."),
        (
            ["agent.failed", "--id", "evt_1", "--count", "2"],
            "--id with --count would announce one event again and again",
        ),
        (["agent.failed", "--set", "error=x"], "Did you mean --set data.error=x ?"),
        (["agent.failed", "--rate", "fast"], '--rate "fast" cannot be read.'),
        (["agent.failed", "--created", "soon"], '--created "soon" is not a time.'),
        (["agent.failed", "--data", "no-such-file"], "--data no-such-file: there is no such file."),
    ],
)
def test_wrong_usage_is_explained_before_anything_is_sent(
    api: FakeApi, capsys: Shown, words: list[str], told: str
) -> None:
    assert trigger(*words) == 2
    assert told in capsys.readouterr().err
    assert [asked for asked in api.asked if asked.method == "POST"] == []


def test_invalid_json_is_shown_with_a_caret(api: FakeApi, capsys: Shown, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("order.json").write_text('{\n  "a": 1,\n  "b": [1, 2],\n  "order": "x1" "y"\n}\n')
    assert trigger("agent.completed", "--data", "order.json") == 2
    assert capsys.readouterr().err == (
        "error: --data order.json is not valid JSON: line 4, column 17: expected ',' or '}'\n"
        '    "order": "x1" "y"\n'
        "                  ^\n"
    )


def test_a_mistyped_type_is_answered_with_the_right_one(api: FakeApi, capsys: Shown) -> None:
    message = 'Unknown event type "agent.complete" in type. Did you mean "agent.completed"?'
    api.on(EMIT, {"error": {"code": "unknown_event_type", "message": message, "field": "type"}}, status=400)
    assert trigger("agent.complete") == 2
    assert capsys.readouterr().err == (
        'error: Unknown event type "agent.complete" in TYPE. Did you mean "agent.completed"?\n'
    )


# --- several ----------------------------------------------------------------------------------------------------


def numbered_answers(api: FakeApi, *deliveries: Json) -> None:
    left = list(deliveries)

    def answer(_asked: Asked) -> tuple[int, Json]:
        return 200, emitted(left.pop(0))

    api.on_call(EMIT, answer)


def test_several_events_say_each_hint_once(api: FakeApi, capsys: Shown) -> None:
    hint = {"code": "x", "text": "look here"}
    numbered_answers(api, *(failed(id=f"dlv_{n}", hints=[hint]) for n in (1, 2, 3)))
    assert trigger("agent.failed", "--count", "3") == 1
    out, err = capsys.readouterr()
    assert [line[-7:] for line in out.splitlines()] == ["(dlv_1)", "(dlv_2)", "(dlv_3)"]
    assert err == "hint: look here\n"


def test_several_events_as_json_are_one_object_a_line(api: FakeApi, capsys: Shown) -> None:
    numbered_answers(api, delivered(id="dlv_1", hints=[]), delivered(id="dlv_2", hints=[]))
    assert trigger("agent.failed", "--count", "2", "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["deliveries"][0]["id"] for line in lines] == ["dlv_1", "dlv_2"]


def test_at_a_rate_all_are_sent_before_any_answer_is_waited_for(api: FakeApi, capsys: Shown) -> None:
    numbered_answers(api, *(delivery(id=f"dlv_{n}", state="sending", sends=0) for n in (1, 2)))
    api.on("GET /v1/deliveries/dlv_1", delivered(id="dlv_1", hints=[]))
    api.on("GET /v1/deliveries/dlv_2", refused(id="dlv_2", hints=[]))
    assert trigger("agent.failed", "--count", "2", "--rate", "1000/s") == 1
    asked = [(asked.method, asked.query.get("wait")) for asked in api.asked if "clock" not in asked.path]
    assert asked == [("POST", None), ("POST", None), ("GET", "first"), ("GET", "first")]
    assert [line[-7:] for line in capsys.readouterr().out.splitlines()] == ["(dlv_1)", "(dlv_2)"]


# --- runs and deployments, and the list -------------------------------------------------------------------------


def test_a_run_sends_its_first_event_and_schedules_its_ending(api: FakeApi, capsys: Shown) -> None:
    first, last = (
        delivered(id="dlv_1", hints=[]),
        delivery(id="dlv_2", state="scheduled", sends=0, next_in_s=0.83, hints=[]),
    )
    api.on("POST /_local/agents/my-agent/runs", {"events": [emitted(first), emitted(last)]}, status=202)
    api.on("GET /v1/deliveries/dlv_1", first)
    api.on("GET /v1/deliveries/dlv_2", last)
    assert trigger("--agent-run", "failed") == 0
    assert api.bodies("POST /_local/agents/my-agent/runs") == [{"ending": "failed"}]
    out = capsys.readouterr().out.splitlines()
    assert [line.partition("webhook-123   ")[2] for line in out] == [
        "200   18 ms   delivered (dlv_1)",
        "scheduled: in 0.8s (dlv_2)",
    ]


def test_a_deployment_that_fails_to_arrive_ends_with_one(api: FakeApi, capsys: Shown) -> None:
    api.on("POST /_local/agents/my-agent/deployments", {"events": [emitted(delivery(id="dlv_1"))]}, status=202)
    api.on("GET /v1/deliveries/dlv_1", failed(id="dlv_1", hints=[]))
    assert trigger("--deployment", "failed", "--json") == 1
    assert json.loads(capsys.readouterr().out)["events"][0]["deliveries"][0]["state"] == "failed"


def test_an_unknown_ending_is_named_after_its_flag(api: FakeApi, capsys: Shown) -> None:
    message = '"odd" is not a way to end. Choose one of: completed, failed, timeout.'
    error = {"error": {"code": "invalid_input", "message": message, "field": "ending"}}
    api.on("POST /_local/agents/my-agent/runs", error, status=400)
    assert trigger("--agent-run", "odd") == 2
    assert capsys.readouterr().err == f"error: --agent-run {message}\n"


def test_the_list_has_the_types_in_their_groups_with_samples(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /_local/event-types", TYPES)
    assert trigger("--list") == 0
    assert capsys.readouterr().out == (
        "Agent Events\n"
        "  agent.failed: Agent encountered error\n"
        '    {"id":"evt_abc123","type":"agent.failed","created":1,'
        '"data":{"agent":"a","request_id":"req_xyz789","error":{"code":1}}}\n'
        "\n"
        "System Events\n"
        "  system.incident: System incident\n"
        '    {"id":"evt_abc123","type":"system.incident","created":1,"data":{"title":"\\u00e9"}}\n'
    )
    trigger("--list", "--json")
    assert json.loads(capsys.readouterr().out) == TYPES
