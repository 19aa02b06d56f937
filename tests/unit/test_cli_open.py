"""`swiftclaw open`: the address, and the browser where somebody looks."""

from __future__ import annotations

import io
import json

import pytest

from swiftclaw_local.cli.main import main
from tests.ports import free_port
from tests.unit.fake_api import FakeApi


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("terminal", "console", "opened"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_open_prints_the_address_and_opens_it_on_a_terminal(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, terminal: bool, console: bool, opened: bool
) -> None:
    asked: list[str] = []
    shown, said = Terminal() if terminal else io.StringIO(), io.StringIO()
    monkeypatch.setattr("webbrowser.open", asked.append)
    monkeypatch.setattr("sys.stdout", shown)
    monkeypatch.setattr("sys.stderr", said)
    api.on("GET /_local/status", {"console": console})
    assert main(["open"]) == 0
    assert (shown.getvalue(), asked) == (f"{api.url}\n", [api.url] if opened else [])
    assert ("without the console" in said.getvalue()) is not console


def test_open_goes_where_a_token_is_asked_for_and_nowhere_without_a_server(
    api: FakeApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    api.refuse("GET /_local/status", "token_required", "A token is needed.", status=401)
    assert [main(["open"]), main(["open", "--json"])] == [0, 0]
    assert capsys.readouterr().out.splitlines() == [api.url, json.dumps({"url": api.url}, separators=(",", ":"))]
    monkeypatch.setenv("SWIFTCLAW_API_URL", f"http://127.0.0.1:{free_port()}")
    assert main(["open"]) == 4
    assert "No SwiftClaw local server at" in capsys.readouterr().err
