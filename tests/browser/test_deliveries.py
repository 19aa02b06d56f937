"""Every action of the list of deliveries, of one delivery, and of the replay of many, done with a mouse or a key."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.running import PageReceiver, RunningServer
from tests.browser.conftest import SECRET
from tests.browser.furnished import emit
from tests.browser.window import OpenWindow

AGENTS = itertools.count()


@pytest.fixture
def agent(server: RunningServer, receiver: PageReceiver) -> Iterator[str]:
    """An agent with a webhook, a receiver that answers 200, and a clock that runs, before and after."""
    name = f"listed-{next(AGENTS)}"
    receiver.answers[:] = [200]
    server.api("POST", f"/v1/agents/{name}/webhooks", {"url": receiver.url})
    yield name
    receiver.answers[:] = [200]
    server.api("POST", "/_local/clock/resume")


def sent(server: RunningServer, receiver: PageReceiver, agent: str, *statuses: int) -> list[str]:
    """Emit an event for each of these answers, and return the deliveries."""
    made = []
    for status in statuses:
        receiver.answers[:] = [status]
        made.append(emit(server, "agent.completed", agent=agent)["deliveries"][0]["id"])
    receiver.answers[:] = [200]
    return made


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name).first.click()


def said(page: Any) -> str:
    text: str = page.locator("p.note").first.inner_text()
    return text


def test_the_list_is_filtered_grouped_and_searched(
    window: OpenWindow, server: RunningServer, receiver: PageReceiver, agent: str
) -> None:
    good, bad = sent(server, receiver, agent, 200, 400)
    page = window("/deliveries")
    page.select_option('[name="state"]', "failed")
    page.wait_for_url("**state=failed**")
    assert (
        page.locator(f'a[href="/deliveries/{bad}"]').count(),
        page.locator(f'a[href="/deliveries/{good}"]').count(),
    ) == (1, 0)
    page.select_option('[name="group"]', "cause")
    page.wait_for_url("**group=cause**")
    page.locator("table.groups a.go", has_text="400").click()
    page.wait_for_url("**cause=400**")
    assert page.locator(f'a[href="/deliveries/{bad}"]').count() == 1
    page.goto("/deliveries")
    page.keyboard.press("/")
    page.keyboard.type(good[-12:])
    page.keyboard.press("Enter")
    page.wait_for_url("**/deliveries?q=**")
    assert page.locator("table.deliveries tbody tr").count() == 1


def test_marked_rows_are_exported_and_canceled(
    window: OpenWindow, server: RunningServer, receiver: PageReceiver, agent: str
) -> None:
    retrying = sent(server, receiver, agent, 500, 500)
    page = window(f"/deliveries?agent={agent}&state=retrying")
    page.check("#every")
    with page.expect_download() as download:
        press(page, "Export NDJSON")
    assert len(download.value.path().read_text().splitlines()) == 2
    page.on("dialog", lambda dialog: dialog.accept())
    press(page, "Cancel retries")
    page.wait_for_selector("p.note")
    states = [server.api("GET", f"/v1/deliveries/{name}")[1]["state"] for name in retrying]
    assert states == ["canceled", "canceled"]


def test_many_are_replayed_after_it_was_said_what_would_be_sent(
    window: OpenWindow, server: RunningServer, receiver: PageReceiver, agent: str
) -> None:
    sent(server, receiver, agent, 400, 400, 400)
    before = len(receiver.received)
    page = window(f"/deliveries?agent={agent}&state=failed")
    page.check("#every")
    press(page, "Replay…")
    assert "Nothing was sent yet." in page.inner_text("main")
    assert len(receiver.received) == before
    page.fill('[name="rate"]', "100")
    press(page, "Start")
    page.wait_for_url("**/replays/rpl_*")
    page.wait_for_selector('#replay[data-state="done"]')
    assert "3 fixed" in page.inner_text("main")
    assert len(receiver.received) == before + 3


def test_a_row_is_replayed_and_edited_by_keys(
    window: OpenWindow, server: RunningServer, receiver: PageReceiver, agent: str
) -> None:
    (failed,) = sent(server, receiver, agent, 400)
    page = window(f"/deliveries?agent={agent}")
    page.keyboard.press("j")
    page.keyboard.press("x")
    assert page.inner_text("#marked") == "1 marked:"
    before = len(receiver.received)
    page.keyboard.press("r")
    page.wait_for_selector("#toast:not([hidden])")
    page.wait_for_timeout(300)
    assert len(receiver.received) == before + 1
    page.keyboard.press("c")
    page.wait_for_function("() => document.querySelector('#toast').textContent.startsWith('Copied')")
    assert page.evaluate("navigator.clipboard.readText()").startswith("curl ")
    page.keyboard.press("e")
    page.wait_for_url("**/send?event=evt_*")
    assert "tokens_used" in page.input_value("#data")
    page.go_back()
    page.locator(f'a[href="/deliveries/{failed}"]').focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/deliveries/{failed}")


def test_a_delivery_is_advanced_compared_checked_and_canceled(
    window: OpenWindow, server: RunningServer, receiver: PageReceiver, agent: str
) -> None:
    (retrying,) = sent(server, receiver, agent, 500)
    receiver.answers[:] = [503]
    server.api("POST", "/_local/clock/freeze")
    page = window(f"/deliveries/{retrying}")
    press(page, "Advance to the next attempt")
    page.wait_for_selector("table.sends-of tbody tr:nth-child(2) >> text=503")
    press(page, "Compare")
    assert "identical" in page.inner_text("#compare")
    assert "503" in page.inner_text("#compare")
    page.fill('[name="secret"]', "scsec_wrong")
    press(page, "Check")
    assert "differs" in page.inner_text("#signature")
    page.fill('[name="secret"]', SECRET)
    press(page, "Check")
    assert "match" in page.inner_text("#signature .note")
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"/deliveries/{retrying}")
    press(page, "Cancel")
    page.wait_for_selector(".what.canceled")


def test_the_countdown_goes_on_by_the_engines_clock(
    window: OpenWindow, server: RunningServer, receiver: PageReceiver, agent: str
) -> None:
    (retrying,) = sent(server, receiver, agent, 500)
    page = window(f"/deliveries/{retrying}")
    shown = "() => document.querySelector('.stand .until').textContent"
    first = page.evaluate(shown)
    page.wait_for_timeout(1600)
    assert page.evaluate(shown) != first
    server.api("POST", "/_local/clock/freeze")
    page.reload()
    still = page.evaluate(shown)
    page.wait_for_timeout(1600)
    assert page.evaluate(shown) == still
