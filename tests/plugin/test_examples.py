"""What stands in examples/ runs as it is written: the journey with curl, and the tests in Node."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from scripts.setup import ROOT
from swiftclaw_local.testing import Receiver

EXAMPLES: Final = ROOT / "examples"
PATIENCE_S: Final = 60


def needs(*programs: str) -> None:
    """Fail, and say what to install, when a program is missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    assert missing == [], f"Install {' and '.join(missing)}: the examples are run as they are written."


def run(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run an example in a folder, with our own command on the PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    own = {name: value for name, value in os.environ.items() if not name.startswith("SWIFTCLAW_")}
    return subprocess.run(
        command,
        cwd=folder,
        env={**own, "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def journey(receiver: Receiver, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script against a receiver."""
    needs("bash", "curl", "jq")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return run(["bash", str(EXAMPLES / "ci.sh")], folder, RECEIVER=receiver.url, PORT=str(port))


def test_the_journey_with_curl_ends_well(swiftclaw_receiver: Receiver, tmp_path: Path) -> None:
    swiftclaw_receiver.respond(500, 503, 200)
    ran = journey(swiftclaw_receiver, tmp_path)
    assert (ran.returncode, ran.stdout.splitlines()[-1:]) == (0, ["true"]), ran.stdout + ran.stderr
    assert len({event["id"] for event in swiftclaw_receiver.events}) == 1
    assert swiftclaw_receiver.events[0]["data"]["tokens_used"] == 450


@pytest.mark.parametrize("status", [422, 200])
def test_the_journey_with_curl_fails_when_it_went_otherwise(
    swiftclaw_receiver: Receiver, tmp_path: Path, status: int
) -> None:
    swiftclaw_receiver.respond(status)
    ran = journey(swiftclaw_receiver, tmp_path)
    assert (ran.returncode, ran.stdout.splitlines()[-1:]) == (1, ["false"]), ran.stdout + ran.stderr


def test_the_tests_in_node_pass(tmp_path: Path) -> None:
    needs("node")
    ran = run(["node", "--test", "--test-reporter=tap", str(EXAMPLES / "node" / "webhooks.test.mjs")], tmp_path)
    assert (ran.returncode, [line for line in ran.stdout.splitlines() if line.startswith(("# pass", "# fail"))]) == (
        0,
        ["# pass 3", "# fail 0"],
    ), ran.stdout + ran.stderr
