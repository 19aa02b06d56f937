"""The commands about the server as a whole, against a stand-in of its API."""

from __future__ import annotations

import base64
import io
import json
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import pytest

from swiftclaw_local.cli import doctor
from swiftclaw_local.cli.completion import agents, alerts, deliveries, events, webhooks
from swiftclaw_local.cli.main import main
from swiftclaw_local.cli.registry import entries
from tests.ports import free_port
from tests.unit.fake_api import FakeApi, running_api

NOON = 1795435200  # 2026-11-23 12:00:00Z
CLOCK: dict[str, Any] = {
    "mode": "manual",
    "rate": 0.0,
    "now": NOON,
    "lead_s": 0,
    "scheduled": 2,
    "next_at": NOON + 252,
}
SEND: dict[str, Any] = {
    "at": NOON,
    "after_s": 60,
    "delivery": "dlv_01j5abcdefghjkmnpqrstv7qm9",
    "event": "evt_1",
    "webhook": "webhook-123",
    "n": 2,
    "retry": 1,
    "retries_max": 5,
    "status": 500,
    "error": None,
    "duration_ms": 28,
    "state": "retrying",
}
STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "pid": 4711,
    "address": "http://127.0.0.1:7420",
    "console": True,
    "data": ".swiftclaw/swiftclaw.db",
    "durability": "full",
    "ephemeral": False,
    "clock": CLOCK | {"mode": "real", "rate": 1.0, "scheduled": 1},
    "agents": ["billing-bot", "my-agent"],
    "webhooks": 3,
    "deliveries": {"delivered": 12, "failed": 1, "retrying": 1, "sending": 0, "scheduled": 0, "canceled": 0},
    "attempts": 17,
    "stuck": 0,
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    for name in ("NO_COLOR", "CLICOLOR_FORCE", "SWIFTCLAW_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with running_api() as api:
        monkeypatch.setenv("SWIFTCLAW_API_URL", api.url)
        yield api


Shown = pytest.CaptureFixture[str]


# --- clock ------------------------------------------------------------------------------------------------------


def test_moving_the_clock_lists_what_ran(api: FakeApi, capsys: Shown) -> None:
    last = SEND | {"after_s": 360, "retry": 2, "status": 200, "duration_ms": 22, "state": "delivered"}
    first = SEND | {"after_s": 0, "retry": 0, "status": None, "error": "connection refused"}
    moved = CLOCK | {"sends": [first, SEND, last], "delivered": 1, "scheduled": 0, "stopped_early": False}
    api.on("POST /_local/clock/advance", moved)
    assert main(["clock", "advance", "6m"]) == 0
    assert capsys.readouterr().out == (
        "+0s   dlv_01j5abcdefghjkmnpqrstv7qm9  first send   connection refused   28 ms\n"
        "+1m   dlv_01j5abcdefghjkmnpqrstv7qm9  retry 1/5   500   28 ms\n"
        "+6m   dlv_01j5abcdefghjkmnpqrstv7qm9  retry 2/5   200   22 ms   delivered\n"
        "Now 2026-11-23 12:00:00Z. 3 sends, 1 delivered, 0 still scheduled.\n"
    )
    assert api.bodies("POST /_local/clock/advance") == [{"by": "6m", "max_sends": 10_000}]


@pytest.mark.parametrize(
    ("typed", "route", "body"),
    [
        (["to", "14:30"], "/to", {"to": "14:30", "max_sends": 10_000}),
        (["next", "--max-sends", "3"], "/next", {"max_sends": 3}),
        (["idle"], "/idle", {"max_sends": 10_000}),
    ],
)
def test_each_move_has_its_route(
    api: FakeApi, capsys: Shown, typed: list[str], route: str, body: dict[str, Any]
) -> None:
    api.on(f"POST /_local/clock{route}", CLOCK | {"sends": [], "delivered": 0, "stopped_early": True})
    assert main(["clock", *typed]) == 0
    assert api.bodies(f"POST /_local/clock{route}") == [body]
    out, err = capsys.readouterr()
    assert out == "Now 2026-11-23 12:00:00Z. 0 sends, 0 delivered, 2 still scheduled.\n"
    assert err == "Stopped at --max-sends: more was due. Go on: swiftclaw clock idle\n"


def test_freeze_resume_and_show_say_how_the_clock_stands(api: FakeApi, capsys: Shown) -> None:
    api.on("POST /_local/clock/freeze", CLOCK)
    api.on("POST /_local/clock/resume", CLOCK | {"mode": "real", "lead_s": 360, "scheduled": 0, "next_at": None})
    api.on("GET /_local/clock", CLOCK | {"mode": "fast", "rate": 60.0, "scheduled": 1})
    assert [main(["clock", typed]) for typed in ("freeze", "resume", "show")] == [0, 0, 0]
    assert capsys.readouterr().out == (
        "Clock frozen at 2026-11-23 12:00:00Z. Retries run only when you advance it.  Undo: swiftclaw clock resume\n"
        "Clock runs in real time from 2026-11-23 12:00:00Z, 6m ahead of your computer's.\n"
        "Nothing is scheduled.\n"
        "2026-11-23 12:00:00Z   60 times as fast as real time\n"
        "1 attempt scheduled. The next is due in 4m 12s.\n"
    )


def test_a_duration_that_cannot_be_read_never_reaches_the_server(api: FakeApi, capsys: Shown) -> None:
    assert main(["clock", "advance", "6 hours"]) == 2
    assert capsys.readouterr().err == 'error: Cannot advance by "6 hours". Write 6h, 90s or 1h30m.\n'
    assert api.asked == []


# --- ready, status, reset ---------------------------------------------------------------------------------------


def test_ready_prints_nothing(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /readyz", {"ok": True, "reason": None})
    assert main(["ready", "--wait", "10s"]) == 0
    assert capsys.readouterr() == ("", "")


def test_ready_asks_again_until_it_is(api: FakeApi) -> None:
    answers = iter([(503, {"ok": False, "reason": "starting"})] * 2 + [(200, {"ok": True, "reason": None})])
    api.on_call("GET /readyz", lambda _asked: next(answers))
    assert main(["ready", "--wait", "10s"]) == 0
    assert len(api.asked) == 3


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((503, {"ok": False, "reason": "The engine does not run."}), "The server at {} is not ready: The engine does not run"),
        ((200, b"hello"), "Something answers at {}, but it is not SwiftClaw local"),
        ((200, {"ok": "yes", "reason": None}), "The server at {} is not ready: None"),
        ((401, {"error": {"code": "token_required", "message": "No token."}}), "The server at {} is not ready: No token"),
    ],
)  # fmt: skip
def test_ready_says_why_not_and_ends_with_4(api: FakeApi, capsys: Shown, answer: tuple[int, Any], message: str) -> None:
    api.on_call("GET /readyz", lambda _asked: answer)
    assert main(["ready", "--wait", "100ms"]) == 4
    assert capsys.readouterr().err.startswith(f"error: {message.format(api.url)} after 100ms.\n")
    assert len(api.asked) == 3  # at 0, 50 and 100 ms


def test_ready_does_not_wait_unless_asked(capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("SWIFTCLAW_API_URL", f"http://127.0.0.1:{port}")
    assert main(["ready"]) == 4
    assert capsys.readouterr().err == (
        f"error: No SwiftClaw local server at http://127.0.0.1:{port}.\n"
        "  Start one: swiftclaw serve      or, with your app: swiftclaw dev -- <command>   (the address comes from SWIFTCLAW_API_URL)\n"
    )


def test_a_server_that_hangs_uses_up_the_wait_it_takes(capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("SWIFTCLAW_API_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert main(["ready", "--wait", "300ms", "--timeout", "100ms"]) == 4
        assert asked_so_far(silent) == 3  # 100 ms of waiting and a pause of 50 ms each
    assert "within 0.1s after 300ms." in capsys.readouterr().err


def asked_so_far(server: socket.socket) -> int:
    """Return how many connections wait to be accepted."""
    server.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


def test_status_shows_the_server_at_a_glance(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /_local/status", STATUS)
    assert main(["status"]) == 0
    assert capsys.readouterr().out == (
        "SwiftClaw local 0.1.0   http://127.0.0.1:7420   pid 4711\n"
        "  data         ./.swiftclaw/swiftclaw.db   (durability full)\n"
        "  clock        real time, 2026-11-23 12:00:00Z\n"
        "  webhooks     3   (agents: billing-bot, my-agent)\n"
        "  deliveries   12 delivered, 1 failed, 1 retrying\n"
        "  attempts     17\n"
    )


def test_status_ends_with_1_when_deliveries_are_stuck(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /_local/status", STATUS | {"stuck": 2})
    assert main(["status"]) == 1
    assert "stuck        2 due and not sent" in capsys.readouterr().out


def test_reset_asks_nobody_where_nobody_can_answer(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /_local/status", STATUS)
    assert main(["reset", "--keep", "webhooks", "--no-input"]) == 2
    assert capsys.readouterr().err == (
        "error: Forget 14 deliveries of http://127.0.0.1:7420? Nobody can answer here.\n"
        "  If you are sure: swiftclaw reset --yes --keep webhooks\n"
    )
    assert api.bodies("POST /_local/reset") == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code", "sent"), [("y\n", 0, 1), ("\n", 1, 0), ("no\n", 1, 0), ("", 130, 0)])
def test_reset_asks_on_a_terminal(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, sent: int
) -> None:
    api.on("GET /_local/status", STATUS)
    api.on("POST /_local/reset", None, status=204)
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert main(["reset"]) == code
    assert len(api.bodies("POST /_local/reset")) == sent


def test_with_no_input_it_asks_not_even_on_a_terminal(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.on("GET /_local/status", STATUS)
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert main(["reset", "--no-input"]) == 2
    assert api.bodies("POST /_local/reset") == []


def test_reset_with_yes_forgets(api: FakeApi, capsys: Shown) -> None:
    api.on("GET /_local/status", STATUS)
    api.on("POST /_local/reset", None, status=204)
    assert [main(["reset", "--yes"]), main(["reset", "--yes", "--keep", "webhooks"])] == [0, 0]
    assert api.bodies("POST /_local/reset") == [{"keep": []}, {"keep": ["webhooks"]}]
    assert capsys.readouterr().out == (
        "Forgot 14 deliveries and 3 webhooks.\nForgot 14 deliveries. The webhooks are kept.\n"
    )


def test_prune_says_how_much_it_deleted(api: FakeApi, capsys: Shown) -> None:
    api.on("POST /_local/prune", {"events": 12})
    assert [main(["prune", "--older-than", "30d"]), main(["prune", "--older-than", "30 moons"])] == [0, 2]
    assert api.bodies("POST /_local/prune") == [{"older_than": "30d"}]
    assert capsys.readouterr().out == "Deleted 12 events older than 30d.\n"


# --- verify -----------------------------------------------------------------------------------------------------


def test_verify_sends_the_exact_bytes_and_says_match(api: FakeApi, capsys: Shown, tmp_path: Path) -> None:
    api.on("POST /_local/verify", {"match": True, "reason": None, "text": "match"})
    body = tmp_path / "body.json"
    body.write_bytes(b'{"a": 1}\r\n\xff')
    assert main(["verify", "--body", str(body), "--signature", "ab", "--secret", "s"]) == 0
    assert capsys.readouterr().out == "match\n"
    sent = api.bodies("POST /_local/verify")[0]
    assert base64.b64decode(sent["body_base64"]) == b'{"a": 1}\r\n\xff'
    assert (sent["signature"], sent["secret"]) == ("ab", "s")


def test_verify_says_why_not_and_ends_with_1(api: FakeApi, capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    api.on("POST /_local/verify", {"match": False, "reason": "prefix", "text": "No match. It has a prefix."})
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    assert main(["verify", "--body", "-", "--signature", "sha256=ab", "--secret", "s"]) == 1
    assert capsys.readouterr().out == "No match. It has a prefix.\n"


def test_verify_without_its_file_names_it(api: FakeApi, capsys: Shown, tmp_path: Path) -> None:
    missing = tmp_path / "none.json"
    assert main(["verify", "--body", str(missing), "--signature", "ab", "--secret", "s"]) == 2
    assert capsys.readouterr().err == (
        f"error: --body {missing} cannot be read: No such file or directory.\n  Name a file, or - for stdin.\n"
    )


# --- doctor -----------------------------------------------------------------------------------------------------


def webhook(url: str, **more: Any) -> dict[str, Any]:
    return {"id": "webhook-123", "agent": "my-agent", "url": url, "note": None} | more


def test_doctor_without_a_server_fails_and_says_what_to_type(capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIFTCLAW_API_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "PASS  command  no other program of the name swiftclaw on PATH\n" in out
    assert "FAIL  server   No SwiftClaw local server at" in out
    assert "fix: Start one: swiftclaw serve" in out


def test_doctor_looks_at_everything_and_ends_with_0_when_nothing_fails(
    api: FakeApi, capsys: Shown, tmp_path: Path
) -> None:
    database = tmp_path / "a b?.db"
    sqlite3.connect(database).close()
    api.on("GET /_local/status", STATUS | {"data": str(database)})
    api.on("GET /v1/webhooks", {"data": [webhook(api.url)], "next": None})
    assert main(["doctor", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert [check["subject"] for check in checks[1:]] == ["server", "deliveries", "database", "clock", "webhook-123"]
    assert {check["verdict"] for check in checks[1:]} == {"PASS"}
    assert list(tmp_path.iterdir()) == [database]


def test_doctor_names_the_other_swiftclaw_on_the_path(tmp_path: Path) -> None:
    other, ours = tmp_path / "other" / "swiftclaw", tmp_path / "ours" / "swiftclaw"
    for program, text in ((other, "#!/bin/sh\n"), (ours, "from swiftclaw_local.cli.main import main\n")):
        program.parent.mkdir()
        program.write_text(text)
        program.chmod(0o755)
    assert doctor.look_at_path(f"/nowhere:{ours.parent}:{other.parent}").verdict == "PASS"
    found = doctor.look_at_path(f"{other.parent}:{ours.parent}")
    assert (found.verdict, found.text) == ("WARN", f"swiftclaw is another program: {other}")


def test_doctor_sees_a_damaged_database(tmp_path: Path) -> None:
    database = tmp_path / "swiftclaw.db"
    with sqlite3.connect(database) as file:
        file.execute("CREATE TABLE t (a TEXT)")
        file.executemany("INSERT INTO t VALUES (?)", [("x" * 900,)] * 100)
    file.close()
    assert doctor.look_at_database(database).verdict == "PASS"
    content = bytearray(database.read_bytes())
    content[8192:16384] = b"\xff" * 8192
    database.write_bytes(content)
    assert doctor.look_at_database(database).verdict == "FAIL"
    assert doctor.look_at_database(tmp_path / "none.db").verdict == "WARN"
    assert not (tmp_path / "none.db").exists()


def test_doctor_says_what_a_clock_that_stands_or_leads_means() -> None:
    real = STATUS["clock"]
    assert doctor.look_at_clock(real).verdict == "PASS"
    assert doctor.look_at_clock(CLOCK).text == "frozen, 2026-11-23 12:00:00Z; 2 attempts wait until it moves"
    assert doctor.look_at_clock(CLOCK | {"scheduled": 0}).verdict == "PASS"
    ahead = doctor.look_at_clock(real | {"lead_s": 360})
    assert (ahead.verdict, ahead.text) == ("WARN", "real time, 6m ahead of your computer's, 2026-11-23 12:00:00Z")
    assert "6m behind your computer's" in doctor.look_at_clock(real | {"lead_s": -360}).text


def test_doctor_warns_of_another_version_and_fails_on_stuck_deliveries() -> None:
    assert doctor.look_at_server(STATUS | {"version": "9.9"}, "u").verdict == "WARN"
    assert doctor.look_at_deliveries(STATUS | {"stuck": 1}).text == "1 delivery due and not sent"


def test_doctor_tells_a_receiver_that_does_not_listen_from_one_in_another_container() -> None:
    port = free_port()
    url = f"http://localhost:{port}/hook"
    outside = doctor.look_at_webhook(webhook(url), inside_container=False)
    assert (outside.verdict, outside.text) == (
        "FAIL",
        f"{url} refuses the connection: nothing listens on port {port}",
    )
    inside = doctor.look_at_webhook(webhook(url), inside_container=True)
    assert inside.text == f"{outside.text} inside this container, which is what localhost means here"
    assert inside.fix is not None
    assert f"http://host.docker.internal:{port}" in inside.fix


def test_doctor_connects_to_no_public_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("it connected"))
    found = doctor.look_at_webhook(webhook("http://8.8.8.8/hook", note="sends are blocked"), inside_container=False)
    assert (found.verdict, found.text) == (
        "WARN",
        "http://8.8.8.8/hook is a public host, not checked. sends are blocked",
    )


# --- completion -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(capsys: Shown, shell: str) -> None:
    assert main(["completion", shell]) == 0
    assert f"_SWIFTCLAW_COMPLETE={shell}_complete" in capsys.readouterr().out


def offered(offer: Any, incomplete: str = "", **params: Any) -> list[str]:
    context = click.Context(entries()["clock"].load())
    context.params.update(params)
    return [item.value for item in offer(context, click.Argument(["x"]), incomplete)]


def test_completion_offers_what_the_server_knows(api: FakeApi) -> None:
    api.on("GET /_local/status", STATUS)
    api.on("GET /v1/webhooks", {"data": [webhook("u"), webhook("u", id="webhook-124")], "next": None})
    api.on("GET /v1/agents/my-agent/webhooks", {"data": [webhook("u")], "next": None})
    delivery = {"id": "dlv_1", "event_type": "agent.failed", "state": "failed"}
    api.on("GET /v1/deliveries", {"data": [delivery], "next": None})
    api.on("GET /v1/events", {"data": [{"id": "evt_1", "type": "agent.failed"}], "next": None})
    api.on("GET /v1/alerts", {"data": [{"id": "alert-1", "agent": "a", "state": "ok"}], "next": None})
    assert offered(agents) == ["billing-bot", "my-agent"]
    assert offered(agents, "my") == ["my-agent"]
    assert offered(webhooks) == ["webhook-123", "webhook-124"]
    assert offered(webhooks, agent="my-agent") == ["webhook-123"]
    assert offered(deliveries) == ["@last", "@last-failed", "dlv_1"]
    assert offered(deliveries, "@last-") == ["@last-failed"]
    assert offered(events) == ["@last", "evt_1"]
    assert offered(alerts) == ["alert-1"]


def test_completion_without_a_server_offers_nothing_and_says_nothing(
    capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWIFTCLAW_API_URL", f"http://127.0.0.1:{free_port()}")
    assert offered(deliveries) == []
    assert capsys.readouterr() == ("", "")


def test_a_shell_that_completes_is_offered_commands(capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_SWIFTCLAW_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "swiftclaw clock f")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert main([]) == 0
    assert capsys.readouterr().out == "plain,freeze\n"
