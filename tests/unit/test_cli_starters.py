"""`swiftclaw starter`: nine receivers to copy, listed and printed, without a server."""

from __future__ import annotations

import ast
import json
import re

import pytest

from scripts.setup import ROOT
from swiftclaw_local.cli.main import main
from swiftclaw_local.starter_programs import FOLDER, NAMES, STARTERS, find_starter

Shown = pytest.CaptureFixture[str]

LISTED = """\
NAME     FOR                       SAVE AS
fastapi  FastAPI                   receiver.py
flask    Flask                     receiver.py
quart    Quart                     receiver.py
aiohttp  aiohttp                   receiver.py
django   Django                    receiver.py
express  Express                   receiver.mjs
fastify  Fastify                   receiver.mjs
nextjs   Next.js, a route handler  app/webhooks/swiftclaw/route.js
go       Go, net/http              receiver.go
"""


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIFTCLAW_API_URL", "http://127.0.0.1:1")


def test_without_a_name_it_lists_them(capsys: Shown) -> None:
    assert main(["starter"]) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == (LISTED, "Print one: swiftclaw starter fastapi > receiver.py\n")


@pytest.mark.parametrize("name", NAMES)
def test_it_prints_the_file_to_the_byte(name: str, capsys: Shown) -> None:
    assert main(["starter", name]) == 0
    assert capsys.readouterr().out == (FOLDER / find_starter(name).file).read_bytes().decode()


@pytest.mark.parametrize(("typed", "meant"), [("Next.js", "nextjs"), ("FastAPI", "fastapi"), ("next-js", "nextjs")])
def test_a_name_may_be_written_as_its_framework_writes_it(typed: str, meant: str) -> None:
    assert find_starter(typed).name == meant


@pytest.mark.parametrize(("typed", "meant"), [("fastpi", "fastapi"), ("expres", "express"), ("djagno", "django")])
def test_a_mistyped_name_is_answered_with_the_closest(typed: str, meant: str, capsys: Shown) -> None:
    assert main(["starter", typed]) == 3
    assert capsys.readouterr().err == (
        f'error: There is no starter "{typed}". Did you mean "{meant}"?\n'
        "  Starters: fastapi, flask, quart, aiohttp, django, express, fastify, nextjs, go\n"
    )


def test_what_is_like_no_name_gets_no_guess(capsys: Shown) -> None:
    assert main(["starter", "rails"]) == 3
    assert capsys.readouterr().err.startswith('error: There is no starter "rails".\n')


def test_both_answer_in_json(capsys: Shown) -> None:
    assert main(["starter", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in listed["data"]] == list(NAMES)
    assert main(["starter", "go", "--json"]) == 0
    go = find_starter("go")
    assert json.loads(capsys.readouterr().out) == {"name": "go", "save_as": "receiver.go", "text": go.text()}


def test_every_file_in_the_folder_is_a_starter() -> None:
    files = sorted(path.name for path in FOLDER.iterdir() if path.name != "__pycache__")
    assert files == sorted(starter.file for starter in STARTERS)


@pytest.mark.parametrize("name", NAMES)
def test_its_first_lines_say_how_to_give_it_the_secret_and_how_to_run_it(name: str) -> None:
    head = "\n".join(find_starter(name).text().splitlines()[:8])
    assert "swiftclaw webhooks secret my-agent webhook-123 --env" in head
    assert "http://127.0.0.1:3000/webhooks/swiftclaw" in head
    assert re.search(r"python receiver\.py|node receiver\.mjs|next dev|go run receiver\.go", head)


@pytest.mark.parametrize("starter", [one for one in STARTERS if one.file.endswith(".py")], ids=lambda one: one.name)
def test_a_starter_in_python_runs_on_every_python_that_is_maintained(starter: object) -> None:
    assert isinstance(starter, type(STARTERS[0]))
    assert ast.parse(starter.text(), feature_version=(3, 10)).body


@pytest.mark.parametrize("name", NAMES)
def test_the_page_about_receivers_leads_to_it(name: str) -> None:
    page = (ROOT / "docs" / "receivers" / "README.md").read_text(encoding="utf-8")
    file = find_starter(name).file
    assert f"[{file}](../../swiftclaw_local/starters/{file}): `swiftclaw starter {name}`" in page
