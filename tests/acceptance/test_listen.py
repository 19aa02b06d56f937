"""`swiftclaw listen`: lines while they happen, the server's going and coming back, and the keys of the screen."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.running import RunningServer, environment, receiving, serving
from tests.acceptance.terminal import Terminal, Typed

SECRET = "scsec_listen"
FLAGS = ("--secret", SECRET, "--log-level", "error")


@contextmanager
def listening(server_url: str, folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "swiftclaw_local", "--api-url", server_url, "listen", *words],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        if "--json" not in words:
            assert process.stderr.readline() == "Listening. ^C stops.\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    """Return the next lines, with times and ids taken out."""
    assert process.stdout is not None
    return [plain(process.stdout.readline()) for _ in range(count)]


def plain(line: str) -> str:
    line = re.sub(r"^\d\d:\d\d:\d\d", "TIME", line.rstrip("\n"))
    return re.sub(r" +\d+ ms", "  N ms", re.sub(r"evt_\w+", "EVT", line))


def emit(server: RunningServer, type: str = "agent.failed") -> None:
    assert server.api("POST", "/v1/agents/my-agent/events?wait=first", {"type": type})[0] == 200


def test_lines_come_as_things_happen(tmp_path: Path) -> None:
    with receiving(SECRET, 200, 500, 404) as receiver, serving(tmp_path, "--ephemeral", *FLAGS) as server:
        server.api("POST", "/v1/agents/my-agent/webhooks", {"url": receiver.url})
        with listening(server.url, tmp_path) as process:
            for _ in range(3):
                emit(server)
            assert lines(process, 6) == [
                "TIME  ->  agent.failed  EVT  webhook-123",
                "TIME  <-  200  N ms  delivered",
                "TIME  ->  agent.failed  EVT  webhook-123",
                'TIME  <-  500  N ms  retry 1/5 in 1m   {"error": "Processing failed"}',
                "TIME  ->  agent.failed  EVT  webhook-123",
                "TIME  <-  404  N ms  failed, not retried (SwiftClaw retries only 500-599)"
                '   {"error": "Processing failed"}',
            ]


def test_it_says_that_the_server_stopped_and_shows_what_was_missed(tmp_path: Path) -> None:
    port = "7497"
    with receiving(SECRET, 200) as receiver, serving(tmp_path, "--port", port, *FLAGS) as server:
        server.api("POST", "/v1/agents/my-agent/webhooks", {"url": receiver.url})
        with listening(server.url, tmp_path, "--output", "compact") as process:
            emit(server)
            lines(process, 2)
            server.stop()
            assert lines(process, 1) == ["          --  server stopped; reconnecting every 1 s"]
            with serving(tmp_path, "--port", port, *FLAGS) as again:
                emit(again)
                seen = lines(process, 3)
    assert seen[:2] in (
        ["TIME  ->  agent.failed  EVT  webhook-123", "TIME  <-  200  N ms  delivered"],
        [seen[0], "TIME  ->  agent.failed  EVT  webhook-123"],
    )
    assert any(re.fullmatch(r"TIME  --  back, [01] missed( \(\d tries\))?", line) for line in seen)


def test_programs_get_one_object_a_line_and_nothing_else(tmp_path: Path) -> None:
    with receiving(SECRET, 200) as receiver, serving(tmp_path, "--ephemeral", *FLAGS) as server:
        server.api("POST", "/v1/agents/my-agent/webhooks", {"url": receiver.url})
        emit(server)
        with listening(server.url, tmp_path, "--json", "--since", "1h ago") as process:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
    assert (told["kind"], told["status"], told["outcome"], told["n"]) == ("attempt", 200, "delivered", 1)


def test_quiet_tells_trouble_only_and_filters_leave_others_out(tmp_path: Path) -> None:
    with receiving(SECRET, 200, 500, 200) as receiver, serving(tmp_path, "--ephemeral", *FLAGS) as server:
        for agent in ("my-agent", "other"):
            server.api("POST", f"/v1/agents/{agent}/webhooks", {"url": receiver.url})
        with (
            listening(server.url, tmp_path, "--output", "quiet") as quiet,
            listening(server.url, tmp_path, "--agent", "other", "--failed") as none,
        ):
            for _ in range(3):
                emit(server)
            assert "agent.failed  EVT  webhook-123  retry 1/5" in lines(quiet, 1)[0]
            time.sleep(0.3)
            assert none.stdout is not None
            assert select.select([none.stdout], [], [], 0)[0] == []


def test_without_a_server_it_says_so(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "swiftclaw_local", "--api-url", "http://127.0.0.1:1", "listen"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, "No SwiftClaw local server at http://127.0.0.1:1." in ran.stderr) == (4, True)


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Typed]:
    with receiving(SECRET, 500, 200) as receiver, serving(tmp_path, "--ephemeral", *FLAGS) as server:
        server.api("POST", "/v1/agents/my-agent/webhooks", {"url": receiver.url})
        emit(server)
        emit(server, "agent.completed")
        (tmp_path / "typing").mkdir()
        terminal = Terminal(tmp_path / "typing", SWIFTCLAW_API_URL=server.url)
        typed = terminal.start(sys.executable, "-m", "swiftclaw_local", "listen", "--since", "1h ago")
        shown(typed, "1 ok  1 retrying")
        yield typed
        typed.close()


def shown(typed: Typed, text: str) -> str:
    """Read what the screen shows until a text is on it, and return the newest picture."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        picture = typed.text.rpartition("\x1b[H")[2]
        if text in picture:
            return picture
        if select.select([typed._master], [], [], 0.1)[0]:
            typed._shown += typed._read()
    raise AssertionError(typed.text[-3000:])


def press(typed: Typed, keys: str, until: str) -> str:
    """Press keys, and return what is shown once a text is on the screen."""
    os.write(typed._master, keys.encode())
    return shown(typed, until)


def test_keys_move_open_details_filter_pause_and_quit(screen: Typed) -> None:
    press(screen, "kkk", "3 below")
    assert "first send" in press(screen, "\r", "any key: back to the list")
    press(screen, " /completed\r", "only: completed")
    press(screen, "p", "PAUSED")
    press(screen, "c", "Copied, if your terminal allows it:")
    os.write(screen._master, b" q")
    assert screen.process.wait(10) == 0
