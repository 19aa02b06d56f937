"""The console's list of deliveries and the page of one: filters, groups, what can be done, and what is only ever text."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from swiftclaw_local.dispatcher.signing import sign
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.app import make_app
from swiftclaw_local.settings import Settings
from tests.acceptance.api import Api
from tests.acceptance.browsing import Browser, Html
from tests.engine.scripted import ScriptedReceiver

SECRET = "scsec_known_to_this_test"


@pytest.fixture
def browser(api: Api) -> Browser:
    return Browser(api)


async def three(api: Api) -> list[dict[str, Any]]:
    """Return a delivered, a failed and a retrying delivery."""
    await api.webhook(secret=SECRET)
    api.receiver.respond(200, 401, 500)
    return [await api.emitted(type) for type in ("agent.completed", "agent.timeout", "agent.failed")]


def listed(page: Html) -> list[str]:
    return [row.attributes["value"] for row in page.all("input", name="id")]


def note(page: Html) -> str:
    return " ".join(page.all("p", class_="note")[0].text.split())


# --- the list ---------------------------------------------------------------------------------------------------


async def test_the_list_is_filtered_by_its_address(browser: Browser) -> None:
    delivered, failed, retrying = await three(browser.api)
    wanted = {
        "": [retrying, failed, delivered],
        "?state=failed": [failed],
        "?state=unresolved": [retrying, failed],
        "?status=5xx": [retrying],
        "?cause=401": [failed],
        "?type=agent.completed": [delivered],
        "?webhook=webhook-123&state=delivered": [delivered],
        f"?q={delivered['event_id'][-8:]}": [delivered],
        "?since=1h+ago": [retrying, failed, delivered],
        "?state=&status=&webhook=&type=&since=&q=&group=": [retrying, failed, delivered],
        "?state=canceled": [],
    }
    got = {address: listed(await browser.page(f"/deliveries{address}")) for address in wanted}
    assert got == {address: [one["id"] for one in deliveries] for address, deliveries in wanted.items()}


async def test_a_filter_is_seen_and_can_be_taken_away(browser: Browser) -> None:
    await three(browser.api)
    page = await browser.page("/deliveries?state=failed&status=4xx")
    assert "1 matches" in page.text
    assert {"/deliveries?status=4xx", "/deliveries?state=failed", "/deliveries"} <= set(page.links)
    assert page.all("title")[0].text == "1 failed deliveries · SwiftClaw local"


@pytest.mark.parametrize("address", ["?state=lost", "?status=abc", "?since=yesterday", "?nonsense=1", "?cursor=%00"])
async def test_a_filter_that_is_wrong_is_a_page_that_says_so(browser: Browser, address: str) -> None:
    page = await browser.page(f"/deliveries{address}")
    assert (page.status, len(page.all("h1"))) == (400, 1)


async def test_deliveries_are_grouped_by_cause_and_by_webhook(browser: Browser) -> None:
    await three(browser.api)
    page = await browser.page("/deliveries?state=unresolved&group=cause")
    assert {"/deliveries?state=unresolved&cause=401", "/deliveries?state=unresolved&cause=500"} <= set(page.links)
    page = await browser.page("/deliveries?group=webhook")
    assert "/deliveries?webhook=webhook-123" in page.links
    twin = await browser.twin("/deliveries.json?group=webhook")
    assert [(group["webhook"], group["deliveries"]) for group in twin["webhooks"]] == [("webhook-123", 3)]


async def test_a_long_list_has_pages(browser: Browser) -> None:
    await browser.api.webhook()
    made = [(await browser.api.emitted())["id"] for _ in range(52)]
    page = await browser.page("/deliveries?state=delivered")
    older = await browser.page(page.all("a", rel="next")[0].attributes["href"])
    assert listed(page) + listed(older) == made[::-1]
    assert "/deliveries?state=delivered" in older.links


async def test_an_empty_list_says_why_and_what_to_do(browser: Browser) -> None:
    assert "Register your receiver's URL first" in (await browser.page("/deliveries")).text
    await browser.api.webhook()
    assert "Send test event" in (await browser.page("/deliveries")).text
    assert "Break something" in (await browser.page("/deliveries?state=failed")).text


async def test_marked_rows_are_replayed_after_it_was_said_what_that_sends(browser: Browser) -> None:
    api = browser.api
    delivered, failed, _ = await three(api)
    api.receiver.respond(200)
    rows = [("id", failed["id"]), ("id", delivered["id"])]
    page = await browser.send("/replays/plan", rows)
    assert "Would send 2 deliveries to 1 webhook, oldest first" in page.text
    assert len(api.receiver.received) == 3
    page = await browser.send("/replays/begin", [*rows, ("canary", "0"), ("stop_after", "")])
    assert page.all("h1")[0].text.split()[:4] == ["Replay", "of", "2", "deliveries"]
    await api.receiver.arrived(5)
    replay = (await api.get("/v1/replays"))[1]["data"][0]
    page = await browser.page(f"/replays/{replay['id']}")
    assert replay["id"] in (await browser.page("/replays")).text
    assert (await browser.send("/replays/plan", {})).status == 400


async def test_all_that_match_are_replayed_paused_and_resumed(browser: Browser) -> None:
    api = browser.api
    await three(api)
    page = await browser.page("/deliveries?state=unresolved")
    given = next(one.attributes["value"] for one in page.all("input", name="filter"))
    assert given == "?state=unresolved"
    page = await browser.send("/replays/plan", {"filter": given})
    assert "Would send 2 deliveries" in page.text
    assert "1 of them has retries scheduled, which are canceled." in page.text
    api.receiver.hold()
    page = await browser.send("/replays/begin", {"filter": given})
    name = (await api.get("/v1/replays"))[1]["data"][0]["id"]
    page = await browser.send(f"/replays/{name}/pause")
    assert "Paused" in note(page)
    page = await browser.send(f"/replays/{name}/resume")
    assert "It goes on" in note(page)
    assert (await browser.send("/replays/rpl_none/pause")).status == 404


async def test_marked_rows_are_canceled(browser: Browser) -> None:
    _, failed, retrying = await three(browser.api)
    rows = [("id", retrying["id"]), ("id", failed["id"])]
    page = await browser.send("/deliveries/bulk", [("do", "cancel"), *rows])
    assert note(page).startswith("Canceled 1 delivery. 1 could not be:")
    assert (await browser.api.get(f"/v1/deliveries/{retrying['id']}"))[1]["state"] == "canceled"
    page = await browser.send("/deliveries/bulk", {"do": "cancel"})
    assert (page.status, "No delivery is marked." in page.text) == (400, True)
    page = await browser.send("/deliveries/bulk", [("do", "cancel"), *[("id", "@last")] * 501])
    assert (page.status, "at most 500" in page.text) == (400, True)


async def test_deliveries_are_exported_one_a_line(browser: Browser) -> None:
    delivered, failed, retrying = await three(browser.api)
    async with browser.api.client.get("/deliveries/export?state=unresolved") as answer:
        lines = [json.loads(line) for line in (await answer.text()).splitlines()]
        assert "attachment" in answer.headers["Content-Disposition"]
    assert [(line["id"], len(line["attempts"])) for line in lines] == [(retrying["id"], 1), (failed["id"], 1)]
    exported = await browser.send("/deliveries/bulk", {"do": "export", "id": delivered["id"]})
    assert json.loads(exported.source)["id"] == delivered["id"]


# --- one delivery -----------------------------------------------------------------------------------------------


async def test_a_delivery_shows_its_way_and_what_is_planned(browser: Browser) -> None:
    retrying = (await three(browser.api))[2]
    await browser.api.post("/_local/clock/advance", {"by": "1m"})
    page = await browser.page(f"/deliveries/{retrying['id']}")
    assert page.all("title")[0].text.startswith("500 agent.failed dlv_…")
    assert len(page.all("g", class_="stop")) == 6
    assert len(page.all("g", class_="planned")) == 4
    assert "retry 2 of 5 in 5m 00s" in page.text
    assert "500 is in 500-599, so SwiftClaw retries" in page.text
    assert "Advance to the next attempt" in page.text
    twin = await browser.twin(f"/deliveries/{retrying['id']}.json")
    assert twin == (await browser.api.get(f"/v1/deliveries/{retrying['id']}"))[1]


@pytest.mark.parametrize("part", ["whole", "ending"])
async def test_a_link_may_hold_a_part_of_the_id(browser: Browser, part: str) -> None:
    delivered = (await three(browser.api))[0]
    name = delivered["id"] if part == "whole" else delivered["id"][-8:]
    assert (await browser.page(f"/deliveries/{name}")).status == 200
    assert (await browser.page("/deliveries/dlv_unknown")).status == 404


async def test_a_signature_is_checked_against_another_secret(browser: Browser) -> None:
    failed = (await three(browser.api))[1]
    page = await browser.page(f"/deliveries/{failed['id']}")
    assert "valid for the secret of webhook-123" in page.text
    page = await browser.send(f"/deliveries/{failed['id']}/check", {"secret": SECRET, "send": "1"})
    assert "Match." in note(page)
    page = await browser.send(f"/deliveries/{failed['id']}/check", {"secret": "scsec_another"})
    assert note(page).startswith("differs")
    assert SECRET not in page.source


async def test_a_request_is_shown_as_commands_and_programs(browser: Browser) -> None:
    failed = (await three(browser.api))[1]
    body = browser.api.receiver.received[1].body
    page = await browser.page(f"/deliveries/{failed['id']}")
    shown = [one.text for one in page.all("pre", class_="raw")]
    assert any(sign(SECRET, body) in text and text.startswith("curl ") for text in shown)
    assert any("urllib.request" in text for text in shown)
    assert any("await fetch(" in text for text in shown)
    async with browser.api.client.get(f"/deliveries/{failed['id']}/curl") as answer:
        assert (answer.content_type, (await answer.text()).startswith("curl ")) == ("text/plain", True)


async def test_two_attempts_are_compared(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    api.receiver.respond(500, 503, 503)
    retrying = await api.emitted()
    await api.post("/_local/clock/advance", {"by": "6m"})
    page = await browser.page(f"/deliveries/{retrying['id']}?a=1&b=2")
    text = next(one.text for one in page.all("section", id="compare"))
    assert ["identical" in text, "500" in text, "503" in text] == [True, True, True]
    page = await browser.page(f"/deliveries/{retrying['id']}?a=2&b=3")
    assert next(one.text for one in page.all("section", id="compare")).count("identical") == 2
    page = await browser.page(f"/deliveries/{retrying['id']}?send=1")
    assert "of first" in page.all("section", id="request")[0].text


async def test_replay_cancel_and_advance_are_forms(browser: Browser) -> None:
    api = browser.api
    _, failed, retrying = await three(api)
    page = await browser.send(f"/deliveries/{failed['id']}/replay")
    assert "Sent again, with the same event id and the same bytes" in note(page)
    assert "Replay of" in page.text
    page = await browser.send(f"/deliveries/{retrying['id']}/advance", {"back": f"/deliveries/{retrying['id']}"})
    assert "The clock moved to the next attempt: 1 send." in note(page)
    page = await browser.send(f"/deliveries/{retrying['id']}/replay", {"back": f"/deliveries/{retrying['id']}"})
    assert "goes out now" in note(page)
    page = await browser.send(f"/deliveries/{retrying['id']}/cancel", {"back": "/deliveries"})
    assert "Canceled" in note(page)
    page = await browser.send(f"/deliveries/{retrying['id']}/advance")
    assert (page.status, "has ended" in page.text) == (409, True)


# --- recorded bytes are text ------------------------------------------------------------------------------------

HOSTILE = "</pre></script><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\"'><svg onload=alert(1)>{{7*7}}"


async def test_nothing_that_came_from_outside_becomes_html(browser: Browser) -> None:
    api = browser.api
    await api.webhook(description=HOSTILE, url="http://127.0.0.1:9/h?a=%3Cscript%3E'b")
    made = await api.emitted(data={"text": HOSTILE, HOSTILE: 1})
    for path in ("/", "/deliveries", f"/deliveries/{made['id']}", f"/deliveries/{made['id']}?a=1&b=1"):
        page = await browser.page(path)
        assert page.status == 200
        assert [one for one in page.all("script") if "src" not in one.attributes] == []
        assert page.all("img") == []
        assert [name for one in page.elements for name in one.attributes if name.startswith("on")] == []
        assert "49" not in page.source.split("{{7*7}}")[0][-40:]
        assert "\u202e" not in page.source
    page = await browser.page(f"/deliveries?q={'<script>alert(1)</script>'}")
    assert "<script>alert" not in page.source


@asynccontextmanager
async def sending() -> AsyncIterator[Browser]:
    """A console whose platform really sends."""
    platform = await Platform.open(Settings(ephemeral=True, clock="manual"))
    await platform.start()
    server = TestServer(make_app(platform))
    await server.start_server(auto_decompress=False)
    api = Api(TestClient(server), platform, ScriptedReceiver())
    try:
        yield Browser(api)
    finally:
        await api.client.close()
        await platform.stop()


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A receiver that answers everything with these bytes; yields its URL."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"


@pytest.mark.parametrize(
    ("kind", "ending"),
    [("text/html", b"\xff\xfe\x00\x1b[31m"), ("application/json", b"\x00\x1b[31m\xc2\x9b"), ("image/svg+xml", b"\x1b")],
)
async def test_an_answer_is_shown_as_text_in_every_field(kind: str, ending: bytes) -> None:
    hostile = HOSTILE.encode()
    head = b"HTTP/1.1 500 <script>alert(1)</script>\r\nContent-Type: %b\r\nX-A: %b\r\nX-B: %b\r\n" % (
        kind.encode(),
        b"<script>alert(1)</script>",
        b"'\"><img src=x onerror=alert(1)>",
    )
    body = hostile + ending
    answer = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    async with answering(answer) as url, sending() as browser:
        await browser.api.webhook(url=url)
        made = await browser.api.emitted()
        assert (made["sends"], made["last_status"]) == (1, 500)  # it is shown: no answer would be nothing to look at
        for path in ("/", "/deliveries", f"/deliveries/{made['id']}", "/live/rows?after=0"):
            page = await browser.page(path)
            assert page.status == 200
            assert [one for one in page.all("script") if "src" not in one.attributes] == []
            assert page.all("img") == []
            assert [name for one in page.elements for name in one.attributes if name.startswith("on")] == []
            assert set(page.source) & set("\x00\x1b\u202e\x9b") == set()
