"""Deliveries over the API: filters, groups, pages, replay, cancel, waiting."""

from __future__ import annotations

import asyncio

import pytest

from tests.acceptance.api import Api


async def outage(api: Api) -> None:
    """Five deliveries: 500 (retrying), 401 (failed), refused (retrying), 200, 200."""
    await api.webhook()
    api.receiver.respond(500, 401, "connect_refused", 200)
    for type in ("agent.failed", "agent.completed", "agent.timeout", "agent.failed", "agent.failed"):
        await api.emitted(type)


@pytest.mark.parametrize(
    ("query", "states"),
    [
        ("", ["delivered", "delivered", "retrying", "failed", "retrying"]),
        ("state=retrying", ["retrying", "retrying"]),
        ("state=scheduled", []),
        ("failed=1", ["failed"]),
        ("unresolved=1", ["retrying", "failed", "retrying"]),
        ("status=5xx", ["retrying"]),
        ("status=401", ["failed"]),
        ("cause=connect_refused", ["retrying"]),
        ("type=agent.failed", ["delivered", "delivered", "retrying"]),
        ("agent=nobody", []),
        ("webhook=webhook-123&state=failed", ["failed"]),
        ("q=time_limit", ["retrying"]),
        ("since=1h%20ago", ["delivered", "delivered", "retrying", "failed", "retrying"]),
        ("until=1h%20ago", []),
    ],
)
async def test_a_filter_lists_what_fits_newest_first(api: Api, query: str, states: list[str]) -> None:
    await outage(api)
    status, answer = await api.get(f"/v1/deliveries?{query}")
    assert (status, [one["state"] for one in answer["data"]]) == (200, states)
    assert answer["total"] == len(states)


async def test_groups_count_deliveries_by_their_last_answer(api: Api) -> None:
    await outage(api)
    _, answer = await api.get("/v1/deliveries?unresolved=1&group=cause")
    assert {one["cause"]: one["deliveries"] for one in answer["data"]} == {"401": 1, "500": 1, "connect_refused": 1}
    _, answer = await api.get("/v1/deliveries?unresolved=1&group=webhook")
    assert [(one["webhook"], one["deliveries"], one["events"]) for one in answer["data"]] == [("webhook-123", 3, 3)]


async def test_a_page_tells_the_next_and_the_total_when_asked(api: Api) -> None:
    await outage(api)
    _, first = await api.get("/v1/deliveries?limit=3&total=1")
    _, second = await api.get(f"/v1/deliveries?limit=3&cursor={first['next']}")
    assert (first["total"], len(first["data"]), len(second["data"]), second["next"]) == (5, 3, 2, None)
    assert (await api.get("/v1/deliveries?limit=3"))[1]["total"] is None


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("limt=3", "invalid_input", 'There is no "limt" in the query. Did you mean "limit"?'),
        ("limit=501", "invalid_input", '"limit" in the query: input should be less than or equal to 500.'),
        ("limit=1&limit=2", "invalid_input", '"limit" is given twice in the query.'),
        ("since=yesterday", "invalid_time", '"yesterday" is not a time.'),
        ("cursor=%00", "invalid_cursor", '"\x00" is not a cursor of this list.'),
        ("state=retrying&failed=1", "invalid_input", "A delivery that is retrying is not failed: give one of the two."),
    ],
)
async def test_a_query_that_is_wrong_is_refused(api: Api, query: str, code: str, message: str) -> None:
    assert await api.refused("GET", f"/v1/deliveries?{query}") == (400, code, message)


async def test_a_replay_is_a_new_delivery_of_the_same_event(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(401, 200)
    old = await api.emitted()
    status, new = await api.post("/v1/deliveries/@last-failed/replay")
    assert (status, new["replay_of"], new["event_id"], new["trigger"]) == (202, old["id"], old["event_id"], "replay")
    _, ended = await api.get(f"/v1/deliveries/{new['id']}?wait=settled&timeout=5s")
    assert (ended["state"], ended["retries_max"]) == ("delivered", 0)
    assert api.receiver.received[0].body == api.receiver.received[1].body
    assert (await api.get(f"/v1/deliveries/{old['id']}"))[1]["state"] == "failed"


async def test_a_replay_goes_to_another_webhook_or_to_a_url_that_is_registered_for_it(api: Api) -> None:
    await api.webhook()
    await api.webhook(url="http://127.0.0.1:9/other", events=["deployment.failed"], secret="scsec_other")
    api.receiver.respond(401, 200, 500, 200)
    await api.emitted()
    new = "http://127.0.0.1:9/mended"
    for to, webhook in (("webhook-124", "webhook-124"), (new, "webhook-125"), (new, "webhook-125")):
        status, made = await api.post("/v1/deliveries/@last-failed/replay", {"to": to})
        assert (status, made["webhook_id"]) == (202, webhook)
        await api.get(f"/v1/deliveries/{made['id']}?wait=settled&timeout=5s")
    first, other, mended, again = api.receiver.received
    assert {one.body for one in (other, mended, again)} == {first.body}
    assert (other.url, mended.url, again.url) == ("http://127.0.0.1:9/other", new, new)
    assert (other.signature != first.signature, mended.signature == first.signature) == (True, True)


async def test_what_cannot_be_replayed_registers_nothing(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(500)
    path = f"/v1/deliveries/{(await api.emitted())['id']}/replay"
    new = {"to": "http://127.0.0.1:9/mended"}
    assert (await api.refused("POST", path, new))[:2] == (409, "delivery_pending")
    assert (await api.refused("POST", path, {**new, "now": True}))[:2] == (400, "invalid_input")
    assert (await api.refused("POST", path, {"to": "webhook-9"}))[:2] == (404, "unknown_webhook")
    assert (await api.refused("POST", path, {"to": "a/b"}))[:2] == (400, "invalid_url")
    assert len((await api.get("/v1/agents/my-agent/webhooks"))[1]["data"]) == 1


async def test_a_pending_delivery_is_not_replayed_but_brought_forward(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(500, 200)
    delivery = await api.emitted()
    path = f"/v1/deliveries/{delivery['id']}"
    assert (await api.refused("POST", f"{path}/replay"))[:2] == (409, "delivery_pending")
    assert (await api.post(f"{path}/replay", {"now": True}))[0] == 202
    _, ended = await api.get(f"{path}?wait=settled&timeout=5s")
    assert [(one["n"], one["kind"], one["retry"]) for one in ended["attempts"]] == [(1, "first", 0), (2, "retry", 1)]


async def test_cancel_ends_a_pending_delivery_and_no_other(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(500)
    delivery = await api.emitted()
    path = f"/v1/deliveries/{delivery['id']}/cancel"
    status, canceled = await api.post(path)
    assert (status, canceled["state"], canceled["explanation"]) == (200, "canceled", "canceled on request")
    assert (await api.refused("POST", path))[:2] == (409, "delivery_ended")


async def test_a_wait_ends_when_the_delivery_does(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(500, 200)
    delivery = await api.emitted()
    waiting = asyncio.create_task(api.get(f"/v1/deliveries/{delivery['id']}?wait=settled&timeout=10s"))
    _, moved = await api.post("/_local/clock/advance", {"by": "1m"})
    status, ended = await waiting
    assert (status, ended["state"], moved["delivered"]) == (200, "delivered", 1)


async def test_an_unknown_delivery_is_not_found(api: Api) -> None:
    assert (await api.refused("GET", "/v1/deliveries/dlv_nope"))[:2] == (404, "unknown_delivery")
    assert (await api.refused("GET", "/v1/deliveries/@last"))[:2] == (404, "unknown_delivery")


async def test_the_hint_of_a_rejected_signature_names_the_way_to_find_out(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(401)
    delivery = await api.emitted()
    assert [hint["code"] for hint in delivery["hints"]] == ["signature_rejected"]
    assert delivery["explanation"] == "4xx is not retried"
