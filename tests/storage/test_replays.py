"""Replays of many deliveries: kept as a list, made into deliveries step by step, each once."""

from __future__ import annotations

import pytest

from swiftclaw_local.errors import Conflict, UnknownReplay
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import DeliveryFilter
from swiftclaw_local.storage.replay_records import ReplayCounts, ReplayWish
from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.store import Store
from tests.storage.laps import claimed, leased
from tests.storage.values import NOW, dead, later, retry, succeeded, webhook

WISH = ReplayWish("{}", 10.0, 1, 5, False, None)
UNRESOLVED = DeliveryFilter(unresolved=True)


async def kept(store: Store, reads: Reads, count: int) -> str:
    """Let so many deliveries die, and keep a replay of them."""
    await store.add_webhook(webhook(), secret="s")
    for number in range(count):
        await store.record(dead(await leased(store, number), at=later(seconds=count - number)))
    return await store.add_replay(WISH, await reads.replayable(UNRESOLVED), now=NOW)


async def test_a_replay_is_kept_as_asked(store: Store, reads: Reads) -> None:
    replay_id = await kept(store, reads, 3)
    replay = await reads.replay(replay_id)
    assert (replay.id, replay.state, replay.wish, replay.total) == ("rpl_1", "running", WISH, 3)
    assert await reads.replay_counts(replay_id) == ReplayCounts(0, 0, 0, 0, 0, 0, 3)
    assert [one.id for one in await reads.replays()] == ["rpl_1"]


async def test_deliveries_are_made_in_turn_and_each_once(store: Store, reads: Reads) -> None:
    replay_id = await kept(store, reads, 5)
    made: list[tuple[int, str]] = []
    for _ in range(4):
        step = await store.replay_next(replay_id, now=NOW, limit=2)
        assert step is not None
        made += step.made
    assert [number for number, _ in made] == [1, 2, 3, 4, 5]
    assert len({new_id for _, new_id in made}) == 5
    first = await reads.delivery(made[0][1])
    assert (first.state, first.trigger, first.scheduled) == (State.PENDING, "replay", False)
    assert await reads.replay_counts(replay_id) == ReplayCounts(0, 0, 0, 0, 0, 5, 0)


async def test_the_order_is_of_events_or_of_failures(store: Store, reads: Reads) -> None:
    await kept(store, reads, 3)
    by_event = [one.delivery_id for one in await reads.replayable(UNRESOLVED)]
    assert [one.delivery_id for one in await reads.replayable(UNRESOLVED, order="failed")] == by_event[::-1]


async def test_what_is_still_scheduled_is_given_up_and_what_is_in_flight_left_for_later(
    store: Store, reads: Reads
) -> None:
    await store.add_webhook(webhook(), secret="s")
    pending, flying = await leased(store, 1), await leased(store, 2)
    for claim in (pending, flying):
        await store.record(retry(claim, due_at=later(seconds=1)))
    items = await reads.replayable(UNRESOLVED)
    (again,) = await claimed(store, now=later(seconds=2), limit=1)
    replay_id = await store.add_replay(WISH, items, now=NOW)
    step = await store.replay_next(replay_id, now=NOW, limit=10)
    assert step is not None
    assert len(step.made) == 1
    other = flying if again.delivery_id == pending.delivery_id else pending
    canceled = await reads.delivery(other.delivery_id)
    assert (canceled.state, canceled.reason) == (State.CANCELED, "replayed")
    await store.record(dead(again))
    step = await store.replay_next(replay_id, now=NOW, limit=10)
    assert step is not None
    assert len(step.made) == 1


async def test_what_is_being_replayed_already_is_skipped(store: Store, reads: Reads) -> None:
    replay_id = await kept(store, reads, 2)
    items = await reads.replayable(UNRESOLVED)
    await store.replay(items[0].delivery_id, scheduled=False, now=NOW)
    step = await store.replay_next(replay_id, now=NOW, limit=10)
    assert step is not None
    assert ([number for number, _ in step.made], step.skipped) == ([2], 1)
    (skipped,) = await reads.replay_items(replay_id, which="bad", limit=10)
    assert (skipped.delivery_id, skipped.skipped) == (items[0].delivery_id, "replayed")


async def test_only_a_running_one_goes_on_and_a_done_one_is_left_alone(store: Store, reads: Reads) -> None:
    replay_id = await kept(store, reads, 2)
    await store.set_replay(replay_id, state="paused", now=NOW)
    assert await store.replay_next(replay_id, now=NOW, limit=1) is None
    assert await reads.replays(running=True) == []
    await store.set_replay(replay_id, state="running", now=NOW, judged_after=1)
    assert (await reads.replay(replay_id)).judged_after == 1
    assert await store.replay_next(replay_id, now=NOW, limit=1) is not None
    await store.set_replay(replay_id, state="done", now=later(seconds=5))
    assert (await reads.replay(replay_id)).ended_at == later(seconds=5)
    with pytest.raises(Conflict):
        await store.set_replay(replay_id, state="running", now=NOW)
    with pytest.raises(UnknownReplay):
        await store.set_replay("rpl_99", state="paused", now=NOW)
    with pytest.raises(UnknownReplay):
        await reads.replay("rpl_99")


async def test_what_is_pruned_leaves_the_list(store: Store, reads: Reads) -> None:
    replay_id = await kept(store, reads, 2)
    await store.prune(before=later(days=1), limit=10)
    assert await reads.replay_counts(replay_id) == ReplayCounts(0, 0, 0, 0, 0, 0, 0)
    await store.record(succeeded(await leased(store, 5)))
