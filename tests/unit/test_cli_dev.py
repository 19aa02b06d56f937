"""`swiftclaw dev`: which server it joins, and what it says of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from swiftclaw_local.cli.app import App
from swiftclaw_local.cli.dev import _banner, _running
from tests.unit.fake_api import FakeApi

NONE: dict[str, Any] = {"ephemeral": False, "port": None, "db": None, "clock": None}
WEBHOOK = {"id": "webhook-123", "agent": "my-agent", "url": "http://localhost:8000/", "events": ["agent.failed"]}


@pytest.mark.parametrize(
    ("console", "shown", "key"),
    [
        (True, "  API + console   {url}   (was running)", "o open console"),
        (False, "  API             {url}   (was running)", "o open in the browser"),
    ],
)
def test_the_server_that_runs_says_whether_it_has_a_console(api: FakeApi, console: bool, shown: str, key: str) -> None:
    clock = {"mode": "real"}
    api.on("GET /_local/status", {"ephemeral": True, "data": "memory", "console": console, "clock": clock})
    joined = _running(App({}), NONE)
    assert joined is not None
    application: Any = SimpleNamespace(text="node server.js")
    lines = _banner(joined[1], WEBHOOK, NONE | {"variable": "SECRET"}, application, 0.2, keys=True)
    assert (lines[1], key in lines[-1]) == (shown.format(url=api.url), True)
    joined[0].close()
