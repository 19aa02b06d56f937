"""Scenarios and recordings from a test: what a right receiver passes, and what is told of a wrong one."""

from __future__ import annotations

import inspect
import stat
from pathlib import Path

import pytest

from swiftclaw_local.errors import (
    EventIdTaken,
    InvalidInput,
    InvalidRecording,
    InvalidScenario,
    UnknownAgent,
    UnknownScenario,
)
from swiftclaw_local.testing import Aswiftclaw, Receiver, Swiftclaw, Webhook


@pytest.fixture
def hook(swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver) -> Webhook:
    return swiftclaw.webhook(swiftclaw_receiver.url)


@pytest.mark.usefixtures("hook")
def test_a_right_receiver_survives_a_bad_deployment(swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver) -> None:
    played = swiftclaw.play("friday-deploy")
    played.assert_passed()
    assert (len(played.deliveries), len({event["id"] for event in swiftclaw_receiver.events})) == (39, 39)


@pytest.mark.usefixtures("hook")
def test_a_wrong_one_is_told_what_a_right_one_answers_with_the_timelines(swiftclaw: Swiftclaw) -> None:
    with pytest.raises(AssertionError) as told:
        swiftclaw.play("attacker").assert_passed()
    text = str(told.value)
    assert text.startswith(
        "attacker: the receiver is not right:\n  1 x agent.completed, with a wrong signature: a right receiver answers 401, this one 200\n"
    )
    assert "first send  200" in text
    assert "(2 more are not shown)" in text


def test_a_story_of_ones_own_may_be_for_one_webhook(
    swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver, hook: Webhook, tmp_path: Path
) -> None:
    swiftclaw.webhook("http://127.0.0.1:9/hook")
    story = tmp_path / "story.toml"
    story.write_text(
        '[[step]]\nfault = "refused"\ntimes = 1\n[[step]]\nemit = "agent.completed"\n[[step]]\nidle = true\n'
    )
    played = swiftclaw.play(story, webhook=hook.id)
    played.assert_passed()
    assert ([one.sends for one in played.deliveries], len(swiftclaw_receiver.requests)) == ([2], 1)


@pytest.mark.usefixtures("hook")
def test_what_is_recorded_is_played_with_the_same_ids_and_bytes_or_as_new(
    swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver, tmp_path: Path
) -> None:
    swiftclaw.emit("agent.completed", text="Grüße")
    swiftclaw.advance("1h")
    swiftclaw.emit("agent.failed")
    recording = swiftclaw.record(tmp_path / "traffic.ndjson")
    sent = [received.body for received in swiftclaw_receiver.requests]
    swiftclaw.start_over()
    swiftclaw.webhook(swiftclaw_receiver.url)
    began = swiftclaw.clock.now
    swiftclaw.play(recording, keep_ids=True, speed="1x").assert_passed()
    assert [received.body for received in swiftclaw_receiver.requests[2:]] == sent
    assert (swiftclaw.clock.now - began).total_seconds() == 3600
    swiftclaw.play(recording).assert_passed()
    assert len({event["id"] for event in swiftclaw_receiver.events}) == 4
    assert stat.S_IMODE(recording.stat().st_mode) == 0o600
    assert swiftclaw.secret not in recording.read_text()


@pytest.mark.usefixtures("hook")
def test_a_recording_that_is_not_delivered_does_not_pass(
    swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver, tmp_path: Path
) -> None:
    swiftclaw.emit("agent.completed")
    recording = swiftclaw.record(tmp_path / "traffic.ndjson", type="agent.completed")
    swiftclaw_receiver.respond(500)
    with pytest.raises(AssertionError, match=r"traffic.ndjson: the receiver is not right:\ndelivery of evt_"):
        swiftclaw.play(recording).assert_passed()
    swiftclaw.start_over()
    with pytest.raises(AssertionError, match=r"traffic.ndjson was delivered to nobody"):
        swiftclaw.play(recording).assert_passed()


def test_what_cannot_be_played_is_told(swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver, tmp_path: Path) -> None:
    story, recording = tmp_path / "story.toml", tmp_path / "traffic.ndjson"
    with pytest.raises(UnknownScenario, match="Did you mean"):
        swiftclaw.play("attackr")
    story.write_text("[[step]]\nemti = 1\n")
    with pytest.raises(InvalidScenario, match="line 2"):
        swiftclaw.play(story)
    recording.write_text("{}")
    with pytest.raises(InvalidRecording, match="line 1"):
        swiftclaw.play(recording)
    with pytest.raises(UnknownAgent):
        swiftclaw.play("attacker", agent="nobody")
    swiftclaw.webhook(swiftclaw_receiver.url)
    swiftclaw.emit("agent.completed")
    swiftclaw.record(recording)
    with pytest.raises(InvalidInput, match="speed"):
        swiftclaw.play(recording, speed="fast")
    recording.write_text(recording.read_text().replace("1250", "1251"))
    with pytest.raises(EventIdTaken):
        swiftclaw.play(recording, keep_ids=True)
    assert len(swiftclaw_receiver.requests) == 1


@pytest.mark.swiftclaw(clock="x3600")
def test_a_scenario_waits_for_a_clock_that_runs(swiftclaw: Swiftclaw, hook: Webhook, tmp_path: Path) -> None:
    story = tmp_path / "story.toml"
    story.write_text('[[step]]\nemit = "agent.completed"\nfault = "refused"\n[[step]]\nadvance = "10m"\n')
    played = swiftclaw.play(story)
    played.assert_passed()
    assert ([one.sends for one in played.deliveries], hook.id) == ([2], "webhook-123")


@pytest.mark.asyncio
async def test_the_same_from_an_async_test(
    aswiftclaw: Aswiftclaw, swiftclaw_receiver: Receiver, tmp_path: Path
) -> None:
    await aswiftclaw.webhook(swiftclaw_receiver.url)
    await aswiftclaw.fault("refused", lasts="30s")
    await aswiftclaw.emit("agent.completed")
    recording = await aswiftclaw.record(tmp_path / "traffic.ndjson")
    (await aswiftclaw.play("double-everything")).assert_passed()
    (await aswiftclaw.play(recording, keep_ids=False)).assert_passed()


def test_every_verb_takes_the_same_in_either_kind_of_test() -> None:
    for name in ("play", "record", "fault"):
        kinds = [inspect.signature(getattr(kind, name)).parameters for kind in (Swiftclaw, Aswiftclaw)]
        assert list(kinds[0].values()) == list(kinds[1].values()), name
