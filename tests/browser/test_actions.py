"""Every action of the pages of webhooks, sending, faults, certifying, alerts and the clock, done with a mouse."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.running import PageReceiver, RunningServer
from tests.browser.conftest import SECRET
from tests.browser.window import OpenWindow

AGENTS = itertools.count()


@pytest.fixture
def webhook(server: RunningServer, receiver: PageReceiver) -> Iterator[dict[str, Any]]:
    """A webhook of an agent of its own; the clock runs, and nothing is armed, before and after."""
    receiver.answers[:] = [200]
    _, made = server.api("POST", f"/v1/agents/agent-{next(AGENTS)}/webhooks", {"url": receiver.url})
    yield made
    receiver.answers[:] = [200]
    server.api("POST", "/_local/clock/resume")
    server.api("DELETE", "/_local/faults")


def said(page: Any) -> str:
    text: str = page.locator("p.note").first.inner_text()
    return text


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


def test_a_webhook_is_registered_changed_and_deleted(
    window: OpenWindow, server: RunningServer, receiver: PageReceiver
) -> None:
    page = window("/webhooks")
    if page.locator("#new").get_attribute("open") is None:
        page.click("#new > summary")
    page.fill('#new [name="agent"]', f"agent-{next(AGENTS)}")
    page.fill('#new [name="url"]', receiver.url)
    page.uncheck('#new [value="system.incident"]')
    press(page, "Register")
    assert said(page).startswith("Created webhook-")
    id = page.url.rpartition("/")[2].partition("?")[0]
    page.fill('main [name="description"]', "from a browser")
    page.uncheck('[value="system.maintenance"]')
    press(page, "Save")
    assert said(page) == f"Saved {id}."
    _, listed = server.api("GET", "/v1/webhooks?limit=500")
    (made,) = [one for one in listed["data"] if one["id"] == id]
    assert (len(made["events"]), made["description"]) == (7, "from a browser")
    press(page, "Disable")
    assert said(page) == f"Disabled {id}."
    press(page, "Enable")
    page.on("dialog", lambda dialog: dialog.accept())
    press(page, "Delete")
    assert said(page).startswith(f"Deleted {id}.")


def test_a_question_that_is_answered_no_deletes_nothing(window: OpenWindow, webhook: dict[str, Any]) -> None:
    page = window(f"/webhooks/{webhook['id']}")
    page.on("dialog", lambda dialog: dialog.dismiss())
    press(page, "Delete")
    page.reload()
    assert page.locator("h1").inner_text().startswith(webhook["id"])
    assert page.get_by_role("button", name="Delete").count() == 1


def test_the_secret_is_shown_copied_hidden_and_rotated(window: OpenWindow, webhook: dict[str, Any]) -> None:
    page = window(f"/webhooks/{webhook['id']}")
    assert SECRET not in page.content()
    press(page, "Copy export line")
    page.wait_for_selector("#toast:not([hidden])")
    assert page.evaluate("navigator.clipboard.readText()") == f"export SWIFTCLAW_WEBHOOK_SECRET={SECRET}"
    assert SECRET not in page.content()
    press(page, "Show")
    assert page.inner_text("#secret") == SECRET
    page.get_by_title("Copy the secret").click()
    assert page.evaluate("navigator.clipboard.readText()") == SECRET
    page.click("text=Hide it")
    assert SECRET not in page.content()
    page.on("dialog", lambda dialog: dialog.accept())
    press(page, "Rotate")
    assert page.inner_text("#secret") not in ("", SECRET)


def test_a_receiver_is_asked_and_tested_and_a_starter_copied(window: OpenWindow, webhook: dict[str, Any]) -> None:
    page = window(f"/webhooks/{webhook['id']}")
    press(page, "Does it answer?")
    page.wait_for_selector("#toast:not([hidden])")
    assert "answers: 501 to GET" in page.inner_text("#toast")
    page.click("summary:has-text('Express')")
    page.locator('[data-copy-from="#starter-express"]').click()
    assert "createHmac" in page.evaluate("navigator.clipboard.readText()")
    press(page, "Send test")
    page.wait_for_url("**/deliveries/dlv_*")


def test_what_is_shown_while_typing_is_what_is_sent(
    window: OpenWindow, webhook: dict[str, Any], receiver: PageReceiver
) -> None:
    page = window(f"/send?agent={webhook['agent']}")
    page.fill("#data", '{"tokens_used": 451, "note": "<b>Grüße</b>"}')
    page.wait_for_function("() => document.querySelector('#preview pre').textContent.includes('451')")
    page.select_option('[name="shape"]', "spaced")
    page.wait_for_function("() => document.querySelector('#preview pre').textContent.includes('\"tokens_used\": 451')")
    body, signature = page.inner_text("#preview pre.raw >> nth=0"), page.inner_text(".signature")
    page.focus("#data")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/deliveries/dlv_*")
    sent = receiver.received[-1]
    assert (sent.body.decode(), sent.signed) == (body, True)
    assert dict(sent.headers)["X-SwiftClaw-Signature"] == signature


def test_what_is_wrong_is_said_while_it_is_typed_and_nothing_is_lost(
    window: OpenWindow, webhook: dict[str, Any]
) -> None:
    page = window(f"/send?agent={webhook['agent']}")
    page.fill("#data", '{"a": 1,}')
    page.wait_for_selector("#preview [role=alert]")
    assert "line 1" in page.inner_text("#preview [role=alert]")
    press(page, "Send Ctrl ↵") if page.get_by_role("button", name="Send Ctrl ↵", exact=True).count() else press(
        page, "Send"
    )
    assert page.input_value("#data") == '{"a": 1,}'
    window.faults.clear()  # the browser notes the 400
    page.fill("#data", '{"a": 1}')
    page.wait_for_selector("#preview pre")


def test_another_type_brings_its_sample_and_a_fixture_is_saved(window: OpenWindow, webhook: dict[str, Any]) -> None:
    page = window(f"/send?agent={webhook['agent']}")
    page.select_option('[name="type"]', "deployment.failed")
    page.wait_for_function("() => document.querySelector('#data').value.includes('health_check_failed')")
    with page.expect_download() as download:
        press(page, "Save as fixture")
    assert download.value.suggested_filename == "deployment.failed.ndjson"
    press(page, "Preview")
    assert "deployment.failed" in page.inner_text("#preview pre.raw >> nth=0")
    page.click("text=Reset to docs")
    assert page.input_value('[name="type"]') == "deployment.failed"


def test_a_fault_is_armed_shows_on_every_page_and_is_cleared(window: OpenWindow, webhook: dict[str, Any]) -> None:
    page = window("/faults")
    card = page.locator('form.kind:has([value="delay"])')
    card.locator('[name="value"]').fill("90s")
    card.locator('[name="webhook"]').select_option(webhook["id"])
    card.get_by_role("button", name="Arm").click()
    assert "is held back for 1m30s" in said(page)
    page.goto("/webhooks")
    assert "1 fault armed" in page.inner_text(".stripe")
    page.click(".stripe a")
    page.locator("tr", has_text="held back").get_by_role("button", name="Clear").click()
    assert page.locator(".stripe").count() == 0
    page.locator('form.kind:has([value="duplicate"])').get_by_role("button", name="Arm").click()
    press(page, "Clear all")
    assert "1 fault had still to meet an attempt" in said(page)


def test_a_receiver_is_certified_and_the_report_taken_along(window: OpenWindow, webhook: dict[str, Any]) -> None:
    page = window(f"/certify?webhook={webhook['id']}")
    press(page, "Run all checks")
    page.wait_for_url("**/certify/crt_*")
    assert webhook["id"] in page.inner_text("h1")
    every = page.locator(".check").count()
    page.click("text=Failed only")
    assert page.locator(".check.fail").count() == page.locator(".check").count() < every
    with page.expect_download() as download:
        page.get_by_role("link", name="JUnit").click()
    assert download.value.suggested_filename.endswith(".xml")
    page.locator("img[alt^='The newest result']").scroll_into_view_if_needed()
    assert page.evaluate("document.querySelector('main img').naturalWidth") == 206
    press(page, "Run again")
    page.wait_for_url("**/certify/crt_*")


def test_an_alert_is_created_and_deleted(window: OpenWindow, webhook: dict[str, Any]) -> None:
    page = window("/alerts")
    page.fill('[name="agent"]', webhook["agent"])
    page.fill('[name="threshold"]', "2")
    press(page, "Create")
    assert f"fires when {webhook['agent']} has 2 or more" in said(page)
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("tr", has_text=webhook["agent"]).get_by_role("button", name="Delete").click()
    assert said(page).startswith("Deleted alert-")


def test_the_clock_is_frozen_moved_and_resumed(
    window: OpenWindow, server: RunningServer, receiver: PageReceiver, webhook: dict[str, Any]
) -> None:
    receiver.answers[:] = [500]
    server.api("POST", f"/v1/agents/{webhook['agent']}/events?wait=first", {"type": "agent.failed"})
    page = window("/clock")
    press(page, "Freeze")
    press(page, "+1m")
    assert "1 send, 0 delivered, 1 still scheduled" in said(page)
    assert page.locator("td", has_text="retry 1").count() == 1
    page.fill('[name="by"]:visible', "5m")
    press(page, "Advance")
    assert "1 send" in said(page)
    press(page, "Next")
    receiver.answers[:] = [200]
    press(page, "Run all")
    assert "1 send, 1 delivered, 0 still scheduled" in said(page)
    page.fill('[name="rate"]', "60")
    press(page, "Run fast")
    assert "60 times as fast" in said(page)
    press(page, "Resume real time")
    assert "The clock runs again" in said(page)


def test_everything_can_be_done_without_a_script(
    window: OpenWindow, receiver: PageReceiver, webhook: dict[str, Any]
) -> None:
    page = window(f"/webhooks/{webhook['id']}", script=False)
    press(page, "Show")
    assert page.inner_text("#secret") == SECRET
    press(page, "Does it answer?")
    assert "answers: 501 to GET" in said(page)
    page.goto(f"/send?agent={webhook['agent']}")
    page.fill("#data", '{"plain": true}')
    press(page, "Preview")
    body = page.inner_text("#preview pre.raw >> nth=0")
    press(page, "Send")
    assert "/deliveries/dlv_" in page.url
    assert receiver.received[-1].body.decode() == body
    page.goto("/faults")
    page.locator('form.kind:has([value="duplicate"])').get_by_role("button", name="Arm").click()
    assert page.locator(".stripe").count() == 1
    press(page, "Clear all")
    page.goto("/clock")
    press(page, "Freeze")
    press(page, "+1m")
    assert "0 sends" in said(page)


def test_a_webhook_is_registered_tested_and_certified_by_keyboard_alone(
    window: OpenWindow, receiver: PageReceiver
) -> None:
    page = window("/")
    keys = page.keyboard
    keys.press("g")
    keys.press("w")
    page.wait_for_url("**/webhooks")
    if page.locator("#new").get_attribute("open") is None:
        page.locator("#new > summary").focus()
        keys.press("Enter")
    page.locator('#new [name="agent"]').focus()
    keys.press("Control+A")
    keys.type(f"agent-{next(AGENTS)}")
    keys.press("Tab")
    keys.press("Control+A")
    keys.type(receiver.url)
    keys.press("Enter")
    page.wait_for_url("**/webhooks/webhook-*")
    for name, leads in (("Send test", "**/deliveries/dlv_*"), ("Certify", "**/certify/crt_*")):
        _tab_to(page, name)
        keys.press("Enter")
        page.wait_for_url(leads)
        page.go_back()
    keys.press("g")
    keys.press("k")
    page.wait_for_url("**/clock")
    keys.press("?")
    page.wait_for_url("**/help")
    keys.press("/")
    keys.type("evt_")
    keys.press("Enter")
    page.wait_for_url("**/deliveries?q=evt_")


def _tab_to(page: Any, name: str) -> None:
    for _ in range(200):
        page.keyboard.press("Tab")
        if (
            page.evaluate("document.activeElement.matches('button') && document.activeElement.textContent.trim()")
            == name
        ):
            return
    raise AssertionError(f"Tab never reaches {name}")
