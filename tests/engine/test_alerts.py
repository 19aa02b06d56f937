"""The alert webhook-failures: what it counts, when it fires, and when it is armed again."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import structlog

from swiftclaw_local.errors import InvalidInput
from swiftclaw_local.platform import Platform
from tests.engine.scripted import ScriptedReceiver

URL = "http://127.0.0.1:9/hook"
HOUR = timedelta(hours=1)


async def fail(platform: Platform, receiver: ScriptedReceiver, count: int) -> None:
    receiver.respond(400)
    for _ in range(count):
        accepted = await platform.events.emit("my-agent", type="agent.failed")
        await platform.deliveries.wait_settled(list(accepted.delivery_ids), timeout_s=5)
    await platform.timeline.advance(timedelta())


async def states(platform: Platform) -> list[str]:
    return [entry.state for entry in reversed(await platform.reads.alert_history())]


async def test_it_fires_once_when_the_count_reaches_the_threshold_and_clears_when_the_window_has_passed(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    await platform.alerts.create("my-agent", metric="webhook-failures", threshold=3, window=HOUR)
    await fail(platform, receiver, 2)
    assert await states(platform) == []
    await fail(platform, receiver, 3)
    assert await states(platform) == ["firing"]
    await platform.timeline.advance(HOUR)
    assert await states(platform) == ["firing", "ok"]
    await fail(platform, receiver, 3)
    assert await states(platform) == ["firing", "ok", "firing"]


async def test_a_failure_is_in_the_window_until_it_is_exactly_as_old_as_the_window(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    alert = await platform.alerts.create("my-agent", metric="webhook-failures", threshold=1, window=HOUR)
    await fail(platform, receiver, 1)
    await platform.timeline.advance(HOUR - timedelta(milliseconds=1))
    assert await platform.alerts.count(alert) == 1
    await platform.timeline.advance(timedelta(milliseconds=1))
    assert await platform.alerts.count(alert) == 0


async def test_tests_and_successes_and_other_agents_are_not_counted(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    await platform.webhooks.create("other", url=URL)
    alert = await platform.alerts.create("my-agent", metric="webhook-failures", threshold=1, window=HOUR)
    receiver.respond(500)
    tested = await platform.events.test("my-agent", "webhook-123")
    others = await platform.events.emit("other", type="agent.failed")
    await platform.deliveries.wait_attempted([tested, *others.delivery_ids], timeout_s=5)
    receiver.respond(200)
    good = await platform.events.emit("my-agent", type="agent.failed")
    await platform.deliveries.wait_settled(list(good.delivery_ids), timeout_s=5)
    assert await platform.alerts.count(alert) == 0


async def test_one_event_that_fails_for_seven_hours_never_makes_five_failures_in_an_hour(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    await platform.alerts.create("my-agent", metric="webhook-failures", threshold=5, window=HOUR)
    receiver.respond(500)
    await platform.events.emit("my-agent", type="agent.failed")
    await platform.timeline.run_until_idle()
    assert await states(platform) == []


async def test_whoever_asked_is_told_and_that_post_is_not_counted(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    notify = "http://127.0.0.1:9/notify"
    alert = await platform.alerts.create(
        "my-agent", metric="webhook-failures", threshold=1, window=HOUR, notify_url=notify
    )
    await fail(platform, receiver, 1)
    await receiver.arrived(2)
    told = next(sent for sent in receiver.received if sent.url == notify)
    assert json.loads(told.body)["state"] == "firing"
    assert await platform.alerts.count(alert) == 1


async def test_a_notice_that_cannot_be_sent_leaves_the_alert_firing(
    platform: Platform, receiver: ScriptedReceiver
) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    notify = "http://127.0.0.1:9/notify"
    await platform.alerts.create("my-agent", metric="webhook-failures", threshold=1, window=HOUR, notify_url=notify)
    receiver.respond(400, "crash")
    with structlog.testing.capture_logs() as lines:
        await platform.events.emit("my-agent", type="agent.failed")
        await receiver.arrived(2)
        await platform.stop()
    assert [line["step"] for line in lines if line["event"] == "step.failed"] == ["notify"]
    assert not [line for line in lines if line["event"] == "alert.notified"]


async def test_failures_from_before_the_alert_count_at_once(platform: Platform, receiver: ScriptedReceiver) -> None:
    await platform.webhooks.create("my-agent", url=URL)
    await fail(platform, receiver, 2)
    alert = await platform.alerts.create("my-agent", metric="webhook-failures", threshold=2, window=HOUR)
    assert (alert.id, alert.state) == ("alert-1", "firing")
    await platform.alerts.delete("alert-1")
    assert await states(platform) == ["firing"]


async def test_another_metric_or_an_empty_window_is_refused(platform: Platform) -> None:
    with pytest.raises(InvalidInput, match="There is one: webhook-failures"):
        await platform.alerts.create("my-agent", metric="latency", threshold=1, window=HOUR)
    with pytest.raises(InvalidInput, match="longer than 0s"):
        await platform.alerts.create("my-agent", metric="webhook-failures", threshold=1, window=timedelta())
