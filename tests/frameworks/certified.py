"""`swiftclaw certify`, as a person types it, at a receiver that runs in its framework."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from scripts.setup import ROOT
from tests.frameworks.running import SECRET

PATIENCE_S = 60


def certified(url: str, *flags: str) -> dict[str, Any]:
    """Return the report of a certification without a server; the exit code must agree with it."""
    command = [sys.executable, "-m", "swiftclaw_local", "certify", "--url", url, "--secret", SECRET, "--json", *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (1 if report["failed"] else 0)
    return report


def with_result(report: dict[str, Any], result: str) -> set[str]:
    """Return the ids of the checks that ended so."""
    return {check["id"] for check in report["checks"] if check["result"] == result}
