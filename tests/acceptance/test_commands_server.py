"""serve, ready, status, doctor, reset, clock, verify, help: the real commands against a real server."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import pty
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.golden import assert_golden
from tests.acceptance.running import SECRET, RunningServer, environment, receiving, serving
from tests.ports import free_port

COMMAND_S = 0.2  # what a command may take

Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(tmp_path_factory.mktemp("shared"), "--ephemeral", "--clock", "real") as server:
        yield server


@pytest.fixture
def server(shared: RunningServer) -> RunningServer:
    """A server as it is after its start; the process is the same for the whole file."""
    assert shared.api("POST", "/_local/reset", {})[0] == 204
    return shared


def swiftclaw(*words: str, folder: Path, stdin: str | None = None, **variables: str) -> Done:
    return subprocess.run(
        [sys.executable, "-m", "swiftclaw_local", *words],
        cwd=folder,
        env=environment() | variables,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def created(server: RunningServer, url: str, agent: str = "my-agent") -> str:
    status, webhook = server.api("POST", f"/v1/agents/{agent}/webhooks", {"url": url, "secret": SECRET})
    assert status == 201, webhook
    return str(webhook["id"])


def emitted(server: RunningServer, type: str = "agent.failed") -> dict[str, Any]:
    status, answer = server.api("POST", "/v1/agents/my-agent/events?wait=first", {"type": type})
    assert status == 200, answer
    delivery: dict[str, Any] = answer["deliveries"][0]
    return delivery


# --- serve ------------------------------------------------------------------------------------------------------


def test_serve_says_where_it_is_and_what_it_keeps(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert_golden("serve_fresh", "\n".join(server.banner))
        assert (tmp_path / ".swiftclaw" / "server.json").stat().st_mode & 0o777 == 0o600
        assert server.stop(signal.SIGINT) == 0
    assert not (tmp_path / ".swiftclaw" / "server.json").exists()


def test_serve_in_memory_leaves_nothing_behind_and_logs_to_stderr(tmp_path: Path) -> None:
    with serving(tmp_path, "--ephemeral") as server:
        assert_golden("serve_ephemeral", "\n".join(server.banner))
        assert server.stop() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["server.log"]
    lines = (tmp_path / "server.log").read_text().splitlines()  # as JSON where it is no terminal
    assert [json.loads(line)["event"] for line in lines] == ["engine.started", "engine.stopped"]


def test_a_second_start_says_what_is_left_of_the_first(tmp_path: Path) -> None:
    with serving(tmp_path, "--retry-schedule", "1s,1h") as server, receiving(SECRET, 500) as receiver:
        created(server, receiver.url)
        emitted(server)
        server.stop()
        time.sleep(1.1)  # real time passes: the first retry becomes overdue
        with serving(tmp_path, "--durability", "normal", "--clock", "x60") as again:
            assert_golden("serve_again", "\n".join(again.banner))


def test_serve_with_json_tells_a_script_its_address(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "swiftclaw_local", "serve", "--json", "--ephemeral", "--port", "0"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert (told["db"], told["durability"], told["webhooks"]) == (None, "none", 0)
        assert swiftclaw("ready", "--api-url", told["url"], folder=tmp_path).returncode == 0
    finally:
        process.kill()
        process.communicate()


# --- finding it -------------------------------------------------------------------------------------------------


def test_commands_find_the_server_of_the_folder_they_stand_in(tmp_path: Path) -> None:
    below = tmp_path / "src" / "app"
    below.mkdir(parents=True)
    with serving(tmp_path) as server:
        done = swiftclaw("status", folder=below)
        assert_golden("status_fresh", done.stdout, names={str(tmp_path): "<folder>"})
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{server.url}  " in done.stdout


def test_without_a_server_a_command_says_how_to_start_one(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = swiftclaw("--api-url", url, "status", folder=tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == (
        f"error: No SwiftClaw local server at {url}.\n"
        "  Start one: swiftclaw serve      or, with your app: swiftclaw dev -- <command>   (the address comes from --api-url)\n"
    )


def test_a_server_that_was_killed_is_not_looked_for(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.stop(signal.SIGKILL)
    assert (tmp_path / ".swiftclaw" / "server.json").exists()
    done = swiftclaw("status", folder=tmp_path)
    assert server.url not in done.stderr + done.stdout


def test_ready_waits_for_a_server_that_starts_in_the_background(tmp_path: Path) -> None:
    port = str(free_port())
    waiting = subprocess.Popen(
        [sys.executable, "-m", "swiftclaw_local", "ready", "--wait", "30s"],
        env=environment() | {"SWIFTCLAW_API_URL": f"http://127.0.0.1:{port}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with serving(tmp_path, "--ephemeral", "--port", port):
        said, _ = waiting.communicate(timeout=30)
    assert (waiting.returncode, said) == (0, "")


# --- a port that is taken ---------------------------------------------------------------------------------------


def test_a_port_taken_by_us_is_explained(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        port = server.url.rpartition(":")[2]
        done = swiftclaw("serve", "--port", port, "--db", "other.db", folder=tmp_path)
    assert done.returncode == 5
    assert re.fullmatch(
        rf"error: A SwiftClaw local server already runs on port {port} \(pid {server.process.pid}, "
        r"data \S*\.swiftclaw/swiftclaw\.db\)\. Use it, or start a second one: swiftclaw serve --port \d+\n",
        done.stderr,
    ), done.stderr


def test_a_port_taken_by_another_program_is_explained(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = swiftclaw("serve", "--port", str(port), folder=tmp_path)
    assert done.returncode == 5
    assert re.fullmatch(
        rf"error: Port {port} is used by another program \(\S+, pid {os.getpid()}\)\. "
        r"Choose one: swiftclaw serve --port \d+, or --port 0 for any free port\.\n",
        done.stderr,
    ), done.stderr
    assert not (tmp_path / ".swiftclaw").exists()


def test_a_setup_that_cannot_work_ends_with_5_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("dear diary, this is no database at all\n" * 10)
    foreign = swiftclaw("serve", "--port", "0", "--db", "notes.txt", folder=tmp_path)
    outside = swiftclaw("serve", "--port", "0", "--host", "0.0.0.0", folder=tmp_path)  # noqa: S104 - it must refuse
    assert (foreign.returncode, outside.returncode) == (5, 5)
    assert "notes.txt" in foreign.stderr
    assert "--token-file FILE" in outside.stderr


# --- the clock --------------------------------------------------------------------------------------------------


def test_retries_run_without_waiting_when_the_clock_is_frozen(server: RunningServer) -> None:
    with receiving(SECRET, 500, 500, 200) as receiver:
        created(server, receiver.url)
        frozen = server.command("clock", "freeze")
        emitted(server)
        shown = server.command("clock", "show")
        moved = server.command("clock", "advance", "6m")
        assert [done.returncode for done in (frozen, shown, moved)] == [0, 0, 0]
        assert_golden("clock_journey", frozen.stdout + shown.stdout + moved.stdout)
        assert len(receiver.received) == 3


def test_the_whole_schedule_runs_step_by_step_or_at_once(server: RunningServer) -> None:
    with receiving(SECRET, 500) as receiver:
        created(server, receiver.url)
        server.command("clock", "freeze")
        emitted(server)
        first = server.command("clock", "next")
        rest = server.command("clock", "idle")
        assert_golden("clock_next_and_idle", first.stdout + rest.stdout)
        told = json.loads(server.command("clock", "show", "--json").stdout)
        assert (told["mode"], told["scheduled"]) == ("manual", 0)
        back = server.command("clock", "to", "2020-01-01 12:00")
        assert (back.returncode, "never goes back" in back.stderr) == (5, True)
        resumed = server.command("clock", "resume")
        assert resumed.returncode == 0
        assert re.match(r"Clock runs in real time from \S+ \S+Z, 7h 2\dm ahead of your computer's\.\n", resumed.stdout)


def test_a_clock_that_follows_real_time_is_not_advanced(server: RunningServer) -> None:
    done = server.command("clock", "advance", "6m")
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == (
        "error: The clock follows real time; advancing would lie to your receiver's timestamps.\n"
        "  Freeze it first: swiftclaw clock freeze\n"
    )


def test_a_duration_that_cannot_be_read_says_what_to_write(server: RunningServer) -> None:
    done = server.command("clock", "advance", "6 hours")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'error: Cannot advance by "6 hours". Write 6h, 90s or 1h30m.\n'


def test_errors_of_the_server_are_json_when_asked(server: RunningServer) -> None:
    done = server.command("clock", "next", "--json")
    told = json.loads(done.stderr)["error"]
    assert (done.returncode, done.stdout, told["code"]) == (5, "", "clock_not_manual")
    assert told["hint"] == "Freeze it first: swiftclaw clock freeze"


def test_on_a_terminal_ids_are_short_and_states_have_colors(server: RunningServer) -> None:
    with receiving(SECRET, 500, 200) as receiver:
        created(server, receiver.url)
        server.command("clock", "freeze")
        emitted(server)
        shown = on_a_terminal("--api-url", server.url, "--color", "always", "clock", "advance", "1m")
    assert re.search(r"\+1m   dlv_…[0-9a-z]{4}  retry 1/5   \x1b\[32m200\x1b\[0m   \d+ ms   \x1b\[32mdelivered", shown)


def on_a_terminal(*words: str) -> str:
    """Run a command with a terminal as its stdout, and return what it showed."""
    leader, follower = pty.openpty()
    try:
        command = [sys.executable, "-m", "swiftclaw_local", *words]
        done = subprocess.run(
            command, env=environment(), stdout=follower, stderr=subprocess.PIPE, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
        return os.read(leader, 65_536).decode()
    finally:
        os.close(follower)
        os.close(leader)


# --- verify -----------------------------------------------------------------------------------------------------


def test_verify_says_match_or_what_was_done_to_the_body(server: RunningServer) -> None:
    body = b'{"id": "evt_1", "type": "agent.failed"}'
    (server.folder / "body.json").write_bytes(body)
    right = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    compact = json.dumps(json.loads(body), separators=(",", ":")).encode()
    rewritten = hmac.new(SECRET.encode(), compact, hashlib.sha256).hexdigest()

    def verified(signature: str, secret: str = SECRET) -> Done:
        return server.command("verify", "--body", "body.json", "--signature", signature, "--secret", secret)

    match = verified(right)
    assert (match.returncode, match.stdout, match.stderr) == (0, "match\n", "")
    failed = [verified(rewritten), verified("sha256=" + right), verified(right.upper()), verified(right, "scsec_other")]
    assert [done.returncode for done in failed] == [1] * 4
    assert_golden("verify_no_match", "".join(done.stdout for done in failed))


def test_verify_reads_the_body_from_stdin(server: RunningServer) -> None:
    signature = hmac.new(SECRET.encode(), b"{}", hashlib.sha256).hexdigest()
    done = server.command("verify", "--body", "-", "--signature", signature, "--secret", SECRET, stdin="{}")
    assert (done.returncode, done.stdout) == (0, "match\n")


# --- reset, status, doctor --------------------------------------------------------------------------------------


def test_reset_forgets_everything_or_all_but_the_webhooks(server: RunningServer) -> None:
    with receiving(SECRET, 500) as receiver:
        created(server, receiver.url)
        emitted(server)
        refused = server.command("reset", stdin="")
        assert_golden("reset_refused", refused.stderr)
        assert (refused.returncode, refused.stdout) == (2, "")
        kept = server.command("reset", "--yes", "--keep", "webhooks")
        assert (kept.returncode, kept.stdout) == (0, "Forgot 1 delivery. The webhooks are kept.\n")
        gone = server.command("reset", "--yes")
        assert (gone.returncode, gone.stdout) == (0, "Forgot 0 deliveries and 1 webhook.\n")
        told = json.loads(server.command("status", "--json").stdout)
        assert (told["webhooks"], sum(told["deliveries"].values())) == (0, 0)


def test_doctor_passes_a_sound_setup_and_fails_one_whose_receiver_is_not_there(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        with receiving(SECRET, 200) as receiver:
            created(server, receiver.url)
            sound = server.command("doctor")
        lame = server.command("doctor")
    without_path = [line for line in sound.stdout.splitlines() if "command" not in line]
    assert (sound.returncode, sound.stderr) == (0, "")
    assert {line.split()[0] for line in without_path} == {"PASS"}
    assert (lame.returncode, "refuses the connection" in lame.stdout) == (1, True)
    assert re.search(
        r"^FAIL  webhook-123 .* nothing listens on port \d+.*\n +fix: Start your receiver", lame.stdout, re.M
    )
    assert_golden("doctor", "\n".join(without_path))  # which command is on PATH differs from machine to machine


def test_status_of_a_server_that_works(server: RunningServer) -> None:
    with receiving(SECRET, 200, 401, 500) as receiver:
        created(server, receiver.url)
        created(server, receiver.url, agent="billing-bot")
        for _ in range(3):
            emitted(server)
        assert_golden("status", server.command("status").stdout)


# --- help, completion, speed ------------------------------------------------------------------------------------


def test_the_help_is_grouped_by_job(tmp_path: Path) -> None:
    bare, asked, codes = (
        swiftclaw(*words, folder=tmp_path, COLUMNS="80") for words in ((), ("--help",), ("help", "exit-codes"))
    )
    assert [done.returncode for done in (bare, asked, codes)] == [0, 0, 0]
    assert bare.stdout == asked.stdout
    assert_golden("help", bare.stdout)
    assert_golden("help_exit_codes", codes.stdout)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_one_its_shell_can_read(tmp_path: Path, shell: str) -> None:
    done = swiftclaw("completion", shell, folder=tmp_path)
    assert done.returncode == 0
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.stdout, text=True, check=True, timeout=20)


def test_a_shell_that_completes_is_offered_the_ids_of_the_running_server(server: RunningServer) -> None:
    created(server, "http://localhost:9/hook")
    words = "swiftclaw webhooks delete my-agent web"
    done = swiftclaw(
        folder=server.folder,
        SWIFTCLAW_API_URL=server.url,
        _SWIFTCLAW_COMPLETE="bash_complete",
        COMP_WORDS=words,
        COMP_CWORD="4",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "plain,webhook-123\n", "")


def test_a_command_takes_a_fifth_of_a_second_at_most(server: RunningServer) -> None:
    server.command("clock", "show")  # compiles

    def processor_s() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert server.command("clock", "show").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(processor_s() for _ in range(5)) <= COMMAND_S
