"""What README.md and the guides tell people to type does what they print."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Final

import pytest

from scripts.sample_receiver import FLAKY, PATH, Receiver
from scripts.setup import ROOT
from tests.acceptance.terminal import PATIENCE_S, Terminal, Typed
from tests.ports import free_port

MAKE_RUN: Final = (sys.executable, "-m", "scripts.run")
LAST_LINE: Final = "$ swiftclaw webhooks test"
# what differs from run to run, and what stands for it
VARIES: Final = (
    (r"\r[^\r\n]*\x1b\[K", ""),  # a bar that was taken away
    (r"\b(evt|dlv|req|att)_…?\w+", r"\1_ID"),
    (r"scsec_[\w-]+", "SECRET"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "DATE"),
    (r"(\d\d-\d\d )?\d\d:\d\d:\d\d\b(?! GMT)", "TIME"),  # with the day, when it is another one: around midnight
    (r"\b\d+ ms", "N ms"),
    (r"\b[0-9a-f]{64}\b", "HEX"),
    (r"(?m)^< (Date|Server): .*$", r"< \1: ..."),
    (r", \S+( \S+)? ahead of", ", AHEAD of"),
    (r"\(next in [^)]+\)", "(next in N)"),
    (r"retry 1 of 5 in (1m|[1-5]\ds)", "retry 1 of 5 in N"),  # with a clock that runs
    (r"up after [\d.]+ s", "up after N s"),
    (r" +", " "),
    (r"(\d{3}|-) \d+ (first|test|retry|replay)", r"\1 N \2"),
)


def blocks(document: str, language: str) -> list[str]:
    """Return the blocks of code of one language in a document, in order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def settled(shown: str) -> str:
    """Return what was shown, without what differs from run to run."""
    for pattern, stands_for in VARIES:
        shown = re.sub(pattern, stands_for, shown)
    return "\n".join(line.rstrip() for line in shown.strip().splitlines())


def exchanges(block: str) -> list[tuple[str, str]]:
    """Return each command of a console with what it shows."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


@pytest.fixture
def receiver_port() -> int:
    return free_port()


@pytest.fixture
def terminal(tmp_path: Path, receiver_port: int) -> Terminal:
    return Terminal(tmp_path, RECEIVER_PORT=str(receiver_port))


@pytest.fixture
def running(terminal: Terminal) -> Iterator[Typed]:
    """`make run`, on free ports, up to its last line."""
    typed = terminal.start(*MAKE_RUN, "--port", "0")
    try:
        typed.shown_until(LAST_LINE)
        yield typed
    finally:
        typed.close()


def test_the_first_five_minutes_go_as_printed(terminal: Terminal, running: Typed, receiver_port: int) -> None:
    first, *others = blocks("README.md", "console")
    assert settled(first.removeprefix("$ make run\n")) == settled(running.text)
    running.read_on()
    for command, printed in [exchange for block in others for exchange in exchanges(block)]:
        shown = terminal.type(command.replace("7430", str(receiver_port)))
        assert (command, settled(printed)) == (command, settled(shown))


def test_listen_shows_what_is_sent_as_printed(terminal: Terminal, running: Typed) -> None:
    running.read_on()
    printed, _ = blocks("README.md", "text")
    ((command, lines),) = exchanges(printed)
    listening = terminal.start("bash", "-c", f". .venv/bin/activate\n{command}")
    try:
        listening.shown_until("Listening.")
        terminal.type("swiftclaw trigger agent.completed")
        assert settled(lines) == settled(listening.shown_until("delivered"))
    finally:
        listening.close()


def test_dev_starts_an_application_beside_the_server_that_runs_as_printed(terminal: Terminal, running: Typed) -> None:
    running.read_on()
    _, printed = blocks("README.md", "text")
    ((command, lines),) = exchanges(printed)
    (terminal.folder / "scripts").symlink_to(ROOT / "scripts")
    (terminal.folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    developing = terminal.start("bash", "-c", f". .venv/bin/activate\n{command.replace('7431', str(free_port()))}")
    try:
        developing.shown_until("Keys:")
        os.write(developing._master, b"t")
        developing.shown_until("receiver: POST")
        shown = settled(developing.shown_until("delivered"))
        os.write(developing._master, b"q")
        assert developing.process.wait(PATIENCE_S) == 0
    finally:
        developing.close()
    # what the application says may come before or after what is told of it
    assert sorted(settled(lines).splitlines()) == sorted(shown.splitlines())


def test_after_ctrl_c_the_next_make_run_uses_the_webhook_that_is_there(terminal: Terminal, running: Typed) -> None:
    running.read_on()
    assert running.stop(signal.SIGINT) == 0
    again = terminal.start(*MAKE_RUN, "--port", "0")
    shown = again.shown_until(LAST_LINE)
    again.read_on()
    again.stop()
    again.close()
    assert "webhooks create" not in shown
    assert "webhook-123   200" in shown


def test_webhooks_of_ones_own_are_left_alone(terminal: Terminal, running: Typed) -> None:
    running.read_on()
    terminal.type("swiftclaw webhooks update my-agent webhook-123 --url http://127.0.0.1:9/mine")
    assert running.stop(signal.SIGTERM) == 0
    again = terminal.start(*MAKE_RUN, "--port", "0")
    shown = again.shown_until("Your own webhooks are left as they are")
    again.stop()
    again.close()
    assert "swiftclaw trigger" not in shown


@pytest.mark.parametrize("whose", ["the server's", "the receiver's"])
def test_a_port_that_is_taken_is_named_and_nothing_is_left_running(terminal: Terminal, whose: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        if whose == "the server's":
            typed = terminal.start(*MAKE_RUN, "--port", port)
        else:
            terminal.environment["RECEIVER_PORT"] = port
            typed = terminal.start(*MAKE_RUN, "--port", "0")
        shown = typed.shown_until()
        code = typed.process.wait(PATIENCE_S)
        typed.close()
    error = next(line for line in shown.splitlines() if line.startswith("error: "))
    assert (code, port in error) == (5, True)
    assert not (terminal.folder / ".swiftclaw" / "server.json").exists()


def test_the_guide_for_ci_goes_through(terminal: Terminal) -> None:
    receiver = Receiver(0, secret="scsec_ci")
    Thread(target=receiver.serve_forever, daemon=True).start()
    port = str(free_port())
    terminal.environment["SWIFTCLAW_API_URL"] = f"http://127.0.0.1:{port}"
    place = f"http://127.0.0.1:{receiver.server_port}"
    healthy, certifying, failing, _curl = blocks("docs/how-to/test-in-ci.md", "bash")
    script = f"{healthy}\n{certifying}\nswiftclaw webhooks update my-agent webhook-123 --url {place}{FLAKY}\n{failing}"
    script = script.replace("http://127.0.0.1:8000", place).replace("7420", port)
    assert terminal.exit_code(script) == 0
    receiver.shutdown()
    receiver.server_close()


def wait_until_it_listens(port: int) -> None:
    """Look again and again, for as long as a person would."""
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        with socket.socket() as caller:
            if caller.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"nothing listens on port {port}")


@pytest.fixture
def node_receiver(terminal: Terminal) -> Iterator[str]:
    """The quickstart's Node receiver, waiting for events under the secret scsec_node."""
    (code,) = blocks("docs/quickstart.md", "js")
    (terminal.folder / "receiver.mjs").write_text(code)
    port = free_port()
    environment = os.environ | {"SWIFTCLAW_WEBHOOK_SECRET": "scsec_node", "PORT": str(port)}
    with subprocess.Popen(["node", "receiver.mjs"], cwd=terminal.folder, env=environment) as node:
        wait_until_it_listens(port)
        yield f"http://127.0.0.1:{port}{PATH}"
        node.terminate()


def test_the_receiver_of_the_quickstart_verifies(terminal: Terminal, running: Typed, node_receiver: str) -> None:
    running.read_on()
    terminal.type(f"swiftclaw webhooks create node-agent --url {node_receiver} --secret scsec_node")
    assert terminal.exit_code("swiftclaw webhooks test node-agent webhook-124") == 0
    assert terminal.exit_code("swiftclaw deliveries replay @last") == 0
    assert terminal.exit_code("swiftclaw certify node-agent webhook-124") == 0
    terminal.type("swiftclaw webhooks update node-agent webhook-124 --secret scsec_other")
    assert "401" in terminal.type("swiftclaw webhooks test node-agent webhook-124")
