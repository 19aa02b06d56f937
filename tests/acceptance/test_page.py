"""The commands of the documentation page, exactly as it prints them, in its order, on a fresh database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.running import RunningServer, environment, receiving, serving

PAGE = (Path(__file__).parent / "page_commands.txt").read_text().split("\n\n")

# What each leaves behind for a person to read, and its exit code. The page's hosts are public ones: a fake stores them and
# sends nothing to them (decision D29), so `webhooks test` fails with the way out.
EXPECTED = [
    (0, "Created webhook-123 for my-agent (new agent)"),
    (0, "Updated webhook-123"),
    (1, "webhook-123 points to yourapp.com"),
    (0, "Created webhook-124 for my-agent"),
    (0, "https://abc123.ngrok.io/webhooks/swiftclaw"),
    (0, "https://yourapp.com/webhooks/swiftclaw -> https://newurl.com/webhooks"),
    (0, "Deleted webhook-123"),
    (0, "agent.invoked"),
    (0, "agent.invoked"),
    (0, "Created alert-1: fires when my-agent has 5 or more webhook-failures in 1h"),
]


@pytest.fixture(scope="module")
def path_with_swiftclaw(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a `swiftclaw` in it, as an installation puts one on the PATH."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "swiftclaw"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m swiftclaw_local "$@"\n')
    command.chmod(0o755)
    return str(folder)


def typed(command: str, server: RunningServer, *, path: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a shell runs what a person pastes."""
    variables = environment()
    variables |= {"PATH": f"{path}:{variables['PATH']}", "SWIFTCLAW_API_URL": server.url}
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=server.folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_ten_commands_of_the_page_work_as_it_prints_them(tmp_path: Path, path_with_swiftclaw: str) -> None:
    assert len(PAGE) == len(EXPECTED) == 10
    with serving(tmp_path) as server:
        for command, (code, text) in zip(PAGE, EXPECTED, strict=True):
            done = typed(command, server, path=path_with_swiftclaw)
            said = done.stdout + done.stderr
            assert (done.returncode, text in said) == (code, True), f"{command}\n{said}"


def test_the_pages_commands_reach_a_receiver_that_verifies_as_the_page_does(
    tmp_path: Path, path_with_swiftclaw: str
) -> None:
    with receiving("scsec_mine", 200) as receiver, serving(tmp_path, "--secret", "scsec_mine") as server:
        create = PAGE[0].replace("https://yourapp.com/webhooks/swiftclaw", receiver.url)
        assert typed(create, server, path=path_with_swiftclaw).returncode == 0
        tested = typed(PAGE[2], server, path=path_with_swiftclaw)
        assert (tested.returncode, "delivered" in tested.stdout) == (0, True), tested.stdout + tested.stderr
        (arrived,) = receiver.received
        assert arrived.signed
        assert [name for name, _ in arrived.headers] == [
            "Host",
            "Content-Type",
            "Content-Length",
            "User-Agent",
            "Accept",
            "Accept-Encoding",
            "X-SwiftClaw-Signature",
        ]
        logs = typed(PAGE[7], server, path=path_with_swiftclaw)
        assert "delivered" in logs.stdout
        failed = typed(PAGE[8], server, path=path_with_swiftclaw)
        assert "delivered" not in failed.stdout
