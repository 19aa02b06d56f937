"""Replaying many deliveries over the API: counted first, in turn, stopped when it goes wrong, and never twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from swiftclaw_local.platform import replays
from tests.acceptance.api import URL, Api

FAST = {"rate": 10_000, "filter": {"unresolved": True}}


async def failures(api: Api, count: int, *statuses: int | str) -> list[str]:
    """Register a webhook, let so many deliveries fail with 503 (or these answers, in turn), and return their ids."""
    await api.webhook()
    api.receiver.respond(*(statuses or (503,)))
    return [(await api.emitted())["id"] for _ in range(count)]


async def begun(api: Api, **asked: Any) -> dict[str, Any]:
    status, replay = await api.post("/v1/replays", {**FAST, **asked})
    assert status == 201, replay
    return dict(replay)


async def until(api: Api, replay_id: str, *states: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            _, replay = await api.get(f"/v1/replays/{replay_id}")
            if replay["state"] in states:
                return dict(replay)
            await asyncio.sleep(0.01)


def counts(replay: dict[str, Any]) -> dict[str, int]:
    names = ("fixed", "still_failing", "regressed", "still_ok", "skipped", "sending", "left")
    return {name: replay[name] for name in names if replay[name]}


async def test_a_dry_run_counts_and_sends_nothing(api: Api) -> None:
    ids = await failures(api, 3)
    sent = len(api.receiver.received)
    status, plan = await api.post("/v1/replays", {**FAST, "rate": 10, "dry_run": True})
    assert (status, plan["total"], plan["webhooks"], plan["scheduled"], plan["about_s"]) == (200, 3, 1, 3, 0.3)
    assert (plan["first"]["delivery"], plan["canary"], len(api.receiver.received)) == (ids[0], 1, sent)
    assert (await api.get("/v1/replays"))[1]["data"] == []


async def test_what_failed_is_sent_again_in_the_order_of_its_events_and_its_retries_are_canceled(api: Api) -> None:
    ids = await failures(api, 12)
    first = [received.body for received in api.receiver.received]
    api.receiver.respond(200)
    replay = await until(api, (await begun(api))["id"], "done")
    assert (replay["id"], replay["total"], counts(replay)) == ("rpl_1", 12, {"fixed": 12})
    assert [received.body for received in api.receiver.received[12:]] == first
    _, before = await api.get(f"/v1/deliveries/{ids[0]}")
    assert (before["state"], before["final_reason"], before["explanation"]) == (
        "canceled",
        "replayed",
        "a replay took its place",
    )
    assert (await api.get("/v1/deliveries?unresolved=1"))[1]["data"] == []
    assert (await api.refused("POST", "/v1/replays", FAST))[:2] == (404, "not_found")


async def test_what_fails_again_is_replayed_by_the_same_once_more(api: Api) -> None:
    await failures(api, 4)
    api.receiver.respond(200, 500, 200)
    first = await until(api, (await begun(api))["id"], "done")
    assert counts(first) == {"fixed": 3, "still_failing": 1}
    (bad,) = first["bad"]
    assert (bad["verdict"], bad["status"]) == ("still_failing", 500)
    second = await until(api, (await begun(api))["id"], "done")
    assert (second["total"], counts(second)) == (1, {"fixed": 1})


async def test_of_one_event_and_webhook_only_the_newest_is_sent(api: Api) -> None:
    (failed,) = await failures(api, 1, 400)
    await api.post(f"/v1/deliveries/{failed}/replay", {})
    await api.get("/v1/deliveries/@last?wait=settled")
    replay = await begun(api)
    assert replay["total"] == 1


async def test_a_failed_canary_stops_it_and_resuming_accepts_that(api: Api) -> None:
    await failures(api, 5)
    replay = await begun(api, canary=2)
    stopped = await until(api, replay["id"], "stopped")
    assert stopped["reason"] == "canary"
    assert stopped["left"] >= 3
    assert {one["verdict"] for one in stopped["canaries"]} == {"still_failing"}
    api.receiver.respond(200)
    await api.post(f"/v1/replays/{replay['id']}/resume")
    assert (await api.platform.reads.replay(replay["id"])).judged_after == 5 - stopped["left"]
    done = await until(api, replay["id"], "done")
    assert done["fixed"] == stopped["left"]


async def test_the_others_wait_for_what_comes_of_the_canary(api: Api) -> None:
    await failures(api, 5)
    sent = len(api.receiver.received)
    api.receiver.respond(200)
    api.receiver.hold()
    replay = await begun(api, canary=1)
    await api.receiver.arrived(sent + 1)
    await asyncio.sleep(0.2)  # four turns of the loop that would send them
    assert (await api.get(f"/v1/replays/{replay['id']}"))[1]["left"] == 4
    api.receiver.release()
    assert counts(await until(api, replay["id"], "done")) == {"fixed": 5}


async def test_it_stops_after_so_many_failures_in_a_row(api: Api) -> None:
    await failures(api, 300)
    api.receiver.respond(*[200, 500] * 20, 500)
    replay = await begun(api, stop_after=5)
    stopped = await until(api, replay["id"], "stopped", "done")
    assert (stopped["state"], stopped["reason"]) == ("stopped", "failures")
    assert stopped["left"] > 0
    assert stopped["fixed"] == 20


async def test_it_is_paused_and_resumed(api: Api) -> None:
    await failures(api, 30)
    api.receiver.respond(200)
    replay = await begun(api, rate=50)
    await asyncio.sleep(0.1)
    _, paused = await api.post(f"/v1/replays/{replay['id']}/pause")
    await asyncio.sleep(0.2)
    _, later = await api.get(f"/v1/replays/{replay['id']}")
    assert (paused["state"], later["left"], later["eta_s"]) == ("paused", paused["left"], None)
    assert 0 < later["left"] < 30
    await api.post(f"/v1/replays/{replay['id']}/resume")
    assert counts(await until(api, replay["id"], "done")) == {"fixed": 30}
    assert (await api.refused("POST", f"/v1/replays/{replay['id']}/pause"))[:2] == (409, "conflict")


async def test_the_rate_holds_over_all(api: Api) -> None:
    await failures(api, 10)
    api.receiver.respond(200)
    loop = asyncio.get_running_loop()
    started = loop.time()
    await until(api, (await begun(api, rate=20))["id"], "done")
    assert 0.4 <= loop.time() - started < 3


async def test_verdicts_say_what_changed(api: Api) -> None:
    ids = await failures(api, 3, 200, 200, 404)
    api.receiver.respond(200, 500, 200)
    replay = await begun(api, filter=None, deliveries=ids, canary=0)
    done = await until(api, replay["id"], "done")
    assert counts(done) == {"still_ok": 1, "regressed": 1, "fixed": 1}
    assert done["filter"] == {"deliveries": 3}


async def paused_after_one(api: Api) -> dict[str, Any]:
    """Begin a replay of what failed, and pause it when the first one was sent."""
    api.receiver.respond(200)
    replay = await begun(api, rate=0.5, canary=0)
    async with asyncio.timeout(10):
        while (await api.get(f"/v1/replays/{replay['id']}"))[1]["fixed"] == 0:  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)
    await api.post(f"/v1/replays/{replay['id']}/pause")
    return replay


async def test_what_got_through_meanwhile_is_skipped(api: Api) -> None:
    ids = await failures(api, 2, 404)
    replay = await paused_after_one(api)
    await api.post(f"/v1/deliveries/{ids[1]}/replay", {})
    await api.get("/v1/deliveries/@last?wait=settled")
    await api.post(f"/v1/replays/{replay['id']}/resume")
    done = await until(api, replay["id"], "done")
    assert [(one["delivery"], one["skipped"]) for one in done["bad"]] == [(ids[1], "delivered")]


async def test_what_has_nowhere_to_go_is_skipped(api: Api) -> None:
    ids = await failures(api, 3, 404)
    replay = await paused_after_one(api)
    await api.call("DELETE", "/v1/agents/my-agent/webhooks/webhook-123")
    await api.post(f"/v1/replays/{replay['id']}/resume")
    done = await until(api, replay["id"], "done")
    assert [(one["delivery"], one["skipped"]) for one in done["bad"]] == [
        (ids[1], "webhook_deleted"),
        (ids[2], "webhook_deleted"),
    ]


async def test_it_goes_to_another_webhook_when_asked(api: Api) -> None:
    await failures(api, 2)
    await api.webhook(url="http://127.0.0.1:9/other", events=["deployment.failed"])
    api.receiver.respond(200)
    replay = await begun(api, to="http://127.0.0.1:9/other")
    assert (replay["to"], counts(await until(api, replay["id"], "done"))) == ("webhook-124", {"fixed": 2})
    assert [received.url for received in api.receiver.received] == [URL, URL, *["http://127.0.0.1:9/other"] * 2]
    status, code, message = await api.refused("POST", "/v1/replays", {**FAST, "to": "webhook-9"})
    assert (status, code) == (404, "unknown_webhook")
    assert 'No webhook has the id "webhook-9".' in message


async def test_it_goes_to_a_url_that_is_registered_for_it_alone_with_the_same_secret(api: Api) -> None:
    await failures(api, 2)
    new = "http://127.0.0.1:9/mended"
    _, plan = await api.post("/v1/replays", {**FAST, "to": new, "dry_run": True})
    assert (plan["to"], plan["secret_of"]) == (new, "webhook-123")
    assert len((await api.get("/v1/agents/my-agent/webhooks"))[1]["data"]) == 1
    api.receiver.respond(200)
    replay = await until(api, (await begun(api, to=new))["id"], "done")
    assert (replay["to"], counts(replay)) == ("webhook-124", {"fixed": 2})
    first, again = api.receiver.received[0], api.receiver.received[2]
    assert (again.url, again.body, again.signature) == (new, first.body, first.signature)
    await api.emitted()
    assert [received.url for received in api.receiver.received[2:]] == [new, new, URL]
    _, webhook = await api.get("/v1/agents/my-agent/webhooks/webhook-124")
    assert (webhook["events"], webhook["description"]) == ([], "made by a replay, for deliveries of webhook-123")
    status, _ = await api.post("/v1/agents/my-agent/webhooks/webhook-124/test")
    assert (status, api.receiver.received[-1].url) == (200, new)


async def test_a_new_url_takes_those_of_one_webhook_alone(api: Api) -> None:
    await failures(api, 1, 404)
    await api.webhook(url="http://127.0.0.1:9/other")
    await api.emitted()
    asked = {**FAST, "to": "http://127.0.0.1:9/mended"}
    status, code, message = await api.refused("POST", "/v1/replays", asked)
    assert (status, code, "They belong to 2 webhooks" in message) == (400, "invalid_input", True)
    assert (await api.refused("POST", "/v1/replays", {**asked, "to": "mended:8000/x"}))[:2] == (400, "invalid_url")
    await api.call("DELETE", "/v1/agents/my-agent/webhooks/webhook-123")
    gone = {**asked, "filter": {"webhook": "webhook-123"}}
    status, code, message = await api.refused("POST", "/v1/replays", gone)
    assert (status, code, "webhook-123 was deleted" in message) == (404, "unknown_webhook", True)


async def test_with_retries_it_is_scheduled_and_counts_as_failing_until_it_is_not(api: Api) -> None:
    await failures(api, 1, 404)
    api.receiver.respond(500, 200)
    replay = await begun(api, with_retries=True, canary=0)
    assert counts(await until(api, replay["id"], "done")) == {"still_failing": 1}
    await api.post("/_local/clock/advance", {"by": "1m"})
    assert counts((await api.get(f"/v1/replays/{replay['id']}"))[1]) == {"fixed": 1}


async def test_more_than_a_replay_holds_are_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "MOST_ITEMS", 2)
    await failures(api, 3)
    _, code, message = await api.refused("POST", "/v1/replays", FAST)
    assert (code, message) == ("invalid_input", "More than 2 deliveries match.")
    assert (await api.get("/v1/replays"))[1]["data"] == []


async def test_a_reset_forgets_replays(api: Api) -> None:
    await failures(api, 3)
    await begun(api, rate=0.5)
    await api.post("/_local/reset", {})
    assert (await api.get("/v1/replays"))[1]["data"] == []
    await failures(api, 2)
    api.receiver.respond(200)
    again = await begun(api)
    assert (again["id"], counts(await until(api, "rpl_1", "done"))) == ("rpl_1", {"fixed": 2})


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({}, "filter", "Say which deliveries"),
        ({"filter": {}, "deliveries": ["dlv_" + "0" * 26]}, "filter", "Say which deliveries"),
        ({"filter": {"unresolve": True}}, None, "Did you mean"),
        ({"filter": {}, "rate": 0}, "rate", "greater than 0"),
        ({"filter": {"since": "soon"}}, "since", "soon"),
        ({"filter": {"state": "delivered", "failed": True}}, "state", "not failed"),
    ],
)
async def test_what_cannot_be_asked_is_refused(api: Api, body: dict[str, Any], field: str | None, said: str) -> None:
    status, answer = await api.post("/v1/replays", body)
    assert status == 400
    assert said in answer["error"]["message"] + (answer["error"]["hint"] or "")
    assert field is None or answer["error"]["field"] == field
    assert (await api.refused("GET", "/v1/replays/rpl_9"))[:2] == (404, "unknown_replay")
