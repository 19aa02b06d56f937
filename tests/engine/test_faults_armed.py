"""Which attempts a fault meets: by webhook, by event, by count, by a chance that repeats; and what cannot be armed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from swiftclaw_local.dispatcher.armed import ArmedFaults
from swiftclaw_local.dispatcher.fault_kinds import KIND_NAMES, Fault
from swiftclaw_local.dispatcher.faults import NOT_JSON
from swiftclaw_local.errors import InvalidDuration, InvalidInput, UnknownFaultKind, UnknownWebhook
from swiftclaw_local.platform import Platform
from swiftclaw_local.settings import Settings
from tests.engine.stage import Stage


async def test_a_fault_meets_one_attempt_and_then_no_more(stage: Stage) -> None:
    await stage.add("not_json")
    await stage.emit(2)
    assert [body == NOT_JSON for body, _ in stage.sent()] == [True, False]
    assert [(one.fired, one.left) for one in stage.platform.faults.every()] == [(1, 0)]


async def test_a_fault_of_one_webhook_leaves_the_others_alone(stage: Stage) -> None:
    await stage.platform.webhooks.create("my-agent", url=stage.receiver.url)
    await stage.add("not_json", webhook="webhook-124", times=9)
    names = await stage.emit()
    told = {(await stage.delivery(name)).webhook_id: (await stage.told(name))[0][3] for name in names}
    assert told == {"webhook-123": None, "webhook-124": "not_json"}


async def test_a_fault_of_one_event_meets_each_of_its_deliveries_once(stage: Stage) -> None:
    await stage.platform.webhooks.create("my-agent", url=stage.receiver.url)
    names = await stage.emit(fault="lost_reply")
    await stage.platform.timeline.run_until_idle()
    names += await stage.emit()
    faults = [[fault for *_, fault in await stage.told(name)] for name in names]
    assert faults == [["lost_reply", None], ["lost_reply", None], [None], [None]]
    assert stage.platform.faults.every() == []


async def test_a_chance_with_a_seed_meets_the_same_attempts_again(stage: Stage) -> None:
    met = []
    for _ in range(2):
        await stage.add("not_json", probability=0.5, seed=3)
        await stage.emit(12)
        met.append([body == NOT_JSON for body, _ in stage.sent()[-12:]])
        stage.platform.faults.clear()
    assert met[0] == met[1]
    assert 0 < sum(met[0]) < 12


async def test_clearing_and_a_reset_disarm(stage: Stage) -> None:
    await stage.add("not_json")
    assert stage.platform.faults.clear() == 1
    await stage.add("not_json")
    await stage.platform.reset(keep_webhooks=True)
    await stage.emit()
    assert [body == NOT_JSON for body, _ in stage.sent()] == [False]


async def test_a_fault_for_a_webhook_that_is_not_there_is_refused(stage: Stage) -> None:
    with pytest.raises(UnknownWebhook):
        await stage.add("duplicate", webhook="webhook-9")
    await stage.platform.webhooks.delete("my-agent", "webhook-123")
    with pytest.raises(UnknownWebhook, match="was deleted"):
        await stage.add("duplicate", webhook="webhook-123")


@pytest.mark.parametrize("kind", ["reorder", "burst"])
async def test_one_event_cannot_be_reordered(stage: Stage, kind: str) -> None:
    with pytest.raises(InvalidInput, match="several events"):
        await stage.emit(fault=kind)


async def test_a_mistyped_kind_is_told_with_the_closest(stage: Stage) -> None:
    with pytest.raises(UnknownFaultKind, match='Did you mean "duplicate"'):
        await stage.add("duplicat")


def test_armed_faults_that_met_their_attempts_make_room_and_others_do_not() -> None:
    armed = ArmedFaults()
    for _ in range(1000):
        armed.arm(Fault("duplicate"))
    with pytest.raises(InvalidInput, match="1000 faults are armed already"):
        armed.arm(Fault("duplicate"))


async def test_every_kind_can_be_armed_by_its_name_alone(stage: Stage) -> None:
    for kind in KIND_NAMES:
        await stage.add(kind)
    assert [one.fault.kind for one in stage.platform.faults.every()] == list(KIND_NAMES)


async def test_a_fault_that_lasts_meets_each_attempt_until_its_time_on_the_clock(stage: Stage) -> None:
    await stage.add("refused", lasts="3m")
    (early, *_) = await stage.emit(2)
    await stage.platform.timeline.advance(timedelta(minutes=2, seconds=59))
    (late,) = await stage.emit()
    await stage.platform.timeline.advance(timedelta(seconds=1))
    (after,) = await stage.emit()
    faults = [[fault for *_, fault in await stage.told(name)] for name in (early, late, after)]
    assert faults == [["refused", "refused"], ["refused"], [None]]


async def test_a_fault_whose_time_is_over_meets_none_any_more(stage: Stage) -> None:
    await stage.add("refused", lasts="3m", webhook="webhook-123")
    (one,) = stage.platform.faults.every()
    assert stage.platform.faults.left(one) is None
    assert stage.platform.faults.text(one).startswith("each delivery to webhook-123, until ")
    await stage.platform.timeline.advance(timedelta(minutes=3))
    assert (stage.platform.faults.left(one), stage.platform.faults.clear()) == (0, 0)


async def test_no_time_at_all_is_refused(stage: Stage) -> None:
    with pytest.raises(InvalidDuration, match="leaves no time"):
        await stage.add("refused", lasts="0s")


async def test_a_stop_says_how_many_faults_it_forgets(capsys: pytest.CaptureFixture[str]) -> None:
    platform = await Platform.open(Settings(ephemeral=True, clock="manual"))
    await platform.start()
    await platform.faults.arm("drop")
    await platform.faults.arm("refused", times=3)
    await platform.stop()
    told = "".join(capsys.readouterr())
    assert ("faults.forgotten" in told, "faults=2" in told) == (True, True)
