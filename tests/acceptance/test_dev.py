"""`swiftclaw dev -- COMMAND`: both start, both stop, the exit code is the command's, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.running import environment
from tests.acceptance.terminal import Terminal
from tests.ports import free_port

APPLICATION = """
import http.server, os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
with open("pids", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
print("secret", os.environ["SWIFTCLAW_WEBHOOK_SECRET"], flush=True)
try:
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
except KeyboardInterrupt:
    child.kill()
    sys.exit(9)
"""


def words(port: int, *command: str, flags: tuple[str, ...] = ()) -> list[str]:
    url = f"http://localhost:{port}/hook"
    return [
        sys.executable,
        "-m",
        "swiftclaw_local",
        "dev",
        "--port=0",
        "--ephemeral",
        "--url",
        url,
        *flags,
        "--",
        *command,
    ]


def dev(folder: Path, *given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(given, cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False)


def gone(folder: Path) -> bool:
    """Whether the application and its child ended."""
    pids = [int(pid) for pid in (folder / "pids").read_text().split()]
    for _ in range(100):
        if not any(_runs(pid) for pid in pids):
            return True
        time.sleep(0.1)
    return False


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state != "Z"  # nobody waits for orphans in some containers


@pytest.fixture
def application(tmp_path: Path) -> Path:
    path = tmp_path / "application.py"
    path.write_text(APPLICATION)
    return path


def test_keys_send_a_test_and_ctrl_c_ends_both_with_the_commands_exit_code(tmp_path: Path, application: Path) -> None:
    port = free_port()
    terminal = Terminal(tmp_path)
    typed = terminal.start(*words(port, sys.executable, str(application), str(port)))
    try:
        shown = typed.shown_until("Keys: t send test")
        assert "secret scsec_" in shown
        assert f"webhook-123     my-agent -> http://localhost:{port}/hook   (all 9 event types)" in shown
        os.write(typed._master, b"t")
        assert "(test)" in typed.shown_until("delivered")
        assert typed.stop(signal.SIGINT) == 9
    finally:
        typed.close()
    assert gone(tmp_path)


def test_q_ends_it_well(tmp_path: Path) -> None:
    port = free_port()
    terminal = Terminal(tmp_path)
    typed = terminal.start(*words(port, sys.executable, "-m", "http.server", str(port)))
    try:
        typed.shown_until("Keys: t send test")
        os.write(typed._master, b"q")
        assert typed.process.wait(20) == 0
    finally:
        typed.close()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind_however_it_ends(tmp_path: Path, application: Path, how: signal.Signals) -> None:
    port = free_port()
    process = subprocess.Popen(
        words(port, sys.executable, str(application), str(port)),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = ""
    for line in process.stdout:
        url = url or (line.split()[3] if line.startswith("  API + console") else "")
        if "your command" in line:
            break
    process.send_signal(how)
    process.wait(20)
    process.stdout.close()
    assert gone(tmp_path)
    for _ in range(100):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))):
                return
        time.sleep(0.1)
    raise AssertionError("the server still listens")


def test_a_command_that_ends_at_once_says_how(tmp_path: Path) -> None:
    ran = dev(tmp_path, *words(free_port(), sys.executable, "-c", "import sys; sys.exit(7)"))
    assert ran.returncode == 7
    assert "Your command ended with exit code 7" in ran.stderr


@pytest.mark.parametrize(
    ("command", "flags", "code", "said"),
    [
        (("no-such-command",), (), 2, 'There is no command "no-such-command".'),
        (("sleep", "30"), ("--wait-port", "300ms"), 124, "after 0.3s; your command runs (sleep 30)."),
        (("sleep", "1"), ("--events", "agent.complete"), 2, 'Did you mean "agent.completed"?'),
        (("sleep", "1"), ("--url", "https://example.com/hook"), 2, "is not on this machine"),
        (("sleep", "1"), ("--url", "localhost:8000/hook"), 2, "Did you mean http://localhost:8000/hook ?"),
    ],
)
def test_what_goes_wrong_is_said(
    tmp_path: Path, command: tuple[str, ...], flags: tuple[str, ...], code: int, said: str
) -> None:
    ran = dev(tmp_path, *words(free_port(), *command, flags=flags))
    assert (ran.returncode, said in ran.stderr) == (code, True), ran.stderr


def test_a_port_that_is_taken_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        ran = dev(tmp_path, *words(one.getsockname()[1], "sleep", "30"))
    assert (ran.returncode, "already, before your command was started" in ran.stderr) == (5, True)
