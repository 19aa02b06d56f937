"""`--edit`: an event is changed in the user's own editor, and sent as another one."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from swiftclaw_local.cli.main import main
from tests.unit.api_documents import delivered, delivery, failed
from tests.unit.fake_api import FakeApi

EVENT = {"id": "evt_old", "type": "agent.failed", "created": 1, "data": {"agent": "my-agent", "error": "é"}}
EMIT = "POST /v1/agents/my-agent/events"
Shown = pytest.CaptureFixture[str]


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that is the editor: it keeps what it was shown, and writes what `new` holds, if there is such a file."""
    program = tmp_path / "an editor"
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\n"
        f"here, file = pathlib.Path({str(tmp_path)!r}), pathlib.Path(sys.argv[2])\n"
        "(here / 'shown').write_bytes(file.read_bytes())\n"
        "(here / 'file').write_text(f'{file} {file.stat().st_mode:o}')\n"
        "if (here / 'new').exists(): file.write_bytes((here / 'new').read_bytes())\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("VISUAL", f"'{program}' --wait")
    monkeypatch.setenv("EDITOR", "false")
    return tmp_path


@pytest.fixture
def old(api: FakeApi) -> FakeApi:
    """An API with one failed delivery."""
    api.on("GET /v1/deliveries/@last", failed(id="dlv_1", event_id="evt_old"))
    api.on("GET /v1/events/evt_old/body", json.dumps(EVENT).encode())
    made = {"event": {"id": "evt_new", "type": "agent.failed"}, "known": False, "deliveries": [delivered(hints=[])]}
    api.on(EMIT, made)
    return api


def replay(*words: str) -> int:
    return main(["deliveries", "replay", *words])


def test_a_changed_event_is_announced_as_a_new_one_to_the_same_webhook(
    old: FakeApi, editor: Path, capsys: Shown
) -> None:
    new = {"type": "agent.failed", "data": {"agent": "my-agent", "error": "none"}}
    (editor / "new").write_text(json.dumps(new))
    assert replay("@last", "--edit") == 0
    assert json.loads((editor / "shown").read_text()) == {"type": EVENT["type"], "data": EVENT["data"]}
    assert '"error": "é"' in (editor / "shown").read_text()
    assert old.bodies(EMIT) == [{**new, "exact": True, "webhook": "webhook-123", "allow_unknown_type": True}]
    shown = capsys.readouterr()
    assert "delivered" in shown.out
    assert "is no replay of the old one" in shown.err
    file, mode = (editor / "file").read_text().split()
    assert (Path(file).exists(), mode) == (False, "100600")


def test_another_type_must_be_one_that_there_is(old: FakeApi, editor: Path) -> None:
    (editor / "new").write_text('{"type": "agent.timeout", "data": {}}')
    assert replay("@last", "--edit") == 0
    assert "allow_unknown_type" not in old.bodies(EMIT)[0]


@pytest.mark.parametrize("new", [None, b"", b"  \n"])
def test_what_is_left_as_it_was_or_emptied_is_not_sent(
    old: FakeApi, editor: Path, capsys: Shown, new: bytes | None
) -> None:
    if new is not None:
        (editor / "new").write_bytes(new)
    assert replay("@last", "--edit") == 1
    assert old.bodies(EMIT) == []
    assert "Nothing was changed, and nothing sent." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (b'{"type": "agent.failed", "data": {"a": 1,}}', "--edit is not valid JSON: line 1, column 4"),
        (b"[]", "--edit holds a list"),
        (b'{"type": "agent.failed", "data": {}, "id": "evt_1"}', "its type and its data, and nothing else"),
        (b'{"type": 1, "data": {}}', "its type and its data, and nothing else"),
        (b"\xff", "what is not UTF-8"),
    ],
)
def test_what_cannot_be_sent_is_said(old: FakeApi, editor: Path, capsys: Shown, new: bytes, said: str) -> None:
    (editor / "new").write_bytes(new)
    assert replay("@last", "--edit") == 2
    assert old.bodies(EMIT) == []
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (None, "No editor is set, in $VISUAL or $EDITOR.\n  Set one: export EDITOR=nano"),
        ("'", "No editor is set"),
        ("false", "ended with exit code 1: nothing was sent."),
        ("no-such-editor", "no-such-editor cannot be started: No such file or directory."),
    ],
)
def test_an_editor_that_is_not_there_is_said(
    old: FakeApi, monkeypatch: pytest.MonkeyPatch, capsys: Shown, command: str | None, said: str
) -> None:
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    if command is not None:
        monkeypatch.setenv("EDITOR", command)
    assert replay("@last", "--edit") == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [("--edit", "--failed"), ("a", "b", "--edit"), ("a", "--edit", "--now"), ("a", "--edit", "--to", "1")]
)
def test_one_event_is_changed_and_nothing_else(old: FakeApi, capsys: Shown, words: tuple[str, ...]) -> None:
    assert replay(*words) == 2
    assert old.bodies(EMIT) == []
    assert "Give one id and nothing else" in capsys.readouterr().err


def test_a_sample_is_changed_before_it_is_sent(api: FakeApi, editor: Path) -> None:
    sample: dict[str, Any] = {"agent": "my-agent", "error": {"code": 1}}
    api.on("GET /_local/event-types", {"data": [{"name": "agent.failed", "sample": {"data": sample}}]})
    api.on(EMIT, {"event": {"id": "evt_1"}, "known": False, "deliveries": [delivery(**delivered(hints=[]))]})
    (editor / "new").write_text('{"mine": true}')
    assert main(["trigger", "agent.failed", "--set", "data.more=1", "--edit"]) == 0
    assert json.loads((editor / "shown").read_text()) == {**sample, "more": 1}
    assert api.bodies(EMIT) == [{"type": "agent.failed", "data": {"mine": True}, "exact": True}]
    (editor / "new").write_text("")
    assert main(["trigger", "agent.failed", "--edit"]) == 1
