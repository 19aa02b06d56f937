"""The console's page Send: what it says will be sent is what is sent, to the byte."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

import pytest

from swiftclaw_local.dispatcher.fault_kinds import KINDS, NEVER_SENT
from swiftclaw_local.events.shapes import SHAPES
from swiftclaw_local.platform.faults import GATHERING
from swiftclaw_local.plays.recording import Recorded
from swiftclaw_local.server.console.pages.send import FAULTS
from tests.acceptance.api import Api
from tests.acceptance.browsing import Browser, Html


@pytest.fixture
def browser(api: Api) -> Browser:
    return Browser(api)


def fields_of(page: Html, **changed: str) -> dict[str, str]:
    """Return what the form on the page sends, as it was filled in by the server."""
    hidden = {one.attributes["name"]: one.attributes["value"] for one in page.all("input", type_="hidden")}
    mine = {name: hidden[name] for name in ("id", "created") if name in hidden}
    data = page.all("textarea", name="data")[0].text
    return {"type": "agent.completed", "agent": "my-agent", "data": data, **mine, **changed}


async def preview(browser: Browser, fields: Mapping[str, str]) -> Any:
    """Return what the page says will be sent: the body, and (webhook, signature) of each that it goes to."""
    page = await browser.send("/send/preview", dict(fields))
    assert page.status == 200, page.text
    return page


async def test_the_page_is_filled_in_with_the_types_sample(browser: Browser) -> None:
    await browser.api.webhook()
    page = await browser.page("/send?type=agent.timeout")
    data = json.loads(page.all("textarea", name="data")[0].text)
    assert (data["agent"], data["time_limit"]) == ("my-agent", 30000)
    told = await browser.twin("/send.json?type=agent.timeout")
    assert (told["form"]["type"], told["preview"]["targets"][0]["goes"], told["error"]) == ("agent.timeout", True, None)


@pytest.mark.parametrize("shape", SHAPES)
async def test_what_is_shown_is_what_is_sent_to_the_byte(browser: Browser, shape: str) -> None:
    api = browser.api
    await api.webhook()
    data = json.dumps({"agent": "my-agent", "note": "Grüße, 🦞", "n": 1250}, ensure_ascii=False)
    fields = fields_of(await browser.page("/send"), data=data, shape=shape, fault="")
    shown = await preview(browser, fields)
    body = shown.all("pre", class_="raw")[0].text
    signature = shown.all("code", class_="signature")[0].text
    assert api.receiver.received == []
    await browser.send("/send", fields)
    (sent,) = api.receiver.received
    assert (sent.body.decode(), sent.signature) == (body, signature)


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.name)
async def test_what_is_shown_under_a_fault_is_what_is_sent(browser: Browser, kind: Any) -> None:
    api = browser.api
    await api.webhook()
    fields = fields_of(await browser.page("/send"), shape="compact", fault=kind.name)
    if kind.name == "huge_body":
        fields["fault"] = "huge_body:2048"
    shown = await preview(browser, fields)
    await browser.send("/send", fields)
    heads = [one.text for one in shown.all("pre") if one.attributes["aria-label"].startswith("Headers")]
    if kind.name in NEVER_SENT:
        assert (heads, api.receiver.received) == ([], [])
        return
    if kind.name == "delay":
        await api.platform.timeline.run_next()
    _, deliveries = await api.get("/v1/deliveries")
    _, delivery = await api.get(f"/v1/deliveries/{deliveries['data'][0]['id']}")
    sent = api.receiver.received[0]
    headers = next(one["request"]["headers"] for one in delivery["attempts"] if one["request"]["headers"])
    assert dict(line.split(": ", 1) for line in heads[0].splitlines()) == headers
    assert sent.body.decode() == shown.all("pre", class_="raw")[0].text


def test_every_fault_that_one_event_can_meet_is_offered() -> None:
    offered = {kind.name for kind in FAULTS} | {"body_shape"}  # which has a field of its own
    assert offered == {kind.name for kind in KINDS} - GATHERING


async def test_it_says_where_it_goes_and_where_not_and_why(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    await api.webhook(events=["agent.failed"])
    await api.webhook(enabled=False)
    await api.webhook(agent="billing")
    page = await browser.page("/send?agent=my-agent")
    assert "Goes to 2 webhooks" in page.text
    assert "webhook-124: not subscribed to agent.completed" in page.text
    assert "it waits until the webhook is enabled" in page.text
    assert "webhook-126:" not in page.text
    page = await preview(browser, fields_of(page, webhook="webhook-125"))
    assert "Goes to 1 webhook" in page.text
    assert "webhook-123: another one is chosen" in page.text
    everyone = await browser.page("/send?agent=my-agent&type=system.incident")
    assert "Goes to 3 webhooks" in everyone.text


async def test_it_leads_to_the_delivery_or_to_all_of_them(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    fields = fields_of(await browser.page("/send"))
    _, told = await browser.send_quietly("/send", fields)
    assert told["to"].startswith("/deliveries/dlv_")
    _, told = await browser.send_quietly("/send", fields)
    assert (told["to"], told["tone"]) == ("/send", "note")
    assert len(api.receiver.received) == 1
    await api.webhook()
    _, told = await browser.send_quietly("/send", fields_of(await browser.page("/send")))
    assert told["to"].startswith("/deliveries?q=evt_")
    _, told = await browser.send_quietly("/send", fields_of(await browser.page("/send"), times="3"))
    assert (told["to"], told["said"]) == ("/", "Sent 3 events, 6 deliveries.")
    assert len({json.loads(sent.body)["id"] for sent in api.receiver.received[3:]}) == 3
    _, told = await browser.send_quietly("/send", fields_of(await browser.page("/send"), agent="nobody"))
    assert told["said"] == "Nobody takes agent.completed of nobody, so nothing was sent."


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"data": '{"a": 1,}'}, "is not valid JSON: line 1"),
        ({"data": "[1]"}, "The body is a list."),
        ({"data": '{"a": 1, "a": 2}'}, "a"),
        ({"type": "agent.complete"}, "Did you mean"),
        ({"shape": "round"}, "There is no shape"),
        ({"shape": "pretty", "fault": "duplicate"}, "exclude each other"),
        ({"fault": "burst"}, "is about several events"),
        ({"agent": "my agent"}, "cannot be the name of an agent"),
    ],
)
async def test_what_cannot_be_sent_leaves_the_form_as_it_was_typed(
    browser: Browser, changed: dict[str, str], said: str
) -> None:
    await browser.api.webhook()
    fields = fields_of(await browser.page("/send"), **changed)
    for path in ("/send", "/send/preview", "/send/fixture"):
        page = await browser.send(path, fields)
        assert page.status == 400
        assert said in page.all("p", class_="hint")[0].text
        assert page.all("textarea", name="data")[0].text == fields["data"]
    assert browser.api.receiver.received == []


async def test_a_part_is_the_preview_alone(browser: Browser) -> None:
    await browser.api.webhook()
    page = await browser.send("/send/preview", fields_of(await browser.page("/send"), part="1"))
    assert (page.all("form"), page.all("header")) == ([], [])
    assert page.all("h2")[0].text.startswith("What will be sent")
    broken = await browser.send("/send/preview", fields_of(await browser.page("/send"), part="1", data="{"))
    assert (broken.status, broken.all("h2")[0].text) == (200, "Nothing can be sent yet")


async def test_it_gives_the_command_that_sends_the_like(browser: Browser) -> None:
    await browser.api.webhook()
    page = await preview(
        browser,
        fields_of(await browser.page("/send"), data='{"it": "\'s"}', times="2", webhook="webhook-123", fault="drop"),
    )
    command = page.all("button", title="Copy")[-1].attributes["data-copy"]
    assert shlex.join(shlex.split(command)[:3]) == """printf %s '{"it":"'"'"'s"}'"""
    assert command.partition(" | ")[2] == (
        "swiftclaw trigger agent.completed --agent my-agent --webhook webhook-123 --fault drop --count 2 --exact --data -"
    )


async def test_an_event_is_saved_as_a_recording_of_one(browser: Browser) -> None:
    api = browser.api
    fields = fields_of(await browser.page("/send"))
    async with api.client.post("/send/fixture", data=fields, headers={"Accept": "text/html"}) as answer:
        lines = (await answer.read()).splitlines()
        assert answer.headers["Content-Disposition"] == 'attachment; filename="agent.completed.ndjson"'
    recorded = Recorded.parsed(lines[1])
    assert (len(lines), recorded.event["id"], recorded.agent) == (2, fields["id"], "my-agent")


async def test_an_event_that_was_sent_is_edited_and_sent_anew(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    delivery = await api.emitted("agent.failed", data={"code": 7}, exact=True)
    page = await browser.page(f"/send?event={delivery['event_id']}&webhook=webhook-123")
    assert json.loads(page.all("textarea", name="data")[0].text) == {"code": 7}
    told = await browser.twin(f"/send.json?event={delivery['event_id']}")
    assert (told["form"]["type"], told["form"]["id"] != delivery["event_id"]) == ("agent.failed", True)
