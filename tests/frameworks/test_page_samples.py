"""The page's own samples are wrong receivers, in the frameworks people paste them into: each fails as this table says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from scripts.setup import ROOT
from tests.frameworks.conftest import Running
from tests.frameworks.judge import answer, at_once, compact, event, four_statuses, post
from tests.frameworks.page import AIOHTTP_PROGRAMS, PROGRAMS, RACE
from tests.frameworks.running import FULL, running

# valid event, wrong signature, no signature, signed invalid JSON
ANSWERS: Final = {
    "FastAPI, as printed": (422, 422, 422, 422),  # `request` is taken for a query parameter
    "FastAPI, request: Request added": (200, 200, 500, 500),  # the tuple is no status; compare_digest(None, ...)
    "Quart, as printed": (500, 500, 500, 500),  # the function gets no argument
    "Quart, no argument, get_data()": (200, 401, 500, 500),
    "Flask, as printed": (500, 500, 500, 500),  # the function gets no argument
    "Flask, no argument, get_data()": (200, 401, 500, 500),
    "aiohttp, as printed": (500, 500, 500, 500),  # a request has no body()
    "aiohttp, request.read()": (500, 500, 500, 500),  # a dict is no response
    "Django, as printed": (403, 403, 403, 403),  # no CSRF token
    "Django, csrf_exempt": (500, 500, 500, 500),  # body is bytes, not a function
    "Django, csrf_exempt, request.body": (500, 500, 500, 500),  # a dict is no response
    "Express, as printed": (500, 500, 500, 500),  # req.rawBody is undefined
    "Express + express.json()": (500, 500, 500, 400),
    "Express + a verify hook that sets rawBody": (200, 401, 500, 400),  # Buffer.from(undefined)
}
RUN: Final = PROGRAMS if FULL else AIOHTTP_PROGRAMS


@pytest.mark.parametrize("name", RUN)
def test_the_sample_answers_as_the_table_says(name: str, programs: Running) -> None:
    assert four_statuses(programs[name].url) == ANSWERS[name]


def test_the_page_about_receivers_shows_this_table() -> None:
    page = (ROOT / "docs" / "receivers" / "README.md").read_text(encoding="utf-8").replace("`", "")
    rows = re.findall(r"^\| (.+?) \|((?: \d{3} \|){4})", page, re.MULTILINE)
    shown = {name: tuple(map(int, re.findall(r"\d+", statuses))) for name, statuses in rows}
    assert shown == {name.removesuffix(", as printed"): statuses for name, statuses in ANSWERS.items()}


if FULL:  # these need the frameworks, which `make frameworks` installs

    def test_fastapi_acknowledges_a_forged_event_with_a_list(programs: Running) -> None:
        url = programs["FastAPI, request: Request added"].url
        assert answer(url, compact(event()), signature="0" * 64) == (200, b'[{"error":"Invalid signature"},401]')

    def test_a_short_signature_crashes_the_node_sample(programs: Running) -> None:
        url = programs["Express + a verify hook that sets rawBody"].url
        assert post(url, compact(event()), signature="deadbeef") == 500

    def test_the_idempotency_sample_processes_five_copies_five_times(tmp_path: Path) -> None:
        body = compact(event("evt_five_at_once"))
        with running(RACE, tmp_path) as receiver:
            assert at_once(receiver.url, [body] * 5) == [200] * 5
            assert receiver.processed() == ["evt_five_at_once"] * 5
            assert post(receiver.url, body) == 200
            assert receiver.processed() == ["evt_five_at_once"] * 5
