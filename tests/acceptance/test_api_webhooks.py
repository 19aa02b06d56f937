"""Webhooks over the API: the page's commands, and what is answered to a wrong one."""

from __future__ import annotations

import pytest

from swiftclaw_local.events.catalog import EVENT_TYPE_NAMES
from tests.acceptance.api import URL, Api

WEBHOOKS = "/v1/agents/my-agent/webhooks"
ONE = f"{WEBHOOKS}/webhook-123"


async def test_a_webhook_without_types_gets_all_nine_and_its_secret_is_shown_once(api: Api) -> None:
    created = await api.webhook()
    _, listed = await api.get(WEBHOOKS)
    _, shown = await api.get(ONE)
    assert (created["id"], created["events"]) == ("webhook-123", list(EVENT_TYPE_NAMES))
    assert created["secret"].startswith("scsec_")
    assert [listed["data"][0]["secret"], shown["secret"]] == [None, None]
    assert await api.get(f"{ONE}/secret") == (200, {"secret": created["secret"]})


async def test_the_list_of_all_agents_and_of_one(api: Api) -> None:
    await api.webhook("one")
    await api.webhook("two")
    _, everybody = await api.get("/v1/webhooks")
    _, one = await api.get("/v1/agents/one/webhooks")
    assert [webhook["agent"] for webhook in everybody["data"]] == ["one", "two"]
    assert [webhook["id"] for webhook in one["data"]] == ["webhook-123"]


async def test_a_list_is_read_page_by_page(api: Api) -> None:
    for _ in range(3):
        await api.webhook()
    _, first = await api.get(f"{WEBHOOKS}?limit=2")
    _, second = await api.get(f"{WEBHOOKS}?limit=2&cursor={first['next']}")
    ids = [webhook["id"] for webhook in first["data"] + second["data"]]
    assert (ids, second["next"]) == (["webhook-123", "webhook-124", "webhook-125"], None)


async def test_an_update_answers_with_what_was_and_what_waits(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(500)
    await api.emitted()
    status, changed = await api.call("PATCH", ONE, {"url": f"{URL}/new", "events": ["agent.failed", "agent.completed"]})
    assert (status, changed["url"], changed["before"]["url"]) == (200, f"{URL}/new", URL)
    assert changed["events"] == ["agent.completed", "agent.failed"]
    assert changed["pending"] == 1


async def test_a_public_url_is_taken_with_a_note(api: Api) -> None:
    created = await api.webhook(url="https://yourapp.com/webhooks/swiftclaw")
    assert created["note"] == "public host: sends are blocked, see --allow-host"


async def test_delete_cancels_what_is_scheduled_and_keeps_the_log(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(500)
    await api.emitted()
    assert await api.call("DELETE", ONE) == (200, {"id": "webhook-123", "canceled": 1, "deliveries": 1})
    _, log = await api.get("/v1/deliveries?webhook=webhook-123")
    assert [delivery["state"] for delivery in log["data"]] == ["canceled"]
    assert (await api.call("DELETE", ONE))[0] == 404


async def test_rotation_shows_the_new_secret(api: Api) -> None:
    await api.webhook(secret="old")
    assert await api.post(f"{ONE}/secret/rotate", {"secret": "new"}) == (200, {"secret": "new"})
    status, rotated = await api.post(f"{ONE}/secret/rotate")
    assert (status, len(rotated["secret"])) == (200, 38)
    assert await api.get(f"{ONE}/secret") == (200, rotated)


async def test_a_test_shows_what_the_receiver_did_and_is_not_retried(api: Api) -> None:
    await api.webhook(events=["agent.failed"])
    api.receiver.respond(500)
    status, delivery = await api.post(f"{ONE}/test")
    assert (status, delivery["state"], delivery["trigger"], delivery["event_type"]) == (
        200,
        "failed",
        "test",
        "agent.failed",
    )
    assert delivery["attempts"][0]["response"]["status"] == 500
    assert delivery["explanation"] == "500; a test is one attempt, not retried"


async def test_a_test_with_retry_is_scheduled(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(500)
    _, delivery = await api.post(f"{ONE}/test", {"retry": True, "type": "system.incident", "data": {"severity": "low"}})
    assert (delivery["state"], delivery["retries_max"], delivery["next_in_s"]) == ("retrying", 5, 60)
    _, event = await api.get(f"/v1/events/{delivery['event_id']}")
    assert (event["event"]["type"], event["event"]["data"]["severity"]) == ("system.incident", "low")


async def test_a_webhooks_log_lists_its_failed_deliveries(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(401, 200, 200)
    for type in ("agent.failed", "agent.completed", "agent.failed"):
        await api.emitted(type)
    _, everything = await api.get(f"{ONE}/deliveries")
    _, failed = await api.get(f"{ONE}/deliveries?failed=1")
    _, of_type = await api.get(f"{ONE}/deliveries?event=agent.failed&status=2xx")
    assert [one["state"] for one in everything["data"]] == ["delivered", "delivered", "failed"]
    assert [one["explanation"] for one in failed["data"]] == ["4xx is not retried"]
    assert [one["last_status"] for one in of_type["data"]] == [200]


@pytest.mark.parametrize(
    ("body", "code", "field", "message"),
    [
        ({"ur": URL}, "invalid_input", "ur", 'There is no "ur" in the body. Did you mean "url"?'),
        ({}, "invalid_input", "url", '"url" in the body: it is required.'),
        ({"url": 5}, "invalid_input", "url", '"url" in the body: write a string.'),
        ({"url": URL, "events": "agent.failed"}, "invalid_input", "events", '"events" in the body: write a list.'),
        ({"url": URL, "events": [1]}, "invalid_input", "events[0]", '"events[0]" in the body: write a string.'),
        ({"url": URL, "enabled": "yes"}, "invalid_input", "enabled", '"enabled" in the body: write true or false.'),
        (
            {"url": URL, "events": ["agent.complete"]},
            "unknown_event_type",
            "events",
            'Unknown event type "agent.complete" in events. Did you mean "agent.completed"?',
        ),
        (
            {"url": URL, "secret": ""},
            "invalid_secret",
            "secret",
            "A secret is 1 to 512 printable characters, without spaces around them.",
        ),
    ],
)
async def test_a_body_that_is_wrong_is_refused_by_the_name_of_its_field(
    api: Api, body: dict[str, object], code: str, field: str, message: str
) -> None:
    status, answer = await api.post(WEBHOOKS, body)
    error = answer["error"]
    assert (status, error["code"], error["field"], error["message"]) == (400, code, field, message)
    assert (await api.get("/v1/webhooks"))[1]["data"] == []


async def test_a_url_without_scheme_is_refused_with_a_guess(api: Api) -> None:
    status, code, message = await api.refused("POST", WEBHOOKS, {"url": "localhost:8000/hook"})
    assert (status, code) == (400, "invalid_url")
    assert "Did you mean http://localhost:8000/hook" in message


async def test_a_wrong_name_is_answered_with_the_right_ones(api: Api) -> None:
    await api.webhook()
    assert await api.refused("GET", "/v1/agents/my-agnet/webhooks/webhook-123") == (
        404,
        "unknown_agent",
        'No agent "my-agnet" has webhooks. Did you mean "my-agent"? Agents: my-agent',
    )
    assert await api.refused("DELETE", f"{WEBHOOKS}/webhook-12") == (
        404,
        "unknown_webhook",
        'my-agent has no webhook "webhook-12". It has: webhook-123.',
    )
