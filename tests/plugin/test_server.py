"""The child process: it goes when its starter goes, and says why it did not come up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from swiftclaw_local.errors import SetupError
from swiftclaw_local.testing import Server
from swiftclaw_local.testing import server as server_module


def test_it_ends_when_nobody_holds_the_other_end_of_its_input(tmp_path: Path) -> None:
    """As when whoever started it was killed and could not stop it."""
    server = Server(tmp_path)
    assert server.running
    assert server._process.stdin is not None
    server._process.stdin.close()
    try:
        assert server._process.wait(30) == 0
    finally:
        server.stop()


def test_one_that_does_not_come_up_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_COMMAND", (*server_module._COMMAND, "--seed", "seven"))
    with pytest.raises(SetupError, match=r'(?s)did not start. Its log, .*server.log:.*seed = ."seven."'):
        Server(tmp_path)


def test_modules_that_lie_in_its_folder_are_not_taken_for_its_own(tmp_path: Path) -> None:
    (tmp_path / "sqlite3.py").write_text("raise RuntimeError('the user')")
    server = Server(tmp_path)
    server.stop()
    assert not server.running


def test_the_child_inherits_no_settings_and_finds_what_its_starter_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SWIFTCLAW_PORT", "1"), ("PYTHONWARNINGS", "error"), ("PYTHONPATH", "src:/absolute")):
        monkeypatch.setenv(name, value)
    environment = server_module._environment()
    assert {"SWIFTCLAW_PORT", "PYTHONWARNINGS"} & environment.keys() == set()
    assert environment["PYTHONPATH"] == f"{Path.cwd() / 'src'}:/absolute"


def test_the_break_that_a_person_types_is_not_sent_to_it(swiftclaw_server: Server) -> None:
    assert os.getpgid(swiftclaw_server._process.pid) == swiftclaw_server._process.pid
