"""A receiver and a caller that mean harm: nothing that they write runs, wherever it is shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pytest

from tests.acceptance.running import RunningServer
from tests.browser.conftest import SECRET
from tests.browser.figures import Figures
from tests.browser.furnished import SEEN, replay
from tests.browser.window import OpenWindow

RUN = "document.documentElement.dataset.ran='yes'"
ATTACKS = (
    f"<script>{RUN}</script>",
    f'"><img src=x onerror="{RUN}">',
    f'\'><svg onload="{RUN}">',
    f"</pre></textarea></title></script><script>{RUN}</script>",
    f"javascript:{RUN}",
    f"{{{{ 7*7 }}}}{{% raw %}}<script>{RUN}</script>",
    "\u202e\u2066\x1b[31m\x00<b>bold</b>",
)
ALL = " ".join(ATTACKS)
HEADER = ALL.replace("\x00", "").replace("\u202e", "").replace("\u2066", "").replace("\x1b", "")


ADDRESSES = (
    "/deliveries?q=",
    "/webhooks?url=",
    "/webhooks?agent=",
    "/send?data=",
    "/send?agent=",
    "/certify?webhook=",
    "/nowhere/",
)
# Pages that show what was sent, or what came back.
SHOWING = ("/deliveries/{delivery_id}", "/webhooks/{webhook_id}")


@pytest.fixture(scope="module")
def attacker() -> Iterator[str]:
    """A receiver whose every field is an attack."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = ALL.encode()
            self.send_response(500 if "fail" in self.path else 200, HEADER)
            self.send_header("Content-Type", f'text/html; charset="{HEADER}"')
            self.send_header("Location", f"javascript:{RUN}")
            self.send_header("Set-Cookie", f"theme={HEADER}")
            self.send_header("X-Attack", HEADER)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def names(server: RunningServer, attacker: str) -> dict[str, str]:
    """Register, emit and certify with attacks in every field that takes them."""
    path = quote(ALL.replace("\x00", ""), safe="<>\"'/(){}=;")
    made: dict[str, Any] = {}
    for url in (f"{attacker}/{path}", f"{attacker}/fail?{path}"):
        for tried in (url, url.partition("/<")[0].partition("?<")[0] + "/x"):
            fields = {"url": tried, "description": ALL.replace("\x00", ""), "secret": SECRET}
            status, made = server.api("POST", "/v1/agents/my-agent/webhooks", fields)
            if status == 201:
                break
        assert status == 201, made
    data = {ALL: ALL, "agent": ALL, "nested": [{ATTACKS[0]: ATTACKS[1]}]}
    last: dict[str, Any] = {}
    for number, type in enumerate(("agent.completed", "<script>alert(1)</script>")):
        event: dict[str, Any] = {
            "type": type,
            "data": data,
            "exact": True,
            "id": f"evt_{number}<img/src=x/onerror={RUN}>",
        }
        status, last = server.api(
            "POST", "/v1/agents/my-agent/events?wait=first", {**event, "allow_unknown_type": True}
        )
        if number == 0:
            assert status == 200, last
            first = last
    server.api(
        "POST",
        "/v1/alerts",
        {
            "agent": "my-agent",
            "metric": "webhook-failures",
            "threshold": 1,
            "window": "1h",
            "notify_url": f"{attacker}/{path}",
        },
    )
    _, report = server.api("POST", "/_local/certify", {"webhook": made["id"]})
    failing = next(one for one in first["deliveries"] if one["last_status"] == 500)
    return {
        "webhook_id": made["id"],
        "delivery_id": failing["id"],
        "event_id": failing["event_id"],
        "report_id": report["id"],
        "replay_id": replay(server, {"status": "500"}),
    }


def check(page: Any) -> None:
    page.wait_for_timeout(60)
    assert page.evaluate("document.documentElement.dataset.ran ?? 'no'") == "no"
    assert page.evaluate("[...document.scripts].filter(one => !one.src).length") == 0
    attributes = page.evaluate(
        "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes].filter(a => a.name.startsWith('on')"
        " || /^\\s*javascript:/i.test(a.value) && ['href', 'src', 'action', 'formaction'].includes(a.name)).map(a => a.name))"
    )
    assert attributes == []


@pytest.mark.parametrize("path", SEEN)
def test_nothing_runs_on_any_page(window: OpenWindow, names: dict[str, str], path: str, figures: Figures) -> None:
    page = window(path.format(**names))
    check(page)
    assert path not in SHOWING or "<img src=x onerror=" in page.inner_text("main") + str(
        page.eval_on_selector_all("input", "all => all.map(one => one.value)")
    )
    figures.count("hostile text that ran, or that the pages' policy had to stop", len(ATTACKS))


def test_nothing_runs_while_it_arrives(window: OpenWindow, server: RunningServer, names: dict[str, str]) -> None:
    page = window("/")
    for _ in range(3):
        server.api("POST", "/v1/agents/my-agent/events?wait=first", {"type": "agent.failed", "data": {ALL: ALL}})
    check(page)


@pytest.mark.parametrize("attack", ATTACKS[:6])
def test_nothing_runs_out_of_an_address(window: OpenWindow, names: dict[str, str], attack: str) -> None:
    page = window("/help")
    for start in ADDRESSES:
        page.goto(start + quote(attack, safe=""))
        check(page)
    window.faults[:] = [fault for fault in window.faults if "Failed to load resource" not in fault]  # 400, 404


def test_nothing_runs_out_of_a_form(window: OpenWindow, names: dict[str, str]) -> None:
    page = window("/send")
    page.fill("#data", f'{{"a": {ALL!r}')
    page.wait_for_selector("#preview [role=alert]")
    check(page)
    page.fill('[name="agent"]', ATTACKS[1][:90])
    page.wait_for_timeout(400)
    check(page)
    page.get_by_role("button", name="Preview").click()
    check(page)
    window.faults[:] = [fault for fault in window.faults if "Failed to load resource" not in fault]


def test_a_page_of_ours_runs_in_no_frame_and_no_script_of_others(window: OpenWindow) -> None:
    """If this were not refused, the other tests would prove little."""
    page = window("/help")
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', `<img src=x onerror=\"" + RUN.replace('"', '\\"') + '">`)'
    )
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.dataset.ran ?? 'no'") == "no"
    assert any("Content Security Policy" in fault for fault in window.faults)
    window.faults.clear()
