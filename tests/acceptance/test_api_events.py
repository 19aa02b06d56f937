"""Emitting over the API: durable on return, the same id twice, waiting, and the exact bytes."""

from __future__ import annotations

import hashlib
import json

import pytest

from swiftclaw_local.settings import Settings
from tests.acceptance.api import Api
from tests.acceptance.conftest import OpenApi

EVENTS = "/v1/agents/my-agent/events"


async def test_an_event_is_answered_with_its_deliveries_at_once(api: Api) -> None:
    await api.webhook()
    api.receiver.hold()
    status, answer = await api.post(EVENTS, {"type": "agent.completed", "data": {"tokens_used": 7}})
    assert (status, answer["known"], answer["event"]["data"]["tokens_used"]) == (202, False, 7)
    assert [(one["webhook_id"], one["state"]) for one in answer["deliveries"]] == [("webhook-123", "sending")]
    _, read = await api.get(f"/v1/events/{answer['event']['id']}")
    assert read["event"] == answer["event"]
    assert read["deliveries"] == answer["deliveries"]


async def test_waiting_for_the_first_attempt_shows_it_whole(api: Api) -> None:
    await api.webhook()
    delivery = await api.emitted("agent.completed")
    attempt = delivery["attempts"][0]
    assert (delivery["state"], attempt["kind"], attempt["response"]["body"]) == ("delivered", "first", "{}")
    assert list(attempt["request"]["headers"]) == [
        "Host",
        "Content-Type",
        "Content-Length",
        "User-Agent",
        "Accept",
        "Accept-Encoding",
        "X-SwiftClaw-Signature",
    ]


async def test_the_bytes_of_an_event_are_the_bytes_that_were_sent(api: Api) -> None:
    await api.webhook()
    delivery = await api.emitted("agent.completed", data={"text": "Zürich ✓"})
    async with api.client.get(f"/v1/events/{delivery['event_id']}/body") as answer:
        body = await answer.read()
        assert answer.headers["Content-Type"] == "application/json"
    assert body == api.receiver.received[0].body
    sent = delivery["attempts"][0]["request"]
    assert (sent["sha256"], sent["bytes"]) == (hashlib.sha256(body).hexdigest(), len(body))


async def test_waiting_for_the_end_of_one_that_retries_answers_409_with_its_timeline(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(500)
    status, answer = await api.post(f"{EVENTS}?wait=settled&timeout=50ms", {"type": "agent.failed"})
    delivery, error = answer["delivery"], answer["error"]
    assert (status, error["code"]) == (409, "wait_timeout")
    assert error["message"] == (
        f"{delivery['id']} is still retrying after 0.05s: 1 send, last 500; retry 1 of 5 due in 1m 00s of virtual time"
    )
    assert error["hint"] == 'The clock is manual. POST /_local/clock/advance {"by":"1m"}'
    assert [planned["retry"] for planned in delivery["planned"]] == [1, 2, 3, 4, 5]


async def test_waiting_for_one_that_a_disabled_webhook_holds_says_so(api: Api) -> None:
    await api.webhook(enabled=False)
    status, answer = await api.post(f"{EVENTS}?wait=settled&timeout=50ms", {"type": "agent.failed"})
    assert (status, answer["delivery"]["held"], answer["delivery"]["state"]) == (409, True, "scheduled")
    assert answer["error"]["hint"] == "webhook-123 is disabled: swiftclaw webhooks update my-agent webhook-123 --enable"


async def test_a_wait_is_at_most_a_minute(api: Api) -> None:
    assert await api.refused("POST", f"{EVENTS}?wait=first&timeout=2m", {"type": "agent.failed"}) == (
        400,
        "invalid_input",
        '"2m" is longer than 60s.',
    )


@pytest.mark.parametrize("by_header", [True, False])
async def test_the_same_id_twice_is_one_event_and_another_content_is_refused(api: Api, *, by_header: bool) -> None:
    await api.webhook()
    headers = {"Idempotency_Key": "order-1"} if by_header else {}
    given = {} if by_header else {"id": "order-1"}
    body = {"type": "agent.completed", "data": {"tokens_used": 1}, **given}
    _, first = await api.post(EVENTS, body, **headers)
    status, again = await api.post(EVENTS, body, **headers)
    assert (status, again["known"], again["event"]) == (202, True, first["event"])
    assert [one["id"] for one in again["deliveries"]] == [one["id"] for one in first["deliveries"]]
    other = {**body, "data": {"tokens_used": 2}}
    assert (await api.post(EVENTS, other, **headers))[0] == 409


async def test_two_different_ids_for_one_event_are_refused(api: Api) -> None:
    refused = await api.refused("POST", EVENTS, {"type": "agent.failed", "id": "a"}, Idempotency_Key="b")
    assert refused == (400, "invalid_input", "The body's id and the Idempotency-Key differ.")


async def test_an_unknown_type_is_refused_unless_it_is_asked_for(api: Api) -> None:
    await api.webhook()
    assert (await api.refused("POST", EVENTS, {"type": "agent.complete"}))[:2] == (400, "unknown_event_type")
    status, answer = await api.post(EVENTS, {"type": "agent.paused", "allow_unknown_type": True})
    assert (status, answer["event"]["type"]) == (202, "agent.paused")


async def test_an_event_of_the_future_is_scheduled(api: Api) -> None:
    await api.webhook()
    now = (await api.get("/_local/clock"))[1]["now"]
    _, answer = await api.post(EVENTS, {"type": "agent.failed", "created": now + 90})
    delivery = answer["deliveries"][0]
    assert (delivery["state"], delivery["next_in_s"], delivery["explanation"]) == (
        "scheduled",
        90,
        "first attempt in 1m 30s",
    )


async def test_an_agent_run_and_a_deployment_are_sequences(api: Api) -> None:
    await api.webhook()
    status, run = await api.post("/_local/agents/my-agent/runs", {"ending": "timeout"})
    _, deployment = await api.post("/_local/agents/my-agent/deployments", {"ending": "failed"})
    types = [one["event"]["type"] for one in run["events"] + deployment["events"]]
    assert (status, types) == (202, ["agent.invoked", "agent.timeout", "deployment.started", "deployment.failed"])
    assert run["events"][0]["event"]["data"]["request_id"] == run["events"][1]["event"]["data"]["request_id"]
    assert await api.refused("POST", "/_local/agents/my-agent/deployments", {"ending": "timeout"}) == (
        400,
        "invalid_input",
        '"timeout" is not a way to end. Choose one of: completed, failed.',
    )


async def test_events_are_listed_newest_first_and_filtered(api: Api) -> None:
    await api.webhook()
    for type in ("agent.failed", "agent.completed", "system.incident"):
        await api.emitted(type)
    _, everything = await api.get("/v1/events")
    _, some = await api.get("/v1/events?type=agent.failed&agent=my-agent")
    assert [one["type"] for one in everything["data"]] == ["system.incident", "agent.completed", "agent.failed"]
    assert [one["type"] for one in some["data"]] == ["agent.failed"]


async def test_a_part_of_an_id_is_enough_and_last_is_the_newest(api: Api) -> None:
    await api.webhook()
    delivery = await api.emitted()
    for given in (delivery["event_id"], delivery["event_id"][-8:], "@last"):
        _, found = await api.get(f"/v1/events/{given}")
        assert found["event"]["id"] == delivery["event_id"]
    assert (await api.refused("GET", "/v1/events/evt_nope"))[:2] == (404, "unknown_event")


async def test_what_could_not_be_handed_over_is_answered_too(open_api: OpenApi) -> None:
    api = await open_api(Settings(ephemeral=True, clock="manual", seed=7))
    await api.webhook()
    api.receiver.hold()
    states = []
    for _ in range(60):  # more than one webhook's lane holds
        _, answer = await api.post(EVENTS, {"type": "agent.failed"})
        states.append(answer["deliveries"][0]["state"])
    assert set(states) == {"sending", "scheduled"}


async def test_the_events_own_bytes_are_in_the_answer(api: Api) -> None:
    await api.webhook()
    async with api.client.post(EVENTS, json={"type": "agent.completed", "data": {"n": 1e300}}) as answer:
        raw = await answer.read()
    assert b'"n":1e+300' in raw
    assert json.loads(raw)["event"]["data"]["n"] == 1e300
