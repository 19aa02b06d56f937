"""webhooks, alerts, trigger, events, deliveries: the real commands, a real server, and receivers of the page's kind."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.acceptance.golden import assert_golden
from tests.acceptance.running import PageReceiver, RunningServer, environment
from tests.acceptance.terminal import Terminal

AFTERNOON = datetime(2100, 1, 1, 14).astimezone()  # so that seven hours of retries stay within one day
NEVER_LISTENS = "http://localhost:9"

_MILLISECONDS = re.compile(r" +\d+  (?=first|retry|test|replay)")
_GAPS = re.compile(r"(?<=\S) {2,}")


@pytest.fixture(autouse=True)
def afternoon(server: RunningServer) -> None:
    assert server.api("POST", "/_local/reset", {"seed": 1, "at": AFTERNOON.timestamp()})[0] == 204


def transcript(server: RunningServer, *commands: str) -> str:
    """Return what a person sees who types these commands, with the exit codes other than 0."""
    text = ""
    for command in commands:
        done = server.command(*shlex.split(command))
        code = f"[exit {done.returncode}]\n" if done.returncode else ""
        text += f"$ swiftclaw {command}\n{done.stdout}{done.stderr}{code}\n"
    return text


def even(text: str) -> str:
    """Return the text with tables of attempts whose widths do not depend on how long an attempt took."""
    lines = []
    in_table = False
    for line in text.splitlines():
        in_table = bool(line) and (in_table or " MS  SEND" in line)
        lines.append(_GAPS.sub("  ", _MILLISECONDS.sub("  <ms>  ", line)) if in_table else line)
    return "\n".join(lines)


def created(server: RunningServer, url: str, *flags: str, agent: str = "my-agent") -> None:
    done = server.command("webhooks", "create", agent, "--url", url, *flags)
    assert done.returncode == 0, done.stderr


@contextmanager
def redirecting(status: int) -> Iterator[str]:
    """Run a receiver that sends everybody to the same path with a slash, as web frameworks do; give its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Location", f"http://{self.headers['Host']}{self.path}/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/webhooks/swiftclaw"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def newest(server: RunningServer) -> Any:
    return server.api("GET", "/v1/deliveries/@last")[1]


# --- what is printed --------------------------------------------------------------------------------------------


def test_webhooks_from_create_to_delete(server: RunningServer, receiver: PageReceiver) -> None:
    receiver.answers = [200, 503]
    printed = transcript(
        server,
        "webhooks list my-agent",
        f"webhooks create my-agent --url {receiver.url} --events agent.invoked,agent.completed,agent.failed",
        "webhooks create my-agent --url https://yourapp.com/webhooks/swiftclaw",
        f"webhooks create billing-bot --url {NEVER_LISTENS}/hook --disabled --description invoices",
        "webhooks test my-agent webhook-123",
        "webhooks test my-agent webhook-124",
        "trigger agent.failed --webhook webhook-123",
        "webhooks list my-agent",
        "webhooks list --all-agents",
        "webhooks logs my-agent webhook-123",
        "webhooks logs my-agent webhook-123 --failed",
        "webhooks update my-agent webhook-123 --url https://newurl.com/webhooks --events agent.completed,agent.failed",
        "webhooks update my-agent webhook-123 --disable",
        "webhooks update my-agent webhook-123 --disable",
        "webhooks show my-agent 123",
        "webhooks secret my-agent webhook-123 --env",
        "webhooks delete my-agent webhook-123",
        "webhooks logs my-agent webhook-123",
    )
    assert_golden("webhooks", even(printed))


def test_a_delivery_from_its_first_failure_to_its_replay(server: RunningServer, receiver: PageReceiver) -> None:
    receiver.answers = [500, 500, 503, 200]
    created(server, receiver.url, "--events", "agent.failed,agent.timeout")
    printed = transcript(
        server,
        'trigger agent.failed --set data.error="tool crashed"',
        "deliveries show @last",
        "deliveries wait @last --timeout 100ms",
        "deliveries replay @last",
        "clock advance 6m",
        "deliveries show @last",
        "deliveries list --unresolved --group cause",
        "deliveries list --group webhook",
        "deliveries replay @last --now",
        "deliveries wait @last --for delivered",
        "deliveries wait @last --for failed",
        "deliveries replay @last",
        "deliveries cancel @last",
        "deliveries list",
        "deliveries list --failed",
        "deliveries show @last --headers",
    )
    printed = re.sub(r"Date: .*|Server: .*", "<header>", printed)
    assert_golden("deliveries", re.sub(r"[0-9a-f]{64}", "<hex>", even(printed)))


def test_alerts_from_create_to_delete(server: RunningServer) -> None:
    created(server, f"{NEVER_LISTENS}/hook")
    printed = transcript(
        server,
        "alerts list",
        "alerts create --agent my-agent --metric webhook-failures --threshold 2 --window 1h",
        "trigger agent.failed --no-wait",
        "clock advance 6m",
        "alerts list",
        "clock idle",
        "alerts list --firing",
        "alerts history",
        "alerts delete alert-1",
        "alerts delete alert-1",
        "alerts create --agent my-agent --metric webhook-errors --threshold 5 --window 1h",
        'alerts create --agent my-agent --metric webhook-failures --threshold 5 --window "1 hour"',
    )
    assert_golden("alerts", even(printed))


def test_the_nine_event_types(server: RunningServer) -> None:
    assert_golden("trigger_list", transcript(server, "trigger --list"))


def test_events_are_triggered_and_looked_at(server: RunningServer, receiver: PageReceiver) -> None:
    created(server, receiver.url)
    printed = transcript(
        server,
        "trigger agent.completed --id evt_1 --set data.response.message=hi --set data.request_id=req_1",
        "trigger agent.completed --id evt_1 --set data.response.message=hi --set data.request_id=req_1",
        "trigger agent.completed --id evt_1 --set data.response.message=other",
        "trigger agent.new --allow-unknown-type --id evt_2 --set data.a.b=1 --exact",
        "trigger system.incident --id evt_3 --unset severity --created 2100-01-01",
        "trigger agent.timeout --created 2100-01-01T15:00",
        "trigger --agent-run failed",
        "events list --limit 3 --type agent.completed",
        "events show evt_1",
        "events body evt_2",
        "events body evt_3",
        "events body evt_4",
    )
    assert_golden("trigger", even(printed))


def test_bad_input_is_told_what_was_wrong_and_what_to_type(server: RunningServer, receiver: PageReceiver) -> None:
    (server.folder / "order.json").write_text('{\n  "a": 1,\n  "b": [1, 2],\n  "order": "x1" "y"\n}\n')
    created(server, receiver.url)
    created(server, f"{NEVER_LISTENS}/hook")
    created(server, "https://yourapp.com/hook")
    wrong_secret = f"webhooks update my-agent 123 --url {receiver.url} --secret another"
    printed = transcript(
        server,
        "webhooks create my-agent --url localhost:8000/hook",
        f"webhooks create my-agent --url {receiver.url} --events agent.complete",
        f"webhooks create my-agent --url {receiver.url} --events agent.completed, agent.failed",
        "webhooks update my-agent 123 --events agent.completed, agent.failed",
        "webhooks update my-agent 123",
        "webhooks test my-agent webhook-12",
        "webhooks list my-agnet",
        "webhooks delete my-agnet webhook-123",
        "trigger agent.failed --agent my-agnet",
        "trigger agent.failed --webhook webhook-125",
        "trigger agent.failed --webhook webhook-124",
        wrong_secret,
        "trigger agent.failed --webhook webhook-123",
        "trigger agent.complete",
        "trigger agent.completed --data order.json",
        "trigger agent.completed --data none.json",
        "trigger",
        "trigger agent.failed --set error=x",
        "deliveries show dlv_nothing",
        "deliveries show dlv",
        "deliveries list --since yesterday",
        "deliveries list --statu 503",
        "deliveries lst",
    )
    # in a container the server says that its localhost is another one
    printed = re.sub(r"from inside a container, where.*|: nothing listens on port.*", "<why>", printed)
    assert_golden("bad_inputs", even(printed))


def test_a_redirect_is_final_and_says_which_url_to_register(server: RunningServer) -> None:
    with redirecting(308) as url:
        created(server, url)
        done = server.command("trigger", "agent.failed")
    assert (done.returncode, "failed: redirects are not followed" in done.stdout) == (1, True)
    assert f"hint: The receiver answered 308 to {url}/ ." in done.stderr
    assert done.stderr.endswith("Register the URL with the slash.\n")


# --- bytes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["plain", 'it\'s $HOME `x` \\ "q" !1', "\u202eturned\u2028\x7f\u009b31m", "x" * 200_000]
)
def test_a_curl_command_sends_the_same_bytes_with_a_good_signature(
    server: RunningServer, receiver: PageReceiver, text: str
) -> None:
    assert shutil.which("curl"), "curl is needed for this test"
    created(server, receiver.url)
    (server.folder / "data.json").write_text(json.dumps({"text": text}))
    assert server.command("trigger", "agent.completed", "--data", "data.json").returncode == 0
    command = server.command("deliveries", "curl", "@last").stdout
    ran = subprocess.run(
        ["/bin/sh"], input=command, cwd=server.folder, capture_output=True, text=True, timeout=30, check=False
    )
    assert (ran.returncode, ran.stdout.splitlines()[0]) == (0, "HTTP/1.1 200 OK"), ran.stderr
    ours, curls = receiver.received
    assert curls.signed
    assert (ours.body, sorted(ours.headers)) == (curls.body, sorted(curls.headers))


def test_the_body_of_an_event_is_piped_exactly_as_it_was_sent(server: RunningServer, receiver: PageReceiver) -> None:
    created(server, receiver.url)
    server.command("trigger", "agent.completed", "--set", "data.text=é\u202e\x7f")
    with (server.folder / "body").open("wb") as file:
        words = [sys.executable, "-m", "swiftclaw_local", "--api-url", server.url, "events", "body", "@last"]
        subprocess.run(words, stdout=file, env=environment(), timeout=30, check=True)
    assert (server.folder / "body").read_bytes() == receiver.received[0].body


def test_what_a_receiver_wrote_cannot_move_the_cursor(server: RunningServer) -> None:
    created(server, f"{NEVER_LISTENS}/hook")
    server.command("trigger", "agent.completed", "--set", "data.text=\u202e\x1b[2J\x9b", "--no-wait")
    shown = [server.command("events", *words).stdout for words in (["list"], ["show", "@last"])]
    assert [set(text) & set("\u202e\x1b\x9b") for text in shown] == [set(), set()]
    assert all("\\u202e" in text for text in shown)


def test_as_json_every_look_is_the_apis_document(server: RunningServer, receiver: PageReceiver) -> None:
    created(server, receiver.url)
    server.command(
        "alerts", "create", *shlex.split("--agent my-agent --metric webhook-failures --threshold 5 --window 1h")
    )
    server.command("trigger", "agent.completed")
    event_id = newest(server)["event_id"]
    hook = "/v1/agents/my-agent/webhooks"
    looks = {
        "webhooks list my-agent": hook,
        "webhooks list --all-agents": "/v1/webhooks",
        "webhooks show my-agent webhook-123": f"{hook}/webhook-123",
        "webhooks secret my-agent webhook-123": f"{hook}/webhook-123/secret",
        "webhooks logs my-agent webhook-123": f"{hook}/webhook-123/deliveries",
        "deliveries list": "/v1/deliveries",
        "deliveries list --group cause": "/v1/deliveries?group=cause",
        "deliveries show @last": "/v1/deliveries/@last",
        "deliveries wait @last": "/v1/deliveries/@last",
        "events list": "/v1/events",
        "events show @last": "/v1/events/@last",
        f"events body {event_id}": f"/v1/events/{event_id}/body",
        "alerts list": "/v1/alerts",
        "alerts history": "/v1/alerts/history",
        "trigger --list": "/_local/event-types",
    }
    for command, path in looks.items():
        done = server.command(*shlex.split(command), "--json")
        assert (done.returncode, json.loads(done.stdout)) == (0, server.api("GET", path)[1]), command


def test_an_error_as_json_is_one_document_on_stderr(server: RunningServer) -> None:
    done = server.command("deliveries", "show", "dlv_nothing", "--json")
    assert (done.returncode, done.stdout) == (3, "")
    assert json.loads(done.stderr)["error"]["code"] == "unknown_delivery"


# --- going on, and terminals ------------------------------------------------------------------------------------


def test_events_at_a_rate_all_arrive(server: RunningServer, receiver: PageReceiver) -> None:
    created(server, receiver.url)
    done = server.command("trigger", "agent.completed", "--count", "20", "--rate", "200/s")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 20), done.stderr
    assert len({received.event_id for received in receiver.received}) == 20


def test_following_a_log_shows_each_delivery_as_it_happens(
    server: RunningServer, tmp_path: Path, receiver: PageReceiver
) -> None:
    created(server, receiver.url)
    terminal = Terminal(tmp_path / "typed", SWIFTCLAW_API_URL=server.url)
    following = terminal.start(
        sys.executable, "-m", "swiftclaw_local", "webhooks", "logs", "my-agent", "123", "--follow"
    )
    try:
        server.command("trigger", "agent.completed")
        assert "agent.completed" in following.shown_until("delivered")
        server.command("trigger", "agent.invoked")
        assert "agent.invoked" in following.shown_until("agent.invoked")
        assert following.stop(signal.SIGINT) == 130
    finally:
        following.close()


def test_a_terminal_gets_short_ids_that_can_be_typed_again(
    server: RunningServer, tmp_path: Path, receiver: PageReceiver
) -> None:
    created(server, receiver.url)
    terminal = Terminal(tmp_path / "typed", SWIFTCLAW_API_URL=server.url)
    shown = terminal.type("swiftclaw trigger agent.completed")
    (short,) = re.findall(r"\((dlv_….{4})\)", shown)
    assert "->  webhook-123   200   " in shown
    assert newest(server)["id"] in terminal.type(f"swiftclaw deliveries show {short}")


def test_a_terminal_sees_how_far_many_events_have_come(
    server: RunningServer, tmp_path: Path, receiver: PageReceiver
) -> None:
    created(server, receiver.url)
    terminal = Terminal(tmp_path / "typed", SWIFTCLAW_API_URL=server.url)
    shown = terminal.type("swiftclaw trigger agent.completed --count 4")
    assert "[######------------------]  1/4" in shown
    assert shown.endswith("\r\x1b[K")


def test_faults_as_they_are_armed_listed_met_and_cleared(server: RunningServer, receiver: PageReceiver) -> None:
    created(server, receiver.url)
    seen = transcript(
        server,
        "fault list",
        "fault add lost_reply --webhook webhook-123",
        "trigger agent.completed",
        "clock advance 1m",
        "deliveries show @last",
        "trigger agent.completed --fault duplicate",
        "deliveries show @last",
        "trigger agent.completed --fault wrong_signature",
        "fault add reorder --times 2",
        "fault add delay --delay 90s --webhook 123",
        "fault add body_shape:pretty --times 3",
        "fault add drop --probability 0.25 --seed 7",
        "fault add status:503 --for 10m --webhook 123",
        "fault list",
        "fault clear 5",
        "fault clear",
        "fault add lost_repli",
        "fault add huge_body:9",
        "fault add delay:soon",
        "fault add duplicate:2",
        "fault add duplicate --webhook webhook-9",
        "fault clear fault-77",
        "fault add refused --for 0s",
        "trigger agent.completed --fault refused",
        "deliveries show @last",
        "deliveries show @last --send 1",
        "trigger agent.completed --fault burst",
    )
    assert_golden("faults", seen)
