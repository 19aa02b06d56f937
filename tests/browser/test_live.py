"""The live list in a browser: an event is seen at once, rows do not make the list jump, and a lost stream comes back."""

from __future__ import annotations

import itertools
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running import PageReceiver, RunningServer, start_server
from tests.browser.figures import Figures
from tests.browser.watching import assert_seen_at_once
from tests.browser.window import OpenWindow
from tests.ports import free_port

AGENTS = itertools.count()


@pytest.fixture
def agent(server: RunningServer, receiver: PageReceiver) -> str:
    """An agent with a webhook at the receiver."""
    name = f"agent-{next(AGENTS)}"
    assert server.api("POST", f"/v1/agents/{name}/webhooks", {"url": receiver.url})[0] == 201
    return name


def emit(server: RunningServer, agent: str, type: str = "agent.completed") -> str:
    status, answer = server.api("POST", f"/v1/agents/{agent}/events", {"type": type})
    assert status == 202
    delivery: str = answer["deliveries"][0]["id"]
    return delivery


def live(window: OpenWindow, **how: Any) -> Any:
    page = window("/", **how)
    page.wait_for_selector('#dot[data-is="live"]')
    return page


def test_an_event_is_on_screen_at_once(window: OpenWindow, server: RunningServer, agent: str, figures: Figures) -> None:
    assert_seen_at_once(live(window), server, agent, figures, what="emit to row on screen", events=40)


def test_rows_wait_while_somebody_reads_further_down(window: OpenWindow, server: RunningServer, agent: str) -> None:
    for _ in range(30):
        emit(server, agent)
    page = live(window, height=500)
    page.wait_for_selector("#rows tr:nth-child(30)")
    page.evaluate("window.scrollTo(0, 900)")
    place = "document.querySelector('#rows tr:nth-child(20)').getBoundingClientRect().top"
    before = page.evaluate(place)
    name = emit(server, agent)
    page.wait_for_selector("#more:not([hidden])")
    assert page.inner_text("#more") == "1 new, show"
    assert page.evaluate(place) == before
    page.click("#more")
    assert page.get_attribute("#rows tr", "data-delivery") == name
    assert page.is_hidden("#more")


def test_the_list_is_paused_by_a_key(window: OpenWindow, server: RunningServer, agent: str) -> None:
    page = live(window)
    page.keyboard.press(".")
    assert page.get_attribute("#pause", "aria-pressed") == "true"
    name = emit(server, agent)
    page.wait_for_selector("#more:not([hidden])")
    assert page.query_selector(f'[data-delivery="{name}"]') is None
    page.keyboard.press(".")
    page.wait_for_selector(f'[data-delivery="{name}"]')


def test_a_server_that_was_gone_brings_what_was_missed(
    chromium: Any, receiver: PageReceiver, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    flags = ("--port", str(free_port()), "--secret", receiver.secret)
    server = start_server(tmp_path, *flags)
    try:
        assert server.api("POST", "/v1/agents/my-agent/webhooks", {"url": receiver.url})[0] == 201
        with ExitStack() as stack:
            window = OpenWindow(chromium, server.url, stack, name=request.node.name)
            page = live(window)
            page.route("**/v1/stream", lambda route: route.abort())  # it comes back when all was sent
            server.stop(signal.SIGKILL)
            page.wait_for_selector('#dot:not([data-is="live"])')
            assert page.inner_text("#dot") in ("reconnecting", "no server, trying again")
            server = start_server(tmp_path, *flags)
            names = [emit(server, "my-agent") for _ in range(3)]
            assert all(server.api("GET", f"/v1/deliveries/{name}?wait=settled")[0] == 200 for name in names)
            page.unroute("**/v1/stream")
            page.wait_for_selector("#dot[data-is=live]:has-text('back, 3 missed')", timeout=15_000)
            for name in names:
                page.wait_for_selector(f'[data-delivery="{name}"]')
            page.wait_for_function("() => document.querySelector('#dot').innerText === 'live'", timeout=15_000)
            window.faults.clear()  # what was asked of a server that was gone
    finally:
        server.stop(signal.SIGKILL)


def test_a_part_that_is_fetched_late_says_that_it_is_loading(
    window: OpenWindow, server: RunningServer, agent: str
) -> None:
    emit(server, agent)
    page = live(window)
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/live/rows?*", hold)
    name = emit(server, agent)
    page.wait_for_selector("#sends[aria-busy=true]")
    assert "loading" in page.evaluate("getComputedStyle(document.querySelector('#sends'), '::after').content")
    for route in held:
        route.continue_()
    page.unroute("**/live/rows?*")
    page.wait_for_selector(f'[data-delivery="{name}"]')
    assert page.locator("[aria-busy]").count() == 0


def test_the_counts_and_the_icon_follow(
    window: OpenWindow, server: RunningServer, receiver: PageReceiver, agent: str
) -> None:
    page = live(window)
    before = int(page.inner_text('[data-count="failed"]'))
    receiver.answers[:] = [400]
    emit(server, agent)
    page.wait_for_selector(f"[data-count=failed]:text-is('{before + 1}')")
    assert page.get_attribute("link[rel=icon]", "href") == f"/favicon.svg?failed={before + 1}"
    receiver.answers[:] = [200]


def test_rows_are_walked_opened_and_copied_by_keys_alone(window: OpenWindow, server: RunningServer, agent: str) -> None:
    name = emit(server, agent)
    page = live(window)
    page.wait_for_selector(f'[data-delivery="{name}"]')
    page.keyboard.press("j")
    assert page.get_attribute("tr.at", "data-delivery") == name
    page.keyboard.press("c")
    page.wait_for_selector("#toast:not([hidden])")
    assert page.evaluate("navigator.clipboard.readText()").startswith("curl ")
    page.keyboard.press("r")
    page.wait_for_selector("#rows tr:nth-child(2)[data-delivery='" + name + "']")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/deliveries/{name}")
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.wait_for_url("**/deliveries")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("?")
    assert page.url.endswith("/deliveries")


def test_single_letters_can_be_switched_off(window: OpenWindow, server: RunningServer, agent: str) -> None:
    emit(server, agent)
    page = window("/help")
    page.click("button[name=keys]")
    page.goto("/")
    page.keyboard.press("j")
    assert page.query_selector("tr.at") is None


def test_the_page_of_a_delivery_follows_it(
    window: OpenWindow, server: RunningServer, receiver: PageReceiver, agent: str
) -> None:
    receiver.answers[:] = [500]
    name = emit(server, agent, "agent.failed")
    page = window(f"/deliveries/{name}")
    page.wait_for_selector('#dot[data-is="live"]')
    page.click("label[for=Request-4]")
    receiver.answers[:] = [200]
    assert server.api("POST", f"/v1/deliveries/{name}/replay", {"now": True})[0] == 202
    page.wait_for_selector(".what.delivered")
    assert page.is_checked("#Request-4")
    assert page.is_visible("pre[aria-label='Request: curl']")


def test_every_page_of_the_log_reads_without_a_script(window: OpenWindow, server: RunningServer, agent: str) -> None:
    name = emit(server, agent)
    page = window("/", script=False)
    page.click(f'a.go[href="/deliveries/{name}"]')
    assert "agent.completed" in page.inner_text("h1")
    page.click("button:has-text('Replay')")
    assert "Sent again" in page.inner_text(".note")
    page.click(".ways a:has-text('Deliveries')")
    page.select_option("select[name=state]", "delivered")
    page.click("button:has-text('Filter')")
    assert "state=delivered" in page.url
