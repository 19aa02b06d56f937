"""What only a fake has, over the API: the clock, status, reset, verify; and alerts, statistics, health, metrics."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from swiftclaw_local.settings import Settings
from tests.acceptance.api import Api
from tests.acceptance.conftest import OpenApi


async def test_moving_the_clock_lists_what_ran(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(500, 500, 200)
    delivery = await api.emitted()
    status, moved = await api.post("/_local/clock/advance", {"by": "6m"})
    sends = [(one["after_s"], one["retry"], one["status"], one["state"]) for one in moved["sends"]]
    assert (status, sends) == (200, [(60, 1, 500, "retrying"), (360, 2, 200, "delivered")])
    assert (moved["delivered"], moved["scheduled"], moved["stopped_early"]) == (1, 0, False)
    assert moved["sends"][0]["delivery"] == delivery["id"]


async def test_the_clock_goes_to_a_time_to_the_next_attempt_and_to_the_end(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(500)
    await api.emitted()
    start = (await api.get("/_local/clock"))[1]
    assert (start["mode"], start["scheduled"], start["next_at"]) == ("manual", 1, start["now"] + 60)
    _, moved = await api.post("/_local/clock/to", {"to": start["now"] + 60})
    _, next_moved = await api.post("/_local/clock/next")
    _, idle = await api.post("/_local/clock/idle")
    assert [len(one["sends"]) for one in (moved, next_moved, idle)] == [1, 1, 3]
    assert (next_moved["now"], idle["now"], idle["next_at"]) == (start["now"] + 360, start["now"] + 26_460, None)
    assert (await api.refused("POST", "/_local/clock/to", {"to": start["now"]}))[:2] == (409, "clock_backwards")


async def test_a_real_clock_is_not_moved_until_it_is_frozen(open_api: OpenApi) -> None:
    api = await open_api(Settings(ephemeral=True))
    assert await api.refused("POST", "/_local/clock/advance", {"by": "6m"}) == (
        409,
        "clock_not_manual",
        "The clock follows real time; advancing would lie to your receiver's timestamps.",
    )
    modes = [
        (await api.post(f"/_local/clock{path}", body))[1]["mode"]
        for path, body in (("/freeze", None), ("", {"mode": "x60"}), ("", {"mode": "manual"}), ("/resume", None))
    ]
    assert modes == ["manual", "fast", "manual", "real"]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("advance", {"by": "6 hours"}, 'Cannot advance by "6 hours". Write 6h, 90s or 1h30m.'),
        ("advance", {"by": "36500d"}, None),
        ("to", {"to": -1}, "-1 is not a time in unix seconds."),
        ("to", {"to": 1e300}, None),
        ("to", {"to": "noon"}, '"noon" is not a time.'),
        ("next", {"max_sends": 0}, None),
    ],
)
async def test_a_move_that_makes_no_sense_is_refused(
    api: Api, path: str, body: dict[str, object], message: str | None
) -> None:
    if body == {"by": "36500d"}:  # a hundred years are fine; eighty times a hundred are not
        await api.post("/_local/clock/to", {"to": 253_000_000_000})
    status, _, said = await api.refused("POST", f"/_local/clock/{path}", body)
    assert (status, said) == (400, message or said)


async def test_status_shows_the_server_at_a_glance(api: Api) -> None:
    await api.webhook()
    await api.emitted()
    _, status = await api.get("/_local/status")
    assert (status["webhooks"], status["attempts"], status["stuck"], status["agents"]) == (1, 1, 0, ["my-agent"])
    assert status["deliveries"]["delivered"] == 1
    assert (status["data"], status["durability"], status["clock"]["mode"]) == ("memory", "none", "manual")


async def test_a_reset_forgets_everything_or_all_but_the_webhooks(api: Api) -> None:
    await api.webhook()
    await api.emitted()
    assert await api.post("/_local/reset", {"keep": ["webhooks"]}) == (204, None)
    assert ((await api.get("/v1/deliveries"))[1]["data"], len((await api.get("/v1/webhooks"))[1]["data"])) == ([], 1)
    assert await api.post("/_local/reset") == (204, None)
    assert (await api.get("/v1/webhooks"))[1]["data"] == []


async def test_prune_deletes_what_ended_long_ago(api: Api) -> None:
    await api.webhook()
    await api.emitted()
    assert await api.post("/_local/prune", {"older_than": "1h"}) == (200, {"events": 0})
    await api.post("/_local/clock/advance", {"by": "2h"})
    assert await api.post("/_local/prune", {"older_than": "1h"}) == (200, {"events": 1})
    assert (await api.get("/v1/deliveries"))[1]["data"] == []
    assert (await api.refused("POST", "/_local/prune", {"older_than": "soon"}))[0] == 400


async def test_verify_says_whether_and_why_not(api: Api) -> None:
    body = b'{"a":1}'
    good = hmac.new(b"scsec_dev", body, hashlib.sha256).hexdigest()
    asked = {"body_base64": base64.b64encode(body).decode(), "signature": good, "secret": "scsec_dev"}
    _, match = await api.post("/_local/verify", asked)
    _, other = await api.post("/_local/verify", {**asked, "signature": f"sha256={good}"})
    assert (match["match"], match["reason"], other["match"]) == (True, None, False)
    assert other["reason"] is not None
    assert (await api.refused("POST", "/_local/verify", {**asked, "body_base64": "%"}))[:2] == (400, "invalid_input")


async def test_an_alert_fires_and_its_history_stays(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(401)
    asked = {"agent": "my-agent", "metric": "webhook-failures", "threshold": 2, "window": "1h"}
    status, created = await api.post("/v1/alerts", asked)
    assert (status, created["id"], created["state"], created["window"]) == (201, "alert-1", "ok", "1h")
    for _ in range(2):
        await api.emitted()
    await api.post("/_local/clock/advance", {"by": "1s"})
    _, alerts = await api.get("/v1/alerts?agent=my-agent&firing=1")
    assert [(one["id"], one["current"]) for one in alerts["data"]] == [("alert-1", 2)]
    assert await api.call("DELETE", "/v1/alerts/alert-1") == (204, None)
    for path in ("/v1/alerts/alert-1/history", "/v1/alerts/history"):
        _, history = await api.get(path)
        assert [(one["alert"], one["state"], one["count"]) for one in history["data"]] == [("alert-1", "firing", 2)]
    assert (await api.refused("DELETE", "/v1/alerts/alert-1"))[:2] == (404, "unknown_alert")
    assert (await api.refused("GET", "/v1/alerts/alert-9/history"))[:2] == (404, "unknown_alert")


async def test_an_alert_on_something_else_is_refused(api: Api) -> None:
    asked = {"agent": "my-agent", "metric": "latency", "threshold": 5, "window": "1h"}
    assert await api.refused("POST", "/v1/alerts", asked) == (
        400,
        "invalid_input",
        'Unknown metric "latency". There is one: webhook-failures.',
    )


async def test_statistics_count_attempts_per_step(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(500, 200)
    await api.emitted()
    await api.post("/_local/clock/advance", {"by": "90s"})
    _, stats = await api.get("/v1/stats?window=2m&step=1m")
    assert [(one["sent"], one["delivered"], one["failed"]) for one in stats["points"]] == [(1, 0, 1), (1, 1, 0)]
    assert (await api.get("/v1/stats?window=1d&step=1s"))[0] == 400
    assert (await api.get("/v1/stats?step=0s"))[0] == 400


async def test_statistics_count_what_was_sent_at_the_moment_at_which_the_clock_stands(api: Api) -> None:
    await api.webhook()
    await api.emitted()
    _, stats = await api.get("/v1/stats?window=2m&step=1m")
    assert [one["sent"] for one in stats["points"]] == [0, 1]


async def test_ready_says_why_not(api: Api) -> None:
    assert await api.get("/healthz") == (200, {"ok": True, "reason": None})
    assert await api.get("/readyz?wait=1s") == (200, {"ok": True, "reason": None})
    await api.platform._engine.stop()
    assert await api.get("/readyz?wait=60ms") == (503, {"ok": False, "reason": "The engine does not run."})
    assert (await api.get("/healthz"))[0] == 200
    refused = await api.refused("POST", "/v1/agents/my-agent/events", {"type": "agent.failed"})
    assert refused[:2] == (503, "server_stopping")


async def test_metrics_are_prometheus_text(api: Api) -> None:
    await api.webhook()
    api.receiver.respond(500)
    await api.emitted()
    async with api.client.get("/metrics") as answer:
        text = await answer.text()
    assert 'swiftclaw_deliveries{state="retrying"} 1.0' in text
    assert "swiftclaw_attempts_total 1.0" in text
    assert "swiftclaw_ready 1.0" in text


async def test_a_defect_is_answered_without_its_traceback(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> dict[str, int]:
        raise RuntimeError("a defect")

    monkeypatch.setattr(api.platform.reads, "counts", broken)
    status, answer = await api.get("/_local/status")
    assert (status, answer["error"]["code"]) == (500, "internal")
    assert "defect" not in json.dumps(answer)


async def test_a_reset_with_a_seed_and_a_time_makes_the_same_ids_each_time(api: Api) -> None:
    ids = []
    for _ in range(2):
        assert await api.post("/_local/reset", {"seed": 11, "at": 1_767_225_600}) == (204, None)
        await api.webhook()
        ids.append([(await api.emitted())["id"], (await api.get("/_local/clock"))[1]["now"]])
    assert (ids[0], ids[0][1]) == (ids[1], 1_767_225_600)


async def test_a_clock_that_runs_cannot_start_at_another_time(open_api: OpenApi) -> None:
    api = await open_api(Settings(ephemeral=True))
    await api.webhook()
    assert await api.refused("POST", "/_local/reset", {"at": 1_767_225_600}) == (
        409,
        "clock_not_manual",
        "Only a manual clock can start at another time.",
    )
    assert (await api.get("/_local/status"))[1]["webhooks"] == 1  # nothing was forgotten
