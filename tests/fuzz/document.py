"""Requests that schemathesis makes up from the server's own OpenAPI document, right ones and wrong ones, alone and in sequences.

It runs as a command in a process of its own: its pytest plugin is never loaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.setup import ROOT
from tests.fuzz import hooks

# Left out is `positive_data_acceptance`: that the window must be longer than the step, or a time is one that people write,
# is nothing that a schema can say.
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
    "ensure_resource_availability",
)
# Longer than thousands of attempts take that a move of the clock waits for.
_ANSWER_S: Final = "300"


@dataclass(frozen=True, slots=True)
class Found:
    """What a run of schemathesis says: the requests it made, and what was wrong, as it prints it (empty: nothing)."""

    cases: int
    complaints: str


def requests_from_the_document(
    url: str, *, folder: Path, each: int, seed: int, phases: str = "examples,coverage,fuzzing,stateful"
) -> Found:
    """Make up requests, at most `each` for an operation in a phase, send them all, and return what was found."""
    report = folder / f"schemathesis-{seed}.json"
    options = ["--checks", ",".join(CHECKS), "--phases", phases, "--max-examples", str(each), "--seed", str(seed)]
    options += ["--exclude-path", "/_local/import"]  # of lines of JSON it makes none; `hostile` does
    options += ["--request-timeout", _ANSWER_S, "--continue-on-failure", "--no-color"]
    options += ["--report", "json", "--report-json-path", str(report)]
    ran = subprocess.run(
        [str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json", *options],
        cwd=folder,
        env=os.environ | {"SCHEMATHESIS_HOOKS": hooks.__name__, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    cases = json.loads(report.read_text())["test_cases"]["generated"] if report.exists() else 0
    return Found(cases, "" if ran.returncode == 0 else f"{ran.stdout}{ran.stderr}")
