"""Row 31: a receiver that is our own control port is never sent to, by whatever name it is called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.acceptance.running import RunningServer, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder: Path = tmp_path_factory.mktemp("own")
    with serving(folder, "--ephemeral", "--clock", "manual") as running:
        yield running


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"])  # noqa: S104 - as a URL may have it
def test_our_own_port_is_never_sent_to(server: RunningServer, host: str) -> None:
    url = f"http://{host}:{urlsplit(server.url).port}/_local/reset"
    _, webhook = server.api("POST", "/v1/agents/mine/webhooks", {"url": url})
    status, delivery = server.api("POST", f"/v1/agents/mine/webhooks/{webhook['id']}/test", {"retry": True})
    assert status == 200
    attempt = delivery["attempts"][0]
    assert (delivery["state"], attempt["error"]["kind"], attempt["response"]) == ("failed", "blocked_self", None)
    assert len(delivery["attempts"]) == 1
