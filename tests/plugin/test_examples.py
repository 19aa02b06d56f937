"""What stands in examples/ runs as it is written: the journey with curl, and the tests in Node."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest

from scripts.sample_receiver import Receiver as SampleReceiver
from scripts.setup import ROOT
from swiftclaw_local.testing import Receiver
from tests.ports import free_port

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


class Recovering(SampleReceiver):
    """Right in everything, but down for the first two requests."""

    def __init__(self) -> None:
        super().__init__(0, secret="scsec_ci")
        self.down = 2
        self.url = f"http://127.0.0.1:{self.server_address[1]}/webhooks/swiftclaw"

    def answer(self, path: str, payload: bytes, signature: str) -> tuple[int, dict[str, Any]]:
        """Return 503 twice, and then what is right."""
        if self.down:
            self.down -= 1
            return 503, {}
        return super().answer(path, payload, signature)


@pytest.fixture
def recovering() -> Iterator[Recovering]:
    with Recovering() as receiver:
        thread = Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


def journey(receiver: Receiver | Recovering, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script against a receiver."""
    needs("bash", "curl", "jq")
    return run(["bash", str(EXAMPLES / "ci.sh")], folder, RECEIVER=receiver.url, PORT=str(free_port()))


def test_the_journey_with_curl_ends_well_and_certified(recovering: Recovering, tmp_path: Path) -> None:
    ran = journey(recovering, tmp_path)
    assert (ran.returncode, "true" in ran.stdout.splitlines()) == (0, True), ran.stdout + ran.stderr
    assert " 0 failed," in ran.stdout
    assert 'failures="0"' in (tmp_path / "certify.xml").read_text()


def test_the_journey_with_curl_fails_when_the_receiver_is_not_right(
    swiftclaw_receiver: Receiver, tmp_path: Path
) -> None:
    swiftclaw_receiver.respond(500, 503, 200)  # it takes what is forged, too
    ran = journey(swiftclaw_receiver, tmp_path)
    assert (ran.returncode, "true" in ran.stdout.splitlines()) == (1, True), ran.stdout + ran.stderr
    assert "FAIL  SIG-2" in ran.stdout
    assert swiftclaw_receiver.requests[0].event["data"]["tokens_used"] == 450


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
