"""The console's pages of webhooks: the list, one webhook, its secret, its settings, and what can be done to it."""

from __future__ import annotations

import pytest

from swiftclaw_local.events.catalog import EVENT_TYPE_NAMES
from swiftclaw_local.server.console.sparkline import HEIGHT, bars
from swiftclaw_local.server.models import StatsPointOut
from swiftclaw_local.starter_programs import STARTERS
from tests.acceptance.api import URL, Api
from tests.acceptance.browsing import Browser, Html

ONE = "/webhooks/webhook-123"


@pytest.fixture
def browser(api: Api) -> Browser:
    return Browser(api)


def note(page: Html) -> str:
    return " ".join(page.all("p", class_="note")[0].text.split())


async def secret_of(api: Api) -> str:
    _, answer = await api.get("/v1/agents/my-agent/webhooks/webhook-123/secret")
    found: str = answer["secret"]
    return found


async def test_without_webhooks_the_page_says_what_to_type(browser: Browser) -> None:
    page = await browser.page("/webhooks")
    assert page.all("code")[0].text.startswith("swiftclaw webhooks create my-agent --url http://localhost:")
    assert page.all("button", data_copy=page.all("code")[0].text) != []
    assert page.all("details", id="new")[0].attributes.get("open") == ""


async def test_a_webhook_is_registered_by_a_form(browser: Browser) -> None:
    fields = [("agent", "my-agent"), ("url", URL), ("events", "agent.failed"), ("events", "agent.invoked")]
    page = await browser.send("/webhooks", [*fields, ("description", "orders"), ("secret", "scsec_given")])
    assert note(page).startswith("Created webhook-123 for my-agent.")
    webhook = (await browser.twin("/webhooks.json"))["rows"][0]["webhook"]
    assert (webhook["url"], webhook["events"], webhook["description"]) == (
        URL,
        ["agent.invoked", "agent.failed"],
        "orders",
    )
    assert await secret_of(browser.api) == "scsec_given"
    assert "scsec_given" not in page.source


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"url": "localhost:8000/hook"}, "has no scheme"),
        ({"url": URL, "agent": "my agent"}, "cannot be the name of an agent"),
        ({"url": URL, "events": "agent.fail"}, "Did you mean"),
    ],
)
async def test_what_cannot_be_registered_is_refused_as_a_page(
    browser: Browser, fields: dict[str, str], said: str
) -> None:
    page = await browser.send("/webhooks", fields)
    assert page.status == 400
    assert said in page.text


async def test_the_list_shows_state_success_the_last_hour_and_the_certificate(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    await api.webhook(agent="billing", enabled=False)
    await api.emitted()
    api.receiver.respond(400)
    await api.emitted()
    await api.post("/_local/certify", {"webhook": "webhook-123"})
    rows = (await browser.twin("/webhooks.json"))["rows"]
    assert [(row["webhook"]["id"], row["success"]) for row in rows] == [("webhook-123", 0.5), ("webhook-124", None)]
    assert sum(point["sent"] for point in rows[0]["last_hour"]) == 2
    assert (rows[0]["certified"]["id"], rows[1]["certified"]) == ("crt_1", None)
    page = await browser.page("/webhooks")
    assert "50 %" in page.text
    assert "disabled" in page.text
    assert [one.attributes["aria-label"] for one in page.all("svg", class_="spark")] == [
        "Last hour: 2 sends, 1 with a 2xx"
    ]
    assert "/certify/crt_1" in page.links


async def test_the_list_goes_on_on_a_next_page(browser: Browser) -> None:
    for _ in range(51):
        await browser.api.webhook()
    page = await browser.page("/webhooks")
    (following,) = [link for link in page.links if link.startswith("/webhooks?cursor=")]
    assert "webhook-173" not in page.text
    assert "webhook-173" in (await browser.page(following)).text


async def test_one_webhook_shows_its_settings_and_never_its_secret(browser: Browser) -> None:
    api = browser.api
    await api.webhook(secret="scsec_hidden", events=["agent.failed"])
    await api.emitted()
    page = await browser.page(ONE)
    ticked = [one.attributes["value"] for one in page.all("input", name="events") if "checked" in one.attributes]
    assert ticked == ["agent.failed"]
    assert page.all("input", name="url")[0].attributes["value"] == URL
    assert "scsec_hidden" not in page.source
    assert "scsec_hidden" not in str(await browser.twin(f"{ONE}.json"))
    assert len((await browser.twin(f"{ONE}.json"))["deliveries"]) == 1


async def test_the_secret_is_shown_when_asked_for_and_ready_to_be_pasted(browser: Browser) -> None:
    await browser.api.webhook(secret="scsec it's mine")
    page = await browser.send(f"{ONE}/secret", {"back": ONE})
    assert page.all("code", id="secret")[0].text == "scsec it's mine"
    line = """export SWIFTCLAW_WEBHOOK_SECRET='scsec it'"'"'s mine'"""
    assert [one.attributes["data-copy"] for one in page.all("button", data_copy=line)] == [line]
    assert page.headers["Cache-Control"] == "no-store"
    status, told = await browser.send_quietly(f"{ONE}/export", {"back": ONE})
    assert (status, told["data"]["secret"]) == (200, line)


async def test_the_secret_is_rotated_and_the_new_one_shown(browser: Browser) -> None:
    await browser.api.webhook(secret="scsec_before")
    page = await browser.send(f"{ONE}/rotate", {"back": ONE})
    fresh = page.all("code", id="secret")[0].text
    assert fresh.startswith("scsec_")
    assert (fresh != "scsec_before", await secret_of(browser.api)) == (True, fresh)
    assert "A new secret signs every attempt from now on." in page.text


async def test_settings_are_saved_and_what_is_scheduled_follows(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    api.receiver.respond(500)
    await api.emitted()
    fields = [("url", "http://127.0.0.1:9/other"), ("events", "agent.failed"), ("description", "moved")]
    page = await browser.send(ONE, fields)
    assert note(page) == "Saved webhook-123. 1 scheduled delivery follows the new settings."
    assert page.all("input", name="url")[0].attributes["value"] == "http://127.0.0.1:9/other"
    assert note(await browser.send(ONE, fields)) == "Nothing changed: webhook-123 was like this before."
    refused = await browser.send(ONE, {"url": URL})
    assert (refused.status, "needs at least one event type" in refused.text) == (400, True)


async def test_a_webhook_is_disabled_enabled_and_deleted(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    page = await browser.send(f"{ONE}/disable", {"back": ONE})
    assert note(page) == "Disabled webhook-123."
    await api.post("/v1/agents/my-agent/events", {"type": "agent.failed"})
    assert (
        note(await browser.send(f"{ONE}/enable", {"back": ONE})) == "Enabled webhook-123. 1 scheduled delivery goes on."
    )
    page = await browser.send(f"{ONE}/delete", {"back": ONE})
    assert note(page).startswith("Deleted webhook-123.")
    assert (await browser.twin("/webhooks.json"))["rows"] == []
    kept = await browser.page(ONE)
    assert (kept.status, "It was deleted" in kept.text) == (200, True)
    assert [one.attributes["action"] for one in kept.all("form") if "/webhooks/" in one.attributes["action"]] == []
    for action in ("secret", "export", "rotate", "enable", "disable", "delete", "test", "ask"):
        assert (await browser.send(f"{ONE}/{action}", {"back": ONE})).status == 404


async def test_a_test_is_sent_and_leads_to_its_delivery(browser: Browser) -> None:
    api = browser.api
    await api.webhook(events=["agent.timeout"])
    status, told = await browser.send_quietly(f"{ONE}/test", {"back": ONE})
    _, deliveries = await api.get("/v1/deliveries")
    (sent,) = deliveries["data"]
    assert (status, told["to"]) == (200, f"/deliveries/{sent['id']}")
    assert (sent["trigger"], sent["event_type"], sent["state"]) == ("test", "agent.timeout", "delivered")


async def test_a_receiver_is_asked_whether_it_answers(browser: Browser) -> None:
    api = browser.api
    await api.webhook(url=f"http://127.0.0.1:{api.client.port}/nowhere")
    _, told = await browser.send_quietly(f"{ONE}/ask", {"back": ONE})
    assert told["said"].startswith(f"127.0.0.1:{api.client.port} answers: 404 to GET")
    for url, said in (
        ("http://127.0.0.1:1/hook", "Nothing listens at 127.0.0.1:1."),
        ("https://example.com/hook", "Not asked: example.com"),
    ):
        await browser.send(ONE, {"url": url, "events": "agent.failed"})
        _, told = await browser.send_quietly(f"{ONE}/ask", {"back": ONE})
        assert (told["tone"], told["said"].startswith(said)) == ("bad", True)


async def test_every_starter_can_be_copied_from_the_page(browser: Browser) -> None:
    await browser.api.webhook()
    page = await browser.page(ONE)
    assert {one.name: page.all("pre", id=f"starter-{one.name}")[0].text.strip() for one in STARTERS} == {
        one.name: one.text().strip() for one in STARTERS
    }


async def test_every_event_type_has_a_box(browser: Browser) -> None:
    page = await browser.page("/webhooks")
    assert sorted(one.attributes["value"] for one in page.all("input", name="events")) == sorted(EVENT_TYPE_NAMES)


async def test_an_unknown_webhook_is_a_page_of_404(browser: Browser) -> None:
    page = await browser.page("/webhooks/webhook-999")
    assert (page.status, "webhook-999" in page.text) == (404, True)


def test_bars_stand_on_the_ground_and_failures_on_what_got_through() -> None:
    def point(sent: int, delivered: int) -> StatsPointOut:
        return StatsPointOut(t=0, sent=sent, delivered=delivered, failed=sent - delivered, p50_ms=None, p95_ms=None)

    drawn = bars([point(4, 3), point(0, 0), point(2, 2)])
    assert [(bar.x, bar.y, bar.height, bar.failed) for bar in drawn] == [
        (0, 5, 15, False),
        (0, 0, 5, True),
        (16, 10, 10, False),
    ]
    assert bars([]) == []
    assert all(bar.y >= 0 and bar.y + bar.height <= HEIGHT for bar in bars([point(1000, 999), point(1, 0)]))
