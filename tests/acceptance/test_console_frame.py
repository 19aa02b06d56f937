"""The console's frame: what stands around every page, how it is guarded, and what it looks like to a browser without a script."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from swiftclaw_local.server.console.assets import FOLDER
from swiftclaw_local.server.console.going import own_path
from swiftclaw_local.server.console.pages import ACTIONS, PAGES
from swiftclaw_local.server.console.rendering import TEMPLATES
from swiftclaw_local.settings import Settings
from tests.acceptance.api import Api
from tests.acceptance.browsing import Browser
from tests.acceptance.conftest import OpenApi

MOST_OF_A_FIRST_LOAD = 150_000
PLAIN_PAGES = [page.path for page in PAGES if page.twin and "{" not in page.path]  # the others are parts, and files


@pytest.fixture
def browser(api: Api) -> Browser:
    return Browser(api)


@pytest.mark.parametrize("path", PLAIN_PAGES)
async def test_a_page_is_html_in_the_frame_and_lets_in_nothing_but_our_own_files(browser: Browser, path: str) -> None:
    page = await browser.page(path)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = page.headers["Content-Security-Policy"]
    none = {name for name, _, allowed in (part.partition(" ") for part in policy.split("; ")) if allowed == "'none'"}
    own = {name for name, _, allowed in (part.partition(" ") for part in policy.split("; ")) if allowed == "'self'"}
    assert none == {"default-src", "base-uri", "frame-ancestors"}
    assert own == {"script-src", "style-src", "img-src", "connect-src", "form-action"}
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.all("title")[0].text.endswith(" · SwiftClaw local")
    assert len(page.all("h1")) == 1
    assert "/help" in page.links


@pytest.mark.parametrize("path", PLAIN_PAGES)
async def test_a_page_has_no_script_style_or_handler_of_its_own(browser: Browser, path: str) -> None:
    page = await browser.page(path)
    assert [one for one in page.all("script") if "src" not in one.attributes or one.text] == []
    assert page.all("style") == []
    names = {name for one in page.elements for name in one.attributes}
    assert [name for name in names if name == "style" or name.startswith("on")] == []


@pytest.mark.parametrize("path", [page.path for page in PAGES if page.twin and "{" not in page.path])
async def test_every_page_has_a_twin_for_programs(browser: Browser, path: str) -> None:
    twin = (await browser.page(path)).all("footer")[0]
    assert "This page as JSON" in twin.text
    async with browser.api.client.get("/live.json" if path == "/" else f"{path}.json") as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")


@pytest.mark.parametrize("path", PLAIN_PAGES)
async def test_a_first_load_is_small(browser: Browser, path: str) -> None:
    page = await browser.page(path)
    own = [one.attributes["href"] for one in page.all("link")] + [one.attributes["src"] for one in page.all("script")]
    loaded = len(page.source)
    for address in own:
        async with browser.api.client.get(address, headers={"Accept-Encoding": "identity"}) as answer:
            assert answer.status == 200
            loaded += len(await answer.read())
    assert loaded < MOST_OF_A_FIRST_LOAD


async def test_a_file_is_kept_by_the_browser_until_it_changes(browser: Browser) -> None:
    address = (await browser.page("/")).all("link", rel="stylesheet")[0].attributes["href"]
    assert re.fullmatch(r"/static/console\.[0-9a-f]{12}\.css", address)
    async with browser.api.client.get(address) as answer:
        assert "immutable" in answer.headers["Cache-Control"]
        assert await answer.text() == (FOLDER / "console.css").read_text()
        tag = answer.headers["ETag"]
    async with browser.api.client.get(address, headers={"If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
    async with browser.api.client.get("/static/console.000000000000.css") as answer:
        assert answer.status == 404


async def test_the_frame_says_how_everything_stands(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    await api.emitted()
    api.receiver.respond(500)
    await api.emitted()
    page = await browser.page("/")
    assert {one.attributes["data-count"]: one.text for one in page.all("b", data_count="delivered")} == {
        "delivered": "1"
    }
    assert "1 retrying" in page.text
    assert "FROZEN" in page.text
    assert "armed" not in page.text
    await api.post("/_local/faults", {"kind": "duplicate", "webhook": "webhook-123"})
    page = await browser.page("/help")
    told = " ".join(page.all("aside", class_="stripe")[0].text.split())
    assert told == "1 fault armed: next delivery to webhook-123 is sent twice see it"


async def test_a_form_leads_back_with_what_it_did_said_once(browser: Browser) -> None:
    page = await browser.send("/clock/resume", {"back": "/help"})
    assert page.status == 200
    assert "The clock runs again" in page.all("p", class_="note")[0].text
    assert "FROZEN" not in page.text
    page = await browser.send("/clock/freeze", {"back": "/help?x=1#keys"})
    assert "Clock frozen at" in page.all("p", class_="note")[0].text
    assert "FROZEN" in page.text
    assert (await browser.page("/help?said=nothing")).all("p", class_="note") == []


async def test_a_script_is_answered_in_json(browser: Browser) -> None:
    status, told = await browser.send_quietly("/clock/resume", {"back": "/help"})
    assert (status, told["tone"], told["to"]) == (200, "good", "/help")
    status, told = await browser.send_quietly("/clock/resume", {"backs": "/help"})
    assert (status, told["error"]["message"]) == (400, 'There is no "backs" in the form. Did you mean "back"?')


@pytest.mark.parametrize(
    ("text", "leads"),
    [
        ("/help", "/help"),
        ("/deliveries?state=failed&q=a%20b", "/deliveries?state=failed&q=a%20b"),
        ("//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nX-Header: b", "/"),
        ("", "/"),
    ],
)
def test_a_form_never_leads_elsewhere(text: str, leads: str) -> None:
    assert own_path(text) == leads


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.path)
async def test_no_action_is_done_by_get_or_for_a_page_of_others(browser: Browser, action: object) -> None:
    path = re.sub(r"{\w+}", "x", getattr(action, "path", ""))
    assert path in PLAIN_PAGES or (await browser.page(path)).status in (404, 405)  # a page may have its form's address
    assert (await browser.send(path, Origin="https://evil.example")).status == 403
    assert (await browser.send(path, Origin="null")).status == 403
    assert (await browser.send(path, content_type="text/plain")).status in (400, 404)


async def test_a_preference_is_kept_in_a_cookie(browser: Browser) -> None:
    page = await browser.send("/preferences", {"back": "/help", "theme": "dark"})
    assert page.all("html")[0].attributes["data-theme"] == "dark"
    assert page.all("body")[0].attributes["data-keys"] == "on"
    page = await browser.send("/preferences", {"back": "/help", "keys": "off"})
    assert page.all("html")[0].attributes["data-theme"] == "dark"
    assert page.all("body")[0].attributes["data-keys"] == "off"
    assert (await browser.send("/preferences", {"theme": "pink"})).status == 400
    browser.api.client.session.cookie_jar.clear()
    page = await browser.page("/", Cookie="swiftclaw_console=<script>-x")
    assert page.all("html")[0].attributes["data-theme"] == "auto"


async def test_an_error_is_a_page_for_a_browser_and_json_for_a_program(browser: Browser) -> None:
    page = await browser.page("/nowhere")
    assert (page.status, page.all("h1")[0].text) == (404, "There is no page /nowhere.")
    assert (await browser.api.get("/nowhere"))[1]["error"]["code"] == "unknown_route"
    assert (await browser.api.get("/v1/nowhere", Accept="text/html"))[1]["error"]["code"] == "unknown_route"
    page = await browser.page("/<script>alert(1)</script>")
    assert "<script>alert" not in page.source
    page = await browser.send("/help")
    assert (page.status, page.headers["Allow"]) == (405, "GET")


async def test_without_a_console_there_is_none(open_api: OpenApi) -> None:
    api = await open_api(Settings(ephemeral=True, no_console=True))
    assert (await api.refused("GET", "/"))[0] == 404
    assert (await api.refused("GET", "/static/console.css", Accept="text/html"))[0] == 404
    assert (await api.get("/v1/webhooks"))[0] == 200


async def test_a_browser_gives_a_token_as_a_password(open_api: OpenApi, tmp_path: Path) -> None:
    token = "t" * 43
    (tmp_path / "tokens").write_text(f"{token} read\n")
    browser = Browser(await open_api(Settings(ephemeral=True, token_file=tmp_path / "tokens")))
    page = await browser.page("/")
    assert page.status == 401
    assert page.headers["WWW-Authenticate"].startswith("Basic ")

    def basic(text: str) -> str:
        return "Basic " + base64.b64encode(text.encode()).decode()

    assert (await browser.page("/", Authorization=basic(f"me:{token}"))).status == 200
    assert (await browser.page("/", Authorization=basic(f"{token}:"))).status == 401
    assert (await browser.page("/", Authorization="Basic not-base64")).status == 401
    refused = await browser.send("/clock/freeze", Authorization=basic(f"me:{token}"))
    assert (refused.status, "needs admin" in refused.text) == (401, True)


def test_no_template_marks_anything_as_safe() -> None:
    found = [
        path.name
        for path in TEMPLATES.rglob("*.html")
        if re.search(r"\|\s*safe\b|autoescape\s+false|\bMarkup\b", path.read_text())
    ]
    assert found == []
