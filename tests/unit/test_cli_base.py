"""The command line itself: where global options may stand, what is said of what is mistyped, and which code it ends with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from swiftclaw_local.cli.main import main
from swiftclaw_local.cli.registry import JOBS, Entry, entries
from swiftclaw_local.cli.shape import Group
from swiftclaw_local.errors import every_error
from tests.unit.fake_api import FakeApi, running_api

CLOCK = {
    "mode": "manual",
    "rate": 0.0,
    "now": 1795443000,
    "lead_s": 0,
    "scheduled": 0,
    "next_at": None,
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    for name in ("NO_COLOR", "CLICOLOR_FORCE", "SWIFTCLAW_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with running_api() as api:
        monkeypatch.setenv("SWIFTCLAW_API_URL", api.url)
        yield api


def test_without_a_command_it_shows_the_help_by_job_and_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("SwiftClaw local: a fake SwiftClaw for developing and testing webhook receivers.\n")
    assert "\nStart      dev   serve   ready   open   status   doctor   reset   prune\n" in shown
    assert "\nTime       clock show|freeze|advance|to|next|idle|resume\n" in shown


def test_the_version_says_that_it_is_a_fake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert main(["clock", "show", "--version"]) == 0
    assert capsys.readouterr().out == "swiftclaw-local 0.1.0, fake for development\n" * 2


@pytest.mark.parametrize("entry", [entry for job in JOBS.values() for entry in job], ids=lambda e: f"{e.name}")
def test_every_listed_command_exists_and_is_explained(entry: Entry) -> None:
    command = entry.load()
    assert command.name == entry.name
    assert command.help
    if isinstance(command, Group):
        listed = [part for job in JOBS.values() for other in job if other.name == entry.name for part in other.parts]
        assert sorted(listed) == sorted(command.commands)


def test_help_shows_the_help_of_a_command_as_the_option_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "clock", "advance"]) == 0
    by_command = capsys.readouterr().out
    assert main(["clock", "advance", "--help"]) == 0
    assert by_command == capsys.readouterr().out
    assert by_command.startswith("Usage: swiftclaw clock advance [OPTIONS] DURATION")


def test_help_exit_codes_names_every_code_an_error_can_have(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "exit-codes", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["0", "1", "2", "3", "4", "5", "124", "130"]
    assert {str(kind.exit_code) for kind in every_error()} <= set(told)


@pytest.mark.parametrize(
    "typed", [["--json", "clock", "show"], ["clock", "--json", "show"], ["clock", "show", "--json"]]
)
def test_global_options_stand_before_and_after_the_command(
    api: FakeApi, capsys: pytest.CaptureFixture[str], typed: list[str]
) -> None:
    api.on("GET /_local/clock", CLOCK)
    assert main(typed) == 0
    assert json.loads(capsys.readouterr().out) == CLOCK


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["clok"], 'There is no command "swiftclaw clok". Did you mean "swiftclaw clock"?'),
        (
            ["clock", "advnce", "6m"],
            'There is no command "swiftclaw clock advnce". Did you mean "swiftclaw clock advance"?',
        ),
        (["help", "clock", "fridge"], 'There is no command "swiftclaw clock fridge".'),
        (["clock", "show", "--jsn"], "swiftclaw clock show has no option --jsn. Did you mean --json?"),
        (["clock", "next", "--max-send=3"], "swiftclaw clock next has no option --max-send. Did you mean --max-sends?"),
        (["--colour", "never", "clock"], "swiftclaw has no option --colour. Did you mean --color?"),
        (["--timeout", "0s", "status"], "--timeout 0s leaves no time for an answer."),
        (["clock", "advance"], "Missing argument 'DURATION'."),
        (["clock", "show", "now"], "Got unexpected extra argument (now)"),
    ],
)
def test_what_is_mistyped_ends_with_2_and_a_guess(
    capsys: pytest.CaptureFixture[str], typed: list[str], message: str
) -> None:
    assert main(typed) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {message}")
    assert err.count("\n") >= 2  # a line that says what to do stands below


def test_with_json_errors_are_json_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clok", "--json"]) == 2
    out, err = capsys.readouterr()
    told = json.loads(err)["error"]
    assert (out, told["code"]) == ("", "invalid_input")
    assert told["message"] == 'There is no command "swiftclaw clok". Did you mean "swiftclaw clock"?'
    assert told["hint"].startswith("Commands: ")


def test_what_stands_after_two_dashes_is_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clock", "advance", "--", "--json"]) == 2
    assert capsys.readouterr().err == 'error: Cannot advance by "--json". Write 6h, 90s or 1h30m.\n'


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_context: click.Context) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(entries()["clock"].load(), "invoke", interrupted)
    assert main(["clock", "show"]) == 130


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "swiftclaw_local", "help"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=20, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_commands_load_neither_the_engine_nor_heavy_packages() -> None:
    code = """
import sys
from swiftclaw_local.cli.main import main
from swiftclaw_local.cli.registry import entries
for entry in entries().values():
    if entry.name not in ("serve", "play"):  # what a play loads, test_architecture looks at
        entry.load()
main(["clock", "show"])
heavy = ("aiohttp", "pydantic", "sqlmodel", "sqlalchemy", "rich", "structlog", "asyncio", "cryptography", "apscheduler",
         "swiftclaw_local.server", "swiftclaw_local.platform", "swiftclaw_local.dispatcher",
         "swiftclaw_local.storage", "swiftclaw_local.scheduler", "swiftclaw_local.events", "swiftclaw_local.settings")
print(*[name for name in heavy if name in sys.modules])
"""
    environment = {**os.environ, "SWIFTCLAW_API_URL": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True, env=environment
    )
    assert done.stdout == "\n"


def test_the_help_imports_no_command() -> None:
    code = """
import sys
from swiftclaw_local.cli.main import main
main([])
print(*sorted(name for name in sys.modules if name.startswith("swiftclaw_local.cli.")), sep=" ", file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    expected = {"main", "output", "registry", "shape"}
    assert {name.rpartition(".")[2] for name in done.stderr.split()} == expected


def test_python_dash_m_is_the_same_as_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "swiftclaw_local", "clock", "advance", "soon"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stderr) == (2, 'error: Cannot advance by "soon". Write 6h, 90s or 1h30m.\n')
