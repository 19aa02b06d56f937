"""The home page of the console: what it shows of the log, and what a page that is open asks for to stay fresh."""

from __future__ import annotations

import pytest

from swiftclaw_local.settings import Settings
from tests.acceptance.api import Api
from tests.acceptance.browsing import Browser
from tests.acceptance.conftest import OpenApi


@pytest.fixture
def browser(api: Api) -> Browser:
    return Browser(api)


async def test_without_a_webhook_it_says_what_to_type(browser: Browser) -> None:
    page = await browser.page("/")
    assert "No webhook yet" in page.text
    assert any("swiftclaw webhooks create my-agent --url http://localhost:" in one.text for one in page.all("code"))
    assert page.all("table", id="sends")[0].attributes.get("hidden") == ""


async def test_without_a_send_it_offers_a_test(browser: Browser) -> None:
    await browser.api.webhook()
    page = await browser.page("/")
    assert "Nothing was sent yet" in page.text
    assert page.all("form", action="/webhooks/webhook-123/test", method="post") != []


async def test_every_send_is_a_row_with_what_comes_next(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    first = await api.emitted("agent.completed")
    api.receiver.respond(500, 401, "connect_refused")
    for _ in range(3):
        await api.emitted()
    page = await browser.page("/")
    rows = [" ".join(row.text.split()) for row in page.all("tr", class_="send")]
    assert ["connection refused" in rows[0], "retry 1/5 in 1m 00s" in rows[0]] == [True, True]
    assert ["401" in rows[1], "failed: 4xx is not retried" in rows[1]] == [True, True]
    assert ["500" in rows[2], "retry 1/5 in 1m 00s" in rows[2]] == [True, True]
    assert ["agent.completed" in rows[3], "delivered, 5 ms" in rows[3]] == [True, True]
    assert f"/deliveries/{first['id']}" in page.links
    assert "25 %success" in page.text


async def test_a_row_says_that_its_retry_was_made(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    api.receiver.respond(500, 200)
    await api.emitted()
    await api.post("/_local/clock/advance", {"by": "1m"})
    rows = [" ".join(row.text.split()) for row in (await browser.page("/")).all("tr", class_="send")]
    assert ["delivered by retry 1" in rows[0], "retried" in rows[1], " in " in rows[1]] == [True, True, False]


async def test_what_is_new_comes_as_rows(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    await api.emitted()
    after = (await browser.page("/")).all("tbody", id="rows")[0].attributes["data-after"]
    assert (await browser.page(f"/live/rows?after={after}")).all("tr") == []
    new = await api.emitted()
    part = await browser.page(f"/live/rows?after={after}")
    assert [row.attributes["data-delivery"] for row in part.all("tr")] == [new["id"]]
    assert int(part.all("tbody")[0].attributes["data-after"]) == int(after) + 1
    assert part.all("html") == []
    assert (await browser.page("/live/rows?after=-1")).status == 400


async def test_what_is_new_after_the_log_was_forgotten_is_all_of_it(browser: Browser) -> None:
    await browser.api.webhook()
    await browser.api.emitted()
    part = await browser.page("/live/rows?after=1000")
    assert (len(part.all("tr")), part.all("tbody")[0].attributes["data-after"]) == (1, "1")


async def test_more_news_than_a_page_takes_are_counted(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    await api.post("/v1/agents/my-agent/events?wait=settled", {"type": "agent.failed"})
    for _ in range(204):
        await api.emitted()
    part = await browser.page("/live/rows?after=0")
    assert (len(part.all("tr", class_="send")), "5 older sends are not shown" in part.source) == (200, True)


async def test_the_last_hour_is_drawn_and_written_as_a_table(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    api.receiver.respond(200, 200, 500)
    for _ in range(3):
        await api.emitted()
    part = await browser.page("/live/hour")
    svg = part.all("svg", role="img")[0]
    assert svg.attributes["aria-label"] == "Sends per minute in the last hour: 3 in all, 1 without a 2xx"
    assert len(part.all("rect", class_="b-good")) == 1
    assert part.all("rect", class_="b-bad")[0].attributes["fill"] == "url(#chart-hatch)"
    cells = [one.text for one in part.all("td", class_="number")]
    assert cells[:3] == ["3", "2", "1"]
    twin = await browser.twin("/live.json")
    assert (twin["hour"]["success"], len(twin["hour"]["minutes"]), len(twin["sends"])) == (66, 60, 3)


async def test_a_real_clock_has_no_virtual_mark(open_api: OpenApi) -> None:
    real = Browser(await open_api(Settings(ephemeral=True)))
    await real.api.webhook()
    await real.api.emitted()
    assert (await real.page("/")).all("abbr", class_="virtual") == []


async def test_virtual_time_is_marked(browser: Browser) -> None:
    await browser.api.webhook()
    await browser.api.emitted()
    assert len((await browser.page("/")).all("abbr", class_="virtual")) == 1
