"""`swiftclaw deliveries`, against a stand-in of the API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from swiftclaw_local.cli import looking, repair
from swiftclaw_local.cli.main import main
from swiftclaw_local.curl import sign
from tests.unit.api_documents import NOON, Json, attempt, delivered, delivery, failed, page, refused, response
from tests.unit.fake_api import Asked, FakeApi

Shown = pytest.CaptureFixture[str]
Binary = pytest.CaptureFixture[bytes]

LIST = "GET /v1/deliveries"


def deliveries(*words: str) -> int:
    return main(["deliveries", *words])


def whole(shown: Json, **changes: Any) -> Json:
    return shown | {"attempts": [attempt()], "planned": [], "hints": []} | changes


def queries(api: FakeApi, path: str) -> list[dict[str, str]]:
    return [asked.query for asked in api.asked if asked.path == path]


# --- list -------------------------------------------------------------------------------------------------------


def test_the_list_has_the_newest_last(api: FakeApi, capsys: Shown) -> None:
    api.on(LIST, page(refused(id="dlv_new"), failed(id="dlv_old"), cursor="c"))
    assert deliveries("list") == 0
    out, err = capsys.readouterr()
    assert out == (
        "DELIVERY  TIME      WEBHOOK      EVENT         STATUS  MS  SEND   RESULT\n"
        "dlv_old   11:59:55  webhook-123  agent.failed     401   6  first  failed: 4xx is not retried\n"
        "dlv_new   11:59:55  webhook-123  agent.failed       -   2  first  retrying: connection refused; next in 58s\n"
    )
    assert err == "There are older ones: --limit 100, or --until\n"
    assert queries(api, "/v1/deliveries") == [{"limit": "20"}]


def test_every_filter_reaches_the_api_under_its_name(api: FakeApi, capsys: Shown) -> None:
    api.on(LIST, page())
    flags = ["--failed", "--unresolved", "--agent", "a", "--webhook", "123", "--status", "5xx", "--cause", "dns"]
    flags += ["--event", "agent.failed", "--since", "09:00", "--until", "1h ago", "--search", "x y", "--limit", "3"]
    assert deliveries("list", *flags) == 0
    assert queries(api, "/v1/deliveries") == [
        {
            "failed": "1",
            "unresolved": "1",
            "agent": "a",
            "webhook": "webhook-123",
            "status": "5xx",
            "cause": "dns",
            "type": "agent.failed",
            "since": "09:00",
            "until": "1h ago",
            "q": "x y",
            "limit": "3",
        }
    ]
    assert capsys.readouterr() == ("", "No deliveries match.\n")


def test_an_event_is_a_type_or_an_id(api: FakeApi) -> None:
    api.on(LIST, page())
    deliveries("list", "--event", "evt_1", "--retrying")
    assert queries(api, "/v1/deliveries") == [{"event": "evt_1", "state": "retrying", "limit": "20"}]


def test_the_first_list_says_how_to_send_an_event(api: FakeApi, capsys: Shown) -> None:
    api.on(LIST, page())
    assert deliveries("list") == 0
    assert "swiftclaw trigger agent.completed" in capsys.readouterr().err


def test_what_cannot_be_meant_together_is_refused(api: FakeApi, capsys: Shown) -> None:
    assert deliveries("list", "--failed", "--retrying") == 2
    assert "Give --failed or --retrying." in capsys.readouterr().err
    assert deliveries("list", "--status", "5x") == 2
    assert capsys.readouterr().err == 'error: --status "5x" is no status code.\n  Write 503 or 5xx.\n'
    assert api.asked == []


def test_a_group_by_cause_counts_and_says_what_is_still_retried(api: FakeApi, capsys: Shown) -> None:
    group = {"cause": "503", "deliveries": 212, "events": 212, "webhooks": 2, "first": NOON - 60, "last": NOON}

    def answer(asked: Asked) -> tuple[int, Json]:
        return 200, page(group) if "group" in asked.query else page(delivery(next_in_s=190))

    api.on_call(LIST, answer)
    assert deliveries("list", "--unresolved", "--group", "cause", "--since", "11:00") == 0
    assert capsys.readouterr().out == (
        "CAUSE                    DELIVERIES  EVENTS  WEBHOOKS  FIRST     LAST\n"
        "503 Service Unavailable         212     212         2  11:59:00  12:00:00\n"
        "212 unresolved: never delivered. 1 of them still has retries scheduled (next in 3m 10s).\n"
    )
    assert queries(api, "/v1/deliveries")[1] == {
        "unresolved": "1",
        "since": "11:00",
        "state": "retrying",
        "limit": "500",
    }


def test_a_group_by_webhook_is_counted_by_the_server(api: FakeApi, capsys: Shown) -> None:
    group = {"webhook": "webhook-123", "agent": "my-agent", "url": "http://localhost:8000/webhooks/swiftclaw"}
    api.on(LIST, page(group | {"deliveries": 2, "events": 1, "first": NOON, "last": NOON}))
    assert deliveries("list", "--group", "webhook") == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "webhook-123  http://localhost:8000/webhooks/swiftclaw           2       1  12:00:00  12:00:00",
        "2 deliveries.",
    ]
    deliveries("list", "--group", "webhook", "--json")
    assert json.loads(capsys.readouterr().out)["data"][0]["deliveries"] == 2
    assert queries(api, "/v1/deliveries")[0] == {"group": "webhook"}


def test_a_list_goes_on_with_what_is_new_or_went_on(
    api: FakeApi, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [
        page(delivery(id="dlv_1")),
        page(delivery(id="dlv_1")),
        page(failed(id="dlv_2"), delivered(id="dlv_1", sends=2, retries_done=1)),
    ]
    api.on_call(LIST, lambda _asked: (200, looks.pop(0)))

    def stop_at_the_end(_seconds: float) -> None:
        if not looks:
            raise KeyboardInterrupt

    monkeypatch.setattr(looking, "sleep", stop_at_the_end)
    assert deliveries("list", "--unresolved", "--follow", "--limit", "7") == 130
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(line[0], line[-1]) for line in lines] == [("dlv_1", "1m"), ("dlv_1", "delivered"), ("dlv_2", "retried")]
    assert queries(api, "/v1/deliveries") == [{"unresolved": "1", "limit": "7"}] * 3


@pytest.mark.parametrize("other", [("--json",), ("--group", "cause")])
def test_a_list_that_goes_on_is_for_people(api: FakeApi, capsys: Shown, other: tuple[str, ...]) -> None:
    assert deliveries("list", "--follow", *other) == 2
    assert "swiftclaw listen --json" in capsys.readouterr().err
    assert api.asked == []


# --- show, curl -------------------------------------------------------------------------------------------------


def test_show_is_the_timeline_the_hints_and_what_to_type_next(api: FakeApi, capsys: Shown) -> None:
    hint = {"code": "x", "text": "look\x1b[31m here"}
    body = response(body="\x1b[2J\u202e")
    api.on("GET /v1/deliveries/@last", whole(failed(id="dlv_1"), attempts=[attempt(response=body)], hints=[hint]))
    assert deliveries("show", "@last") == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1:] == [
        "  first send   12:00:00   500   31 ms   \\x1b[2J\\u202e",
        "  failed: 4xx is not retried",
    ]
    assert err == (
        "hint: look\\x1b[31m here\nNext: swiftclaw deliveries replay dlv_1 | swiftclaw deliveries curl dlv_1\n"
    )


def test_an_id_copied_from_a_terminal_is_asked_for_by_its_ending(api: FakeApi) -> None:
    api.on("GET /v1/deliveries/7qm9", whole(delivery()))
    assert deliveries("show", "dlv_…7qm9") == 0


def test_one_send_is_shown_in_full(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /v1/deliveries/dlv_1", whole(delivery(id="dlv_1"), attempts=[attempt(1), attempt(2)]))
    deliveries("show", "dlv_1", "--send", "1")
    assert capsys.readouterr().out.startswith("send 1   first send")
    deliveries("show", "dlv_1", "--headers")
    assert capsys.readouterr().out.startswith("send 2   retry 1/5")
    deliveries("show", "dlv_1", "--send", "2", "--json")
    assert json.loads(capsys.readouterr().out) == attempt(2)
    assert deliveries("show", "dlv_1", "--send", "3") == 3


def test_raw_is_the_recorded_bytes_and_nothing_else(api: FakeApi, capfdbinary: Binary) -> None:
    body = response(body="�", body_base64="/wAbWzMxbQ==")
    api.on("GET /v1/deliveries/dlv_1", whole(delivery(id="dlv_1"), attempts=[attempt(response=body)]))
    assert deliveries("show", "dlv_1", "--raw") == 0
    assert capfdbinary.readouterr().out == b"\xff\x00\x1b[31m"


def test_a_curl_command_is_signed_with_the_present_secret(api: FakeApi, capsys: Shown) -> None:
    body = b'{"id":"evt_1"}'
    api.on("GET /v1/deliveries/dlv_1", whole(delivery(id="dlv_1", event_id="evt_1")))
    api.on("GET /v1/events/evt_1/body", body)
    api.on("GET /v1/agents/my-agent/webhooks/webhook-123/secret", {"secret": "scsec_new"})
    assert deliveries("curl", "dlv_1") == 0
    out = capsys.readouterr().out
    assert f"X-SwiftClaw-Signature: {sign('scsec_new', body)}" in out
    assert '--data-binary \'{"id":"evt_1"}\'\n' in out
    deliveries("curl", "dlv_1", "--json")
    assert json.loads(capsys.readouterr().out) == {"command": out.rstrip("\n")}


def test_the_recorded_signature_stands_in_for_a_secret_that_is_gone(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /v1/deliveries/dlv_1", whole(delivery(id="dlv_1", event_id="evt_1")))
    api.on("GET /v1/events/evt_1/body", b"{}")
    api.refuse("GET /v1/agents/my-agent/webhooks/webhook-123/secret", "unknown_webhook", "gone", status=404)
    assert deliveries("curl", "dlv_1") == 0
    assert f"X-SwiftClaw-Signature: {'ab' * 32}" in capsys.readouterr().out
    api.on("GET /v1/deliveries/dlv_1", whole(delivery(id="dlv_1", event_id="evt_1"), attempts=[]))
    assert deliveries("curl", "dlv_1") == 3


# --- wait -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "goal", "code"),
    [
        (delivered(), "delivered", 0),
        (delivered(), "failed", 1),
        (delivered(), "settled", 0),
        (failed(), "settled", 0),
        (failed(), "failed", 0),
        (failed(), "delivered", 1),
    ],
)
def test_a_wait_ends_with_zero_when_it_ended_as_wished(
    api: FakeApi, capsys: Shown, shown: Json, goal: str, code: int
) -> None:
    api.on("GET /v1/deliveries/dlv_1", whole(shown | {"id": "dlv_1"}))
    assert deliveries("wait", "dlv_1", "--for", goal, "--timeout", "2s") == code
    assert queries(api, "/v1/deliveries/dlv_1") == [{"wait": "settled", "timeout": "2000ms"}]
    assert capsys.readouterr().out.startswith("dlv_1  ")


def test_a_wait_that_runs_out_tells_how_to_go_on(api: FakeApi, capsys: Shown) -> None:
    hint = 'The clock is manual. POST /_local/clock/advance {"by":"5m00s"}'
    api.refuse("GET /v1/deliveries/dlv_1", "wait_timeout", "dlv_1 is still retrying", status=409, hint=hint)
    assert deliveries("wait", "dlv_1") == 124
    assert capsys.readouterr().err == (
        "error: dlv_1 is still retrying\n  The clock is manual: swiftclaw clock advance 5m00s\n"
    )


def test_a_long_wait_is_several_requests(api: FakeApi) -> None:
    answers = [(409, {"error": {"code": "wait_timeout", "message": "m"}}), (200, whole(delivered()))]
    api.on_call("GET /v1/deliveries/dlv_1", lambda _asked: answers.pop(0))
    assert deliveries("wait", "dlv_1", "--timeout", "1m30s") == 0
    waits = [query["timeout"] for query in queries(api, "/v1/deliveries/dlv_1")]
    assert waits == ["60000ms", "30000ms"]


# --- replay, cancel ---------------------------------------------------------------------------------------------


def replayable(api: FakeApi, before: Json, after: Json) -> None:
    api.on(f"GET /v1/deliveries/{before['id']}", whole(before))
    api.on(f"POST /v1/deliveries/{before['id']}/replay", whole(after | {"sends": 0, "state": "sending"}), status=202)
    api.on(f"GET /v1/deliveries/{after['id']}", whole(after))


def test_a_replay_waits_for_its_first_attempt_and_has_a_verdict(api: FakeApi, capsys: Shown) -> None:
    replayable(api, failed(id="dlv_1", last_status=503), delivered(id="dlv_2", trigger="replay"))
    assert deliveries("replay", "dlv_1") == 0
    assert capsys.readouterr().out == ("dlv_2  agent.failed  ->  webhook-123   200   18 ms   fixed: 503 -> 200\n")
    assert queries(api, "/v1/deliveries/dlv_2") == [{"wait": "first", "timeout": "60s"}]
    assert api.bodies("POST /v1/deliveries/dlv_1/replay") == [{"with_retries": False, "now": False}]


def test_one_failing_replay_of_several_ends_with_one(api: FakeApi, capsys: Shown) -> None:
    replayable(api, failed(id="dlv_1"), delivered(id="dlv_2"))
    replayable(api, failed(id="dlv_3"), failed(id="dlv_4"))
    replayable(api, failed(id="dlv_5"), delivered(id="dlv_6"))
    assert deliveries("replay", "dlv_1", "dlv_3", "dlv_5", "--with-retries") == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition("ms   ")[2] for line in lines] == [
        "fixed: 401 -> 200",
        "still failing: 401 -> 401",
        "fixed: 401 -> 200",
    ]
    assert api.bodies("POST /v1/deliveries/dlv_3/replay") == [{"with_retries": True, "now": False}]


def test_nothing_is_replayed_when_one_of_the_ids_is_wrong(api: FakeApi, capsys: Shown) -> None:
    replayable(api, failed(id="dlv_1"), delivered(id="dlv_2"))
    api.refuse("GET /v1/deliveries/dlv_9", "unknown_delivery", 'There is no delivery "dlv_9".', status=404)
    assert deliveries("replay", "dlv_1", "dlv_9") == 3
    assert [asked for asked in api.asked if asked.method == "POST"] == []


def test_a_replay_of_what_is_still_retried_says_the_way_out(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /v1/deliveries/@last", whole(delivery(id="dlv_1")))
    api.refuse("POST /v1/deliveries/dlv_1/replay", "delivery_pending", "dlv_1 has not ended.", status=409)
    assert deliveries("replay", "@last") == 5
    assert capsys.readouterr().err == (
        "error: dlv_1 has not ended.\n  Bring its next attempt forward: swiftclaw deliveries replay dlv_1 --now\n"
    )


def test_bringing_forward_waits_for_one_more_send(api: FakeApi, capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "sleep", lambda _seconds: None)
    looks = [delivery(id="dlv_1"), delivery(id="dlv_1", next_in_s=0), delivered(id="dlv_1", sends=2, retries_done=1)]
    api.on_call("GET /v1/deliveries/dlv_1", lambda _asked: (200, whole(looks.pop(0))))
    api.on("POST /v1/deliveries/dlv_1/replay", whole(delivery(id="dlv_1", next_in_s=0)), status=202)
    assert deliveries("replay", "dlv_1", "--now") == 0
    assert capsys.readouterr().out.endswith("fixed: 500 -> 200\n")
    assert (looks, api.bodies("POST /v1/deliveries/dlv_1/replay")) == ([], [{"with_retries": False, "now": True}])


def test_a_held_delivery_is_not_waited_for(api: FakeApi, capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_sleep(_seconds: float) -> None:
        raise AssertionError("it waits")

    monkeypatch.setattr(repair, "sleep", no_sleep)
    held = whole(delivery(id="dlv_1", held=True))
    api.on("GET /v1/deliveries/dlv_1", held)
    api.on("POST /v1/deliveries/dlv_1/replay", held, status=202)
    assert deliveries("replay", "dlv_1", "--now") == 1
    assert capsys.readouterr().out.endswith("held: webhook-123 is disabled\n")


def test_now_and_with_retries_exclude_each_other(api: FakeApi, capsys: Shown) -> None:
    assert deliveries("replay", "dlv_1", "--now", "--with-retries") == 2
    assert "--now keeps the delivery's own schedule." in capsys.readouterr().err
    assert api.asked == []


def test_replays_as_json_are_one_object_a_line(api: FakeApi, capsys: Shown) -> None:
    replayable(api, failed(id="dlv_1"), delivered(id="dlv_2"))
    replayable(api, failed(id="dlv_3"), delivered(id="dlv_4"))
    assert deliveries("replay", "dlv_1", "dlv_3", "--json") == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["dlv_2", "dlv_4"]


def test_cancel_ends_each(api: FakeApi, capsys: Shown) -> None:
    for name in ("dlv_1", "dlv_2"):
        api.on(f"GET /v1/deliveries/{name}", whole(delivery(id=name)))
        api.on(f"POST /v1/deliveries/{name}/cancel", whole(failed(id=name, state="canceled")))
    assert deliveries("cancel", "dlv_1", "dlv_2", "--yes") == 0
    assert capsys.readouterr().out == "Canceled 2 scheduled deliveries.\n"
    assert deliveries("cancel", "dlv_1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["state"] == "canceled"
