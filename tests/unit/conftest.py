"""What the tests of the commands share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.api_documents import CLOCK
from tests.unit.fake_api import FakeApi, running_api


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """A stand-in of the API whose clock stands at noon, found by the commands."""
    for name in ("NO_COLOR", "CLICOLOR_FORCE", "SWIFTCLAW_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with running_api() as api:
        monkeypatch.setenv("SWIFTCLAW_API_URL", api.url)
        api.on("GET /_local/clock", CLOCK)
        yield api
