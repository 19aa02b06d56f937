"""What the console shows to whom: a token that may read sees everything but secrets, and what it may not do is switched off."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from swiftclaw_local.server.console.pages import ACTIONS
from swiftclaw_local.settings import Settings
from tests.acceptance.api import Api
from tests.acceptance.browsing import Browser, Html
from tests.acceptance.conftest import OpenApi

TOKENS = {scope: f"{scope}-" + "x" * 40 for scope in ("read", "emit", "manage", "admin")}


def basic(scope: str) -> str:
    """Return the header of a browser that was given the token of a scope as a password."""
    return "Basic " + base64.b64encode(f"me:{TOKENS[scope]}".encode()).decode()


@pytest.fixture
async def api(open_api: OpenApi, tmp_path: Path) -> Api:
    (tmp_path / "tokens").write_text("".join(f"{token} {scope}\n" for scope, token in TOKENS.items()))
    api = await open_api(Settings(ephemeral=True, clock="manual", token_file=tmp_path / "tokens"))
    asked = {"url": "http://127.0.0.1:9/hook"}
    await api.post("/v1/agents/my-agent/webhooks", asked, Authorization=f"Bearer {TOKENS['admin']}")
    return api


def switched_off(page: Html) -> list[str]:
    """Return the texts of buttons that are off, alone or with all of their form."""
    found, off = [], False
    for one in page.elements:
        if one.tag == "form":
            off = False
        elif one.tag == "fieldset" and one.attributes.get("class") == "fields":
            off = "disabled" in one.attributes
        elif one.tag == "button" and (off or "disabled" in one.attributes):
            found.append(" ".join(one.text.split()).removesuffix(" Ctrl ↵"))
    return found


async def test_who_may_only_read_is_told_so_on_the_page_send_before_typing(api: Api) -> None:
    page = await Browser(api).page("/send", Authorization=basic("read"))
    assert (page.status, "Your token's scope is read; this needs emit." in page.text) == (200, True)
    assert set(switched_off(page)) >= {"Send", "Preview", "Save as fixture"}
    assert page.all("code", class_="signature") == []
    async with api.client.get("/send.json", headers={"Authorization": basic("read")}) as answer:
        assert (await answer.json())["preview"] is None
    refused = await Browser(api).send("/send", Authorization=basic("read"))
    assert (refused.status, "this needs emit" in refused.text) == (401, True)


async def test_who_may_send_sees_what_will_be_sent(api: Api) -> None:
    page = await Browser(api).page("/send", Authorization=basic("emit"))
    assert "Send" not in switched_off(page)
    assert len(page.all("code", class_="signature")) == 1


@pytest.mark.parametrize(
    ("path", "scope", "off"),
    [
        ("/webhooks/webhook-123", "manage", {"resume", "Show", "Copy export line", "Rotate"}),
        ("/webhooks/webhook-123", "emit", {"Save", "Certify", "Disable", "Delete", "Does it answer?"}),
        ("/webhooks/webhook-123", "read", {"Send test"}),
        ("/webhooks", "emit", {"Register"}),
        ("/alerts", "emit", {"Create"}),
        ("/faults", "manage", {"Arm"}),
        ("/certify", "emit", {"Run all checks"}),
        ("/clock", "manage", {"+1m", "Next", "Run all", "Advance", "Move", "Run fast"}),
    ],
)
async def test_what_a_token_may_not_do_is_switched_off(api: Api, path: str, scope: str, off: set[str]) -> None:
    browser = Browser(api)
    page = await browser.page(path, Authorization=basic(scope))
    assert f"Your token's scope is {scope}" in page.all("aside")[0].text
    assert set(switched_off(page)) >= off
    everything = await browser.page(path, Authorization=basic("admin"))
    assert (switched_off(everything), everything.all("aside")) == ([], [])


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.path)
async def test_an_action_is_refused_below_its_scope(api: Api, action: object) -> None:
    path, needed = re.sub(r"{\w+}", "webhook-123", getattr(action, "path", "")), getattr(action, "scope", "")
    below = list(TOKENS)[: list(TOKENS).index(needed)]
    for scope in below:
        page = await Browser(api).send(path, Authorization=basic(scope))
        assert (scope, page.status, f"this needs {needed}" in page.text) == (scope, 401, True)


async def test_a_secret_is_shown_to_admins_alone(api: Api) -> None:
    needed = {action.path: action.scope for action in ACTIONS}
    assert {needed[f"/webhooks/{{webhook_id}}/{what}"] for what in ("secret", "export", "rotate")} == {"admin"}
    for scope, status in (("read", 401), ("emit", 401), ("manage", 401), ("admin", 200)):
        page = await Browser(api).send("/webhooks/webhook-123/secret", {"back": "/"}, Authorization=basic(scope))
        assert (scope, page.status, "scsec_" in page.text) == (scope, status, status == 200)
