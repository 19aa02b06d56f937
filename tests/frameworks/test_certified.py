"""`swiftclaw certify` passes every starter, and fails the page's samples where the table says, with what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.frameworks.certified import certified, with_result
from tests.frameworks.conftest import Running
from tests.frameworks.page import RACE
from tests.frameworks.running import FULL, running
from tests.frameworks.test_page_samples import ANSWERS, RUN
from tests.frameworks.test_starters import STARTED, starting

FORGERIES: Final = {"SIG-2", "SIG-4", "SIG-5", "SIG-6"}
NOTHING_WORKS: Final = {"SIG-1", "SIG-3", *FORGERIES}
FAILS: Final = {
    "FastAPI, as printed": NOTHING_WORKS | {"JSON-1"},
    "FastAPI, request: Request added": FORGERIES | {"SIG-3", "JSON-1"},
    "Quart, as printed": NOTHING_WORKS | {"JSON-1"},
    "Quart, no argument, get_data()": {"SIG-3", "SIG-4", "JSON-1"},
    "Flask, as printed": NOTHING_WORKS | {"JSON-1"},
    "Flask, no argument, get_data()": {"SIG-3", "SIG-4", "JSON-1"},
    "aiohttp, as printed": NOTHING_WORKS | {"JSON-1"},
    "aiohttp, request.read()": NOTHING_WORKS | {"JSON-1"},
    "Django, as printed": NOTHING_WORKS | {"RAW-1"},  # 403 to all: as if no signature fitted, so JSON-1 cannot be asked
    "Django, csrf_exempt": NOTHING_WORKS | {"JSON-1"},
    "Django, csrf_exempt, request.body": NOTHING_WORKS | {"JSON-1"},
    "Express, as printed": NOTHING_WORKS | {"JSON-1"},
    "Express + express.json()": NOTHING_WORKS,
    "Express + a verify hook that sets rawBody": {"SIG-3", "SIG-4"},
}
# sample, check, and what is told to write
FIXES: Final = (
    ("FastAPI, as printed", "SIG-1", "async def handle_webhook(request: Request)"),
    ("FastAPI, request: Request added", "SIG-2", "return JSONResponse(body, status_code=401)"),
    ("FastAPI, request: Request added", "SIG-3", 'request.headers.get("X-SwiftClaw-Signature") or ""'),
    ("FastAPI, request: Request added", "JSON-1", 'return JSONResponse({"error": "Invalid JSON"}, status_code=400)'),
    ("Quart, no argument, get_data()", "SIG-3", 'request.headers.get("X-SwiftClaw-Signature") or ""'),
    ("Quart, no argument, get_data()", "SIG-4", "hmac.compare_digest(signature.encode(), expected.encode())"),
    ("Quart, no argument, get_data()", "JSON-1", 'return {"error": "Invalid JSON"}, 400'),
    ("Flask, no argument, get_data()", "SIG-3", 'request.headers.get("X-SwiftClaw-Signature") or ""'),
    ("Flask, no argument, get_data()", "JSON-1", 'return {"error": "Invalid JSON"}, 400'),
    ("Django, as printed", "SIG-1", "Put @csrf_exempt on the view"),
    ("Express, as printed", "SIG-1", "express.raw({type:'*/*'})"),
    ("Express + express.json()", "SIG-1", "express.raw({type:'*/*'})"),
    ("Express + a verify hook that sets rawBody", "SIG-3", "req.get('x-swiftclaw-signature') || ''"),
    ("Express + a verify hook that sets rawBody", "SIG-4", "sent.length !== good.length"),
)


@pytest.mark.parametrize("name", STARTED if FULL else ("aiohttp",))
def test_a_starter_passes_every_check(name: str, tmp_path: Path) -> None:
    with starting(name, tmp_path) as receiver:
        report = certified(receiver.url, *receiver.commands)
    assert [(c["id"], c["got"], c["why"]) for c in report["checks"] if c["result"] != "pass"] == []
    assert report["passed"] == len(report["checks"]) == 19


@pytest.mark.parametrize("name", RUN)
def test_a_sample_of_the_page_fails_where_the_table_says(name: str, programs: Running) -> None:
    report = certified(programs[name].url)
    assert with_result(report, "fail") == FAILS[name]


@pytest.mark.parametrize("name", ANSWERS)
def test_the_failures_are_those_of_the_four_answers(name: str) -> None:
    valid, wrong, none, bad = ANSWERS[name]
    failures = {"SIG-1": valid != 200, "SIG-2": wrong != 401, "SIG-3": none != 401}
    assert {check: check in FAILS[name] for check in failures} == failures
    assert ("JSON-1" in FAILS[name]) == (bad not in (400, 403))


if FULL:  # these need the frameworks, which `make frameworks` installs

    @pytest.mark.parametrize(("name", "check", "fix"), FIXES)
    def test_the_fix_is_told_for_the_framework(name: str, check: str, fix: str, programs: Running) -> None:
        (judged,) = certified(programs[name].url, f"--only={check}")["checks"]
        assert judged["result"] == "fail"
        assert fix in judged["fix"]

    def test_the_pages_idempotency_sample_fails_for_five_at_once_alone(tmp_path: Path) -> None:
        with running(RACE, tmp_path) as receiver:
            report = certified(receiver.url, *receiver.commands, "--only=DUP")
        assert {check["id"]: (check["result"], check["got"]) for check in report["checks"]} == {
            "DUP-1": ("pass", "200/200"),
            "DUP-2": ("pass", "1 effect"),
            "DUP-3": ("fail", "5 effects"),
        }
