"""`swiftclaw webhooks`, against a stand-in of the API."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from swiftclaw_local.cli import looking, webhooks
from swiftclaw_local.cli.app import App
from swiftclaw_local.cli.main import main
from tests.ports import free_port
from tests.unit.api_documents import (
    ALL_NINE,
    NOON,
    URL,
    attempt,
    delivered,
    delivery,
    failed,
    page,
    response,
    stats,
    webhook,
)
from tests.unit.fake_api import Asked, FakeApi

Shown = pytest.CaptureFixture[str]

ALL = "/v1/agents/my-agent/webhooks"
ONE = f"{ALL}/webhook-123"


def create(*flags: str) -> int:
    return main(["webhooks", "create", "my-agent", "--url", URL, *flags])


def answer(**changes: Any) -> Any:
    return webhook(secret="scsec_3kq0Y") | changes


# --- create -----------------------------------------------------------------------------------------------------


def test_create_sends_what_was_typed_and_nothing_else(api: FakeApi) -> None:
    api.on(f"POST {ALL}", answer(), status=201)
    api.on(f"GET {ALL}", page(webhook()))
    assert create() == 0
    flags = ["--events", "agent.failed,agent.timeout", "--secret", "s", "--description", "orders", "--disabled"]
    assert create(*flags) == 0
    assert api.bodies(f"POST {ALL}") == [
        {"url": URL},
        {
            "url": URL,
            "events": ["agent.failed", "agent.timeout"],
            "secret": "s",
            "description": "orders",
            "enabled": False,
        },
    ]


def test_create_says_that_an_agent_is_new_and_what_to_type_next(api: FakeApi, capsys: Shown) -> None:
    api.on(f"POST {ALL}", answer(url="http://192.0.2.1/x"), status=201)
    api.on(f"GET {ALL}", page(webhook()))
    create()
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "Created webhook-123 for my-agent (new agent)"
    assert err == "Next: swiftclaw webhooks test my-agent webhook-123\n"
    api.on(f"GET {ALL}", page(webhook(), webhook()))
    create()
    assert capsys.readouterr().out.splitlines()[0] == "Created webhook-123 for my-agent"


def test_create_says_whether_something_listens_there(api: FakeApi, capsys: Shown) -> None:
    api.on(f"GET {ALL}", page(webhook()))
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        api.on(f"POST {ALL}", answer(url=f"http://localhost:{port}/x"), status=201)
        create()
        assert (
            capsys.readouterr().out.splitlines()[1] == f"  url      http://localhost:{port}/x   something listens there"
        )
    create()
    line = capsys.readouterr().out.splitlines()[1]
    assert line == f"  url      http://localhost:{port}/x   nothing listens on port {port} yet"


def test_create_connects_to_no_public_host_and_says_how_to_send_there(
    api: FakeApi, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = "public host: sends are blocked, see --allow-host"
    api.on(f"POST {ALL}", answer(url="https://yourapp.com/x", note=note), status=201)
    api.on(f"GET {ALL}", page(webhook()))

    def no_connection(*_: object, **__: object) -> None:
        raise AssertionError("a public host was connected to")

    monkeypatch.setattr(webhooks, "listens", no_connection)
    create()
    out, err = capsys.readouterr()
    assert out.splitlines()[1] == f"  url      https://yourapp.com/x   ({note})"
    assert "to really send there: swiftclaw serve --allow-host yourapp.com" in err
    api.on(f"POST {ALL}", answer(url="https://yourapp.com/x"), status=201)
    create()
    assert capsys.readouterr().out.splitlines()[1] == "  url      https://yourapp.com/x"


def test_what_this_machine_reaches_says_nothing_of_a_server_elsewhere() -> None:
    here = App({"api_url": "http://127.0.0.1:7420"})
    assert webhooks.reach_text(here, webhook(url="http://localhost:9/x")) == "   nothing listens on port 9 yet"
    for elsewhere in ("http://192.168.1.9:7420", "https://hooks.example.com"):
        assert webhooks.reach_text(App({"api_url": elsewhere}), webhook(url="http://localhost:9/x")) == ""


def test_create_as_json_is_the_apis_document(api: FakeApi, capsys: Shown) -> None:
    api.on(f"POST {ALL}", answer(), status=201)
    assert create("--json") == 0
    assert json.loads(capsys.readouterr().out) == answer()


@pytest.mark.parametrize(
    ("code", "message", "field", "told"),
    [
        (
            "invalid_url",
            'url "localhost:8000/hook" has no scheme. Did you mean http://localhost:8000/hook ?',
            "url",
            '--url "localhost:8000/hook" has no scheme. Did you mean http://localhost:8000/hook ?',
        ),
        (
            "unknown_event_type",
            'Unknown event type "agent.complete" in events. Did you mean "agent.completed"?',
            "events",
            'Unknown event type "agent.complete" in --events. Did you mean "agent.completed"?',
        ),
    ],
)
def test_create_says_refusals_in_the_words_of_its_flags(
    api: FakeApi, capsys: Shown, *, code: str, message: str, field: str, told: str
) -> None:
    api.on(f"POST {ALL}", {"error": {"code": code, "message": message, "field": field}}, status=400)
    assert create() == 2
    assert capsys.readouterr().err == f"error: {told}\n"


def test_types_separated_by_spaces_are_explained_before_anything_is_sent(api: FakeApi, capsys: Shown) -> None:
    assert create("--events", "agent.completed,", "agent.failed") == 2
    assert capsys.readouterr().err == (
        'error: --events got the extra word "agent.failed". Separate types with commas and no spaces:'
        " --events agent.completed,agent.failed\n"
    )
    assert main(["webhooks", "update", "my-agent", "123", "--events", "agent.completed,", "agent.failed"]) == 2
    assert api.asked == []


# --- update, list, delete, secret, show -------------------------------------------------------------------------


def test_update_sends_only_what_is_to_change(api: FakeApi, capsys: Shown) -> None:
    before = webhook()
    api.on(f"PATCH {ONE}", webhook(enabled=False) | {"before": before, "pending": 2})
    assert main(["webhooks", "update", "my-agent", "123", "--disable"]) == 0
    assert api.bodies(f"PATCH {ONE}") == [{"enabled": False}]
    assert capsys.readouterr().out == (
        "Updated webhook-123\n  state    enabled -> disabled\n2 scheduled deliveries wait until it is enabled again.\n"
    )
    flags = ["--enable", "--url", "http://x", "--events", "agent.failed", "--secret", "s", "--description", ""]
    main(["webhooks", "update", "my-agent", "webhook-123", *flags])
    assert api.bodies(f"PATCH {ONE}")[1] == {
        "enabled": True,
        "url": "http://x",
        "events": ["agent.failed"],
        "secret": "s",
        "description": "",
    }


def test_update_without_a_change_asks_for_one(api: FakeApi, capsys: Shown) -> None:
    assert main(["webhooks", "update", "my-agent", "webhook-123"]) == 2
    assert "Give --url, --events" in capsys.readouterr().err
    assert api.asked == []


def test_list_shows_how_each_webhook_fares(api: FakeApi, capsys: Shown) -> None:
    api.on(f"GET {ALL}", page(webhook(stats=stats())))
    assert main(["webhooks", "list", "my-agent"]) == 0
    assert capsys.readouterr().out == (
        "ID           URL                                       EVENTS                            STATE    OK  FAIL"
        "  RETRY  LAST\n"
        "webhook-123  http://localhost:8000/webhooks/swiftclaw  agent.invoked,.completed,.failed  enabled  12     1"
        "      1  2m ago 500\n"
    )


def test_list_of_all_agents_names_them(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /v1/webhooks", page(webhook(stats=stats(), events=ALL_NINE)))
    assert main(["webhooks", "list", "--all-agents"]) == 0
    title, row = capsys.readouterr().out.splitlines()
    assert (title.split()[:2], row.split()[:2]) == (["AGENT", "ID"], ["my-agent", "webhook-123"])


def test_list_needs_an_agent_or_all_of_them(api: FakeApi, capsys: Shown) -> None:
    assert main(["webhooks", "list"]) == 2
    assert "--all-agents" in capsys.readouterr().err
    assert api.asked == []


def test_list_of_a_mistyped_agent_offers_the_right_one(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /v1/agents/my-agnet/webhooks", page())
    api.on("GET /_local/status", {"agents": ["billing-bot", "my-agent"]})
    assert main(["webhooks", "list", "my-agnet"]) == 3
    assert capsys.readouterr().err == (
        'error: No agent "my-agnet" has webhooks. Did you mean "my-agent"? Agents: billing-bot, my-agent\n'
    )


def test_an_empty_list_says_how_to_register_the_first(api: FakeApi, capsys: Shown) -> None:
    api.on(f"GET {ALL}", page())
    api.on("GET /_local/status", {"agents": []})
    assert main(["webhooks", "list", "my-agent"]) == 0
    out, err = capsys.readouterr()
    assert (out, "swiftclaw webhooks create my-agent --url" in err) == ("", True)


def test_delete_asks_nothing(api: FakeApi, capsys: Shown) -> None:
    api.on(f"DELETE {ONE}", {"id": "webhook-123", "canceled": 1, "deliveries": 14})
    for flags in ([], ["--yes"], ["--keep-logs"]):
        assert main(["webhooks", "delete", "my-agent", "webhook-123", *flags]) == 0
        assert capsys.readouterr().out.startswith("Deleted webhook-123. 1 scheduled delivery canceled.")


def test_a_wrong_id_lists_those_there_are(api: FakeApi, capsys: Shown) -> None:
    message = 'my-agent has no webhook "webhook-12". It has: webhook-123, webhook-124.'
    api.refuse(f"DELETE {ALL}/webhook-12", "unknown_webhook", message, status=404)
    assert main(["webhooks", "delete", "my-agent", "webhook-12"]) == 3
    assert capsys.readouterr().err == f"error: {message}\n"


def test_secret_prints_the_secret_alone(api: FakeApi, capsys: Shown) -> None:
    api.on(f"GET {ONE}/secret", {"secret": "it's"})
    assert main(["webhooks", "secret", "my-agent", "webhook-123"]) == 0
    assert capsys.readouterr() == ("it's\n", "")
    main(["webhooks", "secret", "my-agent", "webhook-123", "--env"])
    assert capsys.readouterr().out == "export SWIFTCLAW_WEBHOOK_SECRET='it'\"'\"'s'\n"


def test_rotating_prints_the_new_secret(api: FakeApi, capsys: Shown) -> None:
    api.on(f"POST {ONE}/secret/rotate", {"secret": "new"})
    assert main(["webhooks", "secret", "my-agent", "webhook-123", "--rotate"]) == 0
    assert capsys.readouterr().out == "new\n"


def test_show_has_settings_and_the_newest_deliveries_last(api: FakeApi, capsys: Shown) -> None:
    api.on(f"GET {ONE}", webhook(stats=stats()))
    api.on(f"GET {ONE}/deliveries", page(delivered(id="dlv_new"), delivery(id="dlv_old")))
    assert main(["webhooks", "show", "my-agent", "webhook-123"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "webhook-123   my-agent   enabled"
    assert [line.split()[0] for line in lines[-3:]] == ["DELIVERY", "dlv_old", "dlv_new"]
    assert api.asked[1].query == {"limit": "5"}


# --- test -------------------------------------------------------------------------------------------------------


def test_a_test_shows_the_answer_and_what_to_do_about_it(api: FakeApi, capsys: Shown) -> None:
    sent = failed(
        trigger="test",
        attempts=[attempt(response=response(status=401, body="\x1b[2Jno\u202e"))],
        hints=[{"code": "signature_rejected", "text": "compare the secret\x07"}],
    )
    api.on(f"POST {ONE}/test", sent)
    assert main(["webhooks", "test", "my-agent", "webhook-123"]) == 1
    out, err = capsys.readouterr()
    assert out == (
        f"agent.failed  evt_01j5abcdefghjkmnpqrstv5c1f -> {URL}   401   6 ms"
        "   failed: 4xx is not retried (dlv_01j5abcdefghjkmnpqrstv7qm9)\n"
        "\\x1b[2Jno\\u202e\n"
    )
    assert err == "hint: compare the secret\\x07\n"
    assert api.bodies(f"POST {ONE}/test") == [{"retry": False}]


def test_a_delivered_test_ends_with_zero(api: FakeApi, tmp_path: Any) -> None:
    (tmp_path / "data.json").write_text('{"x": 1}')
    api.on(f"POST {ONE}/test", delivered(trigger="test", attempts=[], hints=[]))
    flags = ["--event", "agent.timeout", "--retry", "--data", str(tmp_path / "data.json")]
    assert main(["webhooks", "test", "my-agent", "123", *flags]) == 0
    assert api.bodies(f"POST {ONE}/test") == [{"type": "agent.timeout", "data": {"x": 1}, "retry": True}]


def test_a_test_as_json_keeps_its_exit_code(api: FakeApi, capsys: Shown) -> None:
    sent = failed(trigger="test", attempts=[], hints=[{"code": "x", "text": "y"}])
    api.on(f"POST {ONE}/test", sent)
    assert main(["webhooks", "test", "my-agent", "webhook-123", "--json"]) == 1
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == (sent, "")


# --- logs -------------------------------------------------------------------------------------------------------


def test_logs_show_the_newest_last(api: FakeApi, capsys: Shown) -> None:
    api.on(f"GET {ONE}/deliveries", page(delivery(id="dlv_new"), failed(id="dlv_old")))
    assert main(["webhooks", "logs", "my-agent", "webhook-123"]) == 0
    assert capsys.readouterr().out == (
        "DELIVERY  TIME      EVENT         STATUS  MS  SEND   RESULT\n"
        "dlv_old   11:59:55  agent.failed     401   6  first  failed: 4xx is not retried\n"
        "dlv_new   11:59:55  agent.failed     500  31  first  retrying: next in 1m\n"
    )
    assert api.asked[0].query == {"limit": "20"}


def test_logs_pass_their_filters_on(api: FakeApi, capsys: Shown) -> None:
    api.on(f"GET {ONE}/deliveries", page())
    flags = ["--failed", "--since", "2h ago", "--limit", "7", "--event", "agent.failed", "--status", "5XX"]
    assert main(["webhooks", "logs", "my-agent", "123", *flags]) == 0
    assert api.asked[0].query == {
        "failed": "1",
        "since": "2h ago",
        "limit": "7",
        "event": "agent.failed",
        "status": "5xx",
    }
    assert capsys.readouterr() == ("", "No deliveries match.\n")


def test_an_empty_log_says_how_to_fill_it(api: FakeApi, capsys: Shown) -> None:
    api.on(f"GET {ONE}/deliveries", page())
    main(["webhooks", "logs", "my-agent", "webhook-123"])
    assert capsys.readouterr().err == ("No deliveries yet. Send one: swiftclaw webhooks test my-agent webhook-123\n")


def test_older_deliveries_are_mentioned(api: FakeApi, capsys: Shown) -> None:
    api.on(f"GET {ONE}/deliveries", page(delivery(), cursor="c"))
    main(["webhooks", "logs", "my-agent", "webhook-123"])
    assert capsys.readouterr().err == "There are older ones: --limit 100\n"


def test_following_shows_each_delivery_when_it_goes_on(
    api: FakeApi, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [
        page(delivery(id="dlv_1")),  # before the first look, for what is wrong with the filters
        page(delivery(id="dlv_1")),
        page(delivery(id="dlv_1")),
        page(failed(id="dlv_2"), delivered(id="dlv_1", sends=2, retries_done=1)),
    ]
    api.on_call(f"GET {ONE}/deliveries", lambda _asked: (200, looks.pop(0)))

    def stop_at_the_end(_seconds: float) -> None:
        if not looks:
            raise KeyboardInterrupt

    monkeypatch.setattr(looking, "sleep", stop_at_the_end)
    assert main(["webhooks", "logs", "my-agent", "webhook-123", "--follow"]) == 130
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(line[0], line[-1]) for line in lines] == [("dlv_1", "1m"), ("dlv_1", "delivered"), ("dlv_2", "retried")]


def test_following_as_json_is_one_object_a_line(api: FakeApi, capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(looking, "sleep", interrupt)
    api.on(f"GET {ONE}/deliveries", page(delivery(id="dlv_2"), delivery(id="dlv_1")))
    assert main(["webhooks", "logs", "my-agent", "webhook-123", "--follow", "--json"]) == 130
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["dlv_1", "dlv_2"]


def test_a_time_is_the_servers_not_this_machines(api: FakeApi, capsys: Shown) -> None:
    def last_year(asked: Asked) -> tuple[int, Any]:
        return 200, {"now": NOON - 400 * 86_400}

    api.on_call("GET /_local/clock", last_year)
    api.on(f"GET {ONE}/deliveries", page(delivery(id="dlv_1")))
    main(["webhooks", "logs", "my-agent", "webhook-123"])
    assert "2026-11-23 11:59:55" in capsys.readouterr().out
