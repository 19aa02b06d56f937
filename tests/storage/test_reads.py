"""Reading: pages by key, filters, figures, ids as people type them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from swiftclaw_local.errors import AmbiguousId, InvalidCursor, UnknownDelivery, UnknownEvent, UnknownWebhook
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import (
    CauseGroup,
    DeliveryFilter,
    MarkDead,
    MarkSucceeded,
    StatsPoint,
    WebhookChange,
    WebhookGroup,
    WebhookStats,
)
from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.store import Store
from tests.storage.laps import claimed, leased
from tests.storage.values import NOW, dead, event, later, made, retry, succeeded, webhook


async def found(reads: Reads, wanted: DeliveryFilter) -> list[str]:
    """Return the events of the deliveries a filter finds, oldest first, and check that counting agrees with listing."""
    rows = (await reads.deliveries(wanted, limit=100)).rows
    assert await reads.count_deliveries(wanted) == len(rows)
    return [row.event_id.lstrip("evt_0") for row in reversed(rows)]


@pytest.fixture
async def mixed(store: Store) -> None:
    """Deliveries of one webhook: 1 succeeded, 2 dead 404, 3 retrying after 503, 4 in flight, 5 new, 6 canceled, 7 dead refused."""
    await store.add_webhook(webhook(), secret="s")
    await store.record(succeeded(await leased(store, 1)))
    await store.record(dead(await leased(store, 2), at=later(seconds=2)))
    await store.record(retry(await leased(store, 3), due_at=later(hours=1), at=later(seconds=3), status=503))
    await leased(store, 4)
    await store.add_event(event(5), now=NOW)
    sixth = await store.add_event(event(6), now=NOW)
    await store.cancel(sixth.delivery_ids[0], now=NOW)
    refused = made(await leased(store, 7), at=later(seconds=7), status=None, cause="connect_refused")
    await store.record(MarkDead(refused, "exhausted"))


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (DeliveryFilter(), "1234567"),
        (DeliveryFilter(states=(State.DEAD,)), "27"),
        (DeliveryFilter(states=(State.PENDING, State.IN_FLIGHT)), "345"),
        (DeliveryFilter(states=(State.PENDING,), attempted=True), "3"),
        (DeliveryFilter(states=(State.PENDING,), attempted=False), "5"),
        (DeliveryFilter(states=(State.SUCCEEDED, State.DEAD)), "127"),
        (DeliveryFilter(states=()), ""),
        (DeliveryFilter(unresolved=True), "23457"),
        (DeliveryFilter(unresolved=True, states=(State.DEAD, State.SUCCEEDED)), "27"),
        (DeliveryFilter(unresolved=True, states=(State.DEAD, State.CANCELED)), "27"),
        (DeliveryFilter(status=(500, 599)), "3"),
        (DeliveryFilter(status=(404, 404)), "2"),
        (DeliveryFilter(cause="503"), "3"),
        (DeliveryFilter(cause="connect_refused"), "7"),
        (DeliveryFilter(agent="my-agent", webhook_id="webhook-123", event_type="agent.completed"), "1234567"),
        (DeliveryFilter(agent="other"), ""),
        (DeliveryFilter(webhook_id="webhook-9"), ""),
        (DeliveryFilter(event_type="agent.failed"), ""),
        (DeliveryFilter(event_id=event(5).id), "5"),
        (DeliveryFilter(search=event(5).id), "5"),
        (DeliveryFilter(search="00006"), "6"),
        (DeliveryFilter(search='"id":"evt_00000000000000000000000002"'), "2"),
        (DeliveryFilter(search="100%"), ""),
        (DeliveryFilter(since=NOW), "1234567"),
        (DeliveryFilter(since=later(microseconds=1)), ""),
        (DeliveryFilter(until=NOW), ""),
        (DeliveryFilter(until=later(microseconds=1)), "1234567"),
    ],
)
async def test_a_filter_finds_what_it_says(reads: Reads, wanted: DeliveryFilter, expected: str) -> None:
    assert "".join(await found(reads, wanted)) == expected


async def test_an_event_brought_through_by_a_replay_is_resolved(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    await store.record(dead(claim))
    assert await found(reads, DeliveryFilter(unresolved=True)) == ["1"]
    await store.replay(claim.delivery_id, now=NOW, scheduled=False)
    (again,) = await claimed(store)
    await store.record(succeeded(again))
    assert await found(reads, DeliveryFilter(unresolved=True)) == []
    assert await found(reads, DeliveryFilter(states=(State.DEAD,))) == ["1"]


async def test_a_failed_test_leaves_nothing_unresolved(store: Store, reads: Reads) -> None:
    hook = await store.add_webhook(webhook(), secret="s")
    accepted = await store.add_delivery(event(), hook.id, now=NOW, trigger="test", scheduled=False, lease=True)
    await store.record(dead(accepted.claims[0]))
    assert await found(reads, DeliveryFilter(unresolved=True)) == []


async def test_pages_neither_repeat_nor_skip_while_rows_are_added(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    for number in range(7):
        await store.add_event(event(number), now=NOW)
    seen: list[str] = []
    cursor: str | None = None
    for number in range(10, 14):
        page = await reads.deliveries(DeliveryFilter(), limit=2, cursor=cursor)
        seen += [row.event_id for row in page.rows]
        cursor = page.next
        await store.add_event(event(number), now=NOW)
    assert seen == [event(number).id for number in (6, 5, 4, 3, 2, 1, 0)]
    assert cursor is None


@pytest.mark.usefixtures("mixed")
async def test_pages_of_several_states_are_in_one_order(reads: Reads) -> None:
    wanted = DeliveryFilter(states=(State.DEAD, State.PENDING, State.IN_FLIGHT))
    first = await reads.deliveries(wanted, limit=3)
    second = await reads.deliveries(wanted, limit=3, cursor=first.next)
    assert [row.event_id[-1] for row in first.rows + second.rows] == ["7", "5", "4", "3", "2"]
    assert second.next is None


async def test_a_full_last_page_has_no_next(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    for number in range(2):
        await store.add_event(event(number), now=NOW)
    assert (await reads.deliveries(DeliveryFilter(), limit=2)).next is None
    assert (await reads.events(limit=2)).next is None


@pytest.mark.parametrize("cursor", ["", "not a cursor", "'; DROP TABLE event", "x" * 500])
async def test_a_cursor_of_another_make_is_refused(reads: Reads, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        await reads.deliveries(DeliveryFilter(), cursor=cursor)
    with pytest.raises(InvalidCursor):
        await reads.events(cursor=cursor)
    with pytest.raises(InvalidCursor):
        await reads.webhooks(cursor=cursor)


async def test_events_are_listed_newest_first_whatever_ids_their_callers_gave(store: Store, reads: Reads) -> None:
    given = ["zzz", "evt_abc123", "order-7", "aaa"]
    for id in given:
        await store.add_event(event(id=id), now=NOW)
    first = await reads.events(limit=3)
    assert [e.id for e in first.rows] == ["aaa", "order-7", "evt_abc123"]
    await store.add_event(event(9), now=NOW)
    second = await reads.events(limit=3, cursor=first.next)
    assert ([e.id for e in second.rows], second.next) == (["zzz"], None)


async def test_events_are_found_by_agent_type_and_time(store: Store, reads: Reads) -> None:
    await store.add_event(event(1, agent="a", type="agent.failed"), now=NOW)
    await store.add_event(event(2, agent="b", type="agent.failed"), now=later(hours=1))
    await store.add_event(event(3, agent=None, type="system.incident"), now=later(hours=2))
    assert [e.id for e in (await reads.events(agent="a")).rows] == [event(1).id]
    assert [e.id for e in (await reads.events(type="agent.failed")).rows] == [event(2).id, event(1).id]
    assert [e.id for e in (await reads.events(since=later(hours=1))).rows] == [event(3).id, event(2).id]
    with pytest.raises(UnknownEvent):
        await reads.event("evt_none")


async def test_webhooks_are_listed_oldest_first_and_in_pages(store: Store, reads: Reads) -> None:
    for agent in ("b", "a", "b"):
        await store.add_webhook(webhook(agent), secret="s")
    first = await reads.webhooks(limit=2)
    second = await reads.webhooks(limit=2, cursor=first.next)
    assert [w.id for w in first.rows + second.rows] == ["webhook-123", "webhook-124", "webhook-125"]
    assert [w.id for w in (await reads.webhooks(agent="b")).rows] == ["webhook-123", "webhook-125"]
    assert await reads.agents() == ["a", "b"]
    with pytest.raises(UnknownWebhook):
        await reads.webhook("webhook-9")


async def test_webhook_999_comes_before_webhook_1000(store: Store, reads: Reads) -> None:
    for _ in range(1000 - 123 + 1):
        last = await store.add_webhook(webhook(), secret="s")
    assert last.id == "webhook-1000"
    page = await reads.webhooks(limit=500, cursor="webhook-998")
    assert [w.id for w in page.rows] == ["webhook-999", "webhook-1000"]


@pytest.mark.usefixtures("mixed")
async def test_deliveries_are_grouped_by_their_last_answer(store: Store, reads: Reads) -> None:
    await store.record(dead(await leased(store, 8), at=later(seconds=8)))
    groups = await reads.group_by_cause(DeliveryFilter(states=(State.DEAD, State.PENDING)))
    assert groups == [
        CauseGroup("404", 2, 2, 1, later(seconds=2), later(seconds=8)),
        CauseGroup("503", 1, 1, 1, later(seconds=3), later(seconds=3)),
        CauseGroup("connect_refused", 1, 1, 1, later(seconds=7), later(seconds=7)),
    ]


async def test_deliveries_are_grouped_by_their_webhook_a_deleted_one_too(store: Store, reads: Reads) -> None:
    first, second = [await store.add_webhook(webhook(agent), secret="s") for agent in ("a", "b")]
    await store.add_event(event(1, agent="a"), now=NOW)
    await store.add_event(event(3, agent="b"), now=later(seconds=3))
    await store.record(dead(await leased(store, of=event(2, agent="b")), at=later(seconds=9)))
    await store.remove_webhook(second.id, now=later(seconds=10))
    assert await reads.group_by_webhook(DeliveryFilter()) == [
        WebhookGroup(second.id, "b", second.url, 2, 2, later(seconds=3), later(seconds=9)),
        WebhookGroup(first.id, "a", first.url, 1, 1, NOW, NOW),
    ]
    assert [one.deliveries for one in await reads.group_by_webhook(DeliveryFilter(states=(State.DEAD,)))] == [1]


@pytest.mark.usefixtures("mixed")
async def test_everything_is_counted(reads: Reads) -> None:
    assert await reads.counts() == {
        "webhooks": 1,
        "events": 7,
        "attempts": 4,
        "deliveries_succeeded": 1,
        "deliveries_dead": 2,
        "deliveries_retrying": 1,
        "deliveries_in_flight": 1,
        "deliveries_pending": 1,
        "deliveries_canceled": 1,
    }


@pytest.mark.usefixtures("mixed")
async def test_a_webhooks_figures_are_those_of_its_deliveries(reads: Reads) -> None:
    assert await reads.webhook_stats(["webhook-123", "webhook-9"]) == {
        "webhook-123": WebhookStats(1, 2, 1, 7, 7, later(seconds=7), None, "connect_refused"),
        "webhook-9": WebhookStats(0, 0, 0, None, None, None, None, None),
    }


async def test_percentiles_are_those_of_the_durations(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    for number in range(20):
        claim = await leased(store, number)
        await store.record(MarkSucceeded(replace(made(claim, status=200), duration_ms=number + 1)))
    stats = (await reads.webhook_stats(["webhook-123"]))["webhook-123"]
    assert (stats.p50_ms, stats.p95_ms) == (11, 20)


async def test_stats_have_a_point_for_every_step_and_each_attempt_in_one(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    await store.add_webhook(webhook("other"), secret="s")
    await store.record(succeeded(await leased(store, 1), at=NOW))
    await store.record(retry(await leased(store, 2), due_at=later(hours=1), at=later(seconds=59.999999)))
    await store.record(dead(await leased(store, 3), at=later(minutes=2)))
    await store.record(dead(await leased(store, of=event(4, agent="other")), at=later(minutes=2)))
    await store.record(dead(await leased(store, 5), at=later(minutes=3)))
    minute = timedelta(minutes=1)
    stats = await reads.stats(since=NOW, until=later(minutes=3), step=minute)
    assert stats.points == [
        StatsPoint(NOW, 2, 1, 1, 7, 7),
        StatsPoint(later(minutes=1), 0, 0, 0, None, None),
        StatsPoint(later(minutes=2), 2, 0, 2, 7, 7),
    ]
    assert stats.whole == StatsPoint(NOW, 4, 1, 3, 7, 7)
    since, until = later(minutes=2), later(minutes=4)
    mine = await reads.stats(since=since, until=until, step=minute, webhook_id="webhook-123")
    assert [point.sent for point in mine.points] == [1, 1]
    each = await reads.stats_by_webhook(
        ["webhook-123", "webhook-124", "webhook-9"], since=since, until=until, step=minute
    )
    assert {name: [point.sent for point in points] for name, points in each.items()} == {
        "webhook-123": [1, 1],
        "webhook-124": [1, 0],
        "webhook-9": [0, 0],
    }
    assert each["webhook-123"] == mine.points


async def test_the_last_step_ends_with_the_window(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    await store.record(succeeded(await leased(store, 1), at=later(seconds=89.999999)))
    await store.record(succeeded(await leased(store, 2), at=later(seconds=90)))
    stats = await reads.stats(since=NOW, until=later(seconds=90), step=timedelta(minutes=1))
    assert [(point.at, point.sent) for point in stats.points] == [(NOW, 0), (later(minutes=1), 1)]


async def test_the_percentiles_of_each_step_are_those_of_its_durations_sorted(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    durations = [(number * 37) % 90 // (1 + number % 3) for number in range(90)]
    for number, duration in enumerate(durations):
        attempt = made(await leased(store, number), at=later(seconds=number), status=200)
        await store.record(MarkSucceeded(replace(attempt, duration_ms=duration)))
    stats = await reads.stats(since=NOW, until=later(seconds=90), step=timedelta(seconds=30))
    parts = [sorted(durations[start : start + 30]) for start in (0, 30, 60)]
    assert [(point.p50_ms, point.p95_ms) for point in stats.points] == [(part[15], part[28]) for part in parts]
    assert (stats.whole.p50_ms, stats.whole.p95_ms) == (sorted(durations)[45], sorted(durations)[85])


@pytest.mark.usefixtures("mixed")
async def test_a_webhooks_figures_count_no_other_webhooks_deliveries(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook("other"), secret="s")
    await store.record(succeeded(await leased(store, of=event(8, agent="other")), at=later(seconds=8)))
    await store.record(retry(await leased(store, of=event(9, agent="other")), due_at=later(hours=1)))
    stats = await reads.webhook_stats(["webhook-123", "webhook-124"])
    counts = {name: (one.delivered, one.failed, one.retrying) for name, one in stats.items()}
    assert counts == {"webhook-123": (1, 2, 1), "webhook-124": (1, 0, 1)}


async def test_an_id_is_found_by_itself_its_beginning_or_its_ending(store: Store, reads: Reads) -> None:
    for number in (1, 12, 22):
        await store.add_event(event(number), now=NOW)
    whole = event(12).id
    assert await reads.resolve_id("evt", whole) == whole
    assert await reads.resolve_id("evt", whole[:-1]) == whole
    assert await reads.resolve_id("evt", "12") == whole
    assert await reads.resolve_id("evt", "evt_…012") == whole


async def test_an_id_that_is_another_ones_beginning_is_itself(store: Store, reads: Reads) -> None:
    for id in ("order-1", "order-12"):
        await store.add_event(event(id=id), now=NOW)
    assert await reads.resolve_id("evt", "order-1") == "order-1"


async def test_an_ambiguous_id_names_some_candidates(store: Store, reads: Reads) -> None:
    for number in (1, 12, 22):
        await store.add_event(event(number), now=NOW)
    with pytest.raises(AmbiguousId) as caught:
        await reads.resolve_id("evt", "2")
    assert event(12).id in caught.value.message
    assert event(22).id in caught.value.message


async def test_an_id_that_nothing_fits_is_unknown(store: Store, reads: Reads) -> None:
    await store.add_event(event(), now=NOW)
    for given in ("nonsense", "%", "_", "", "evt_…"):
        with pytest.raises((UnknownEvent, AmbiguousId)):
            await reads.resolve_id("evt", given)
    for given in ("nonsense", "@last", "@last-failed"):
        with pytest.raises(UnknownDelivery):
            await reads.resolve_id("dlv", given)


async def test_last_is_the_newest_and_last_failed_the_newest_dead(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    first, second = await leased(store, 1), await leased(store, 2)
    await store.record(dead(first))
    assert await reads.resolve_id("dlv", "@last") == second.delivery_id
    assert await reads.resolve_id("dlv", "@last-failed") == first.delivery_id
    await store.add_event(event(id="aaa", agent="nobody"), now=NOW)
    assert await reads.resolve_id("evt", "@last") == "aaa"


async def test_a_delivery_due_for_a_minute_and_still_pending_is_stuck(store: Store, reads: Reads) -> None:
    hook = await store.add_webhook(webhook(), secret="s")
    await store.add_event(event(1), now=NOW)
    await store.add_event(event(2, created_at=later(seconds=1)), now=NOW)
    assert await reads.stuck(now=later(seconds=59.999999)) == 0
    assert await reads.stuck(now=later(seconds=60)) == 1
    assert await reads.stuck(now=later(seconds=61)) == 2
    await store.change_webhook(hook.id, WebhookChange(enabled=False))
    assert await reads.stuck(now=later(seconds=61)) == 0
    await store.change_webhook(hook.id, WebhookChange(enabled=True))
    await claimed(store, now=later(seconds=61))
    assert await reads.stuck(now=later(seconds=61)) == 0


async def test_events_are_read_in_the_order_in_which_they_were_accepted_and_behind_a_mark(
    store: Store, reads: Reads
) -> None:
    assert await reads.newest_event_mark() == "0"
    for number in (3, 1):
        await store.add_event(event(number), now=later(seconds=number))
    mark = await reads.newest_event_mark()
    await store.add_event(event(2, agent="other", type="agent.failed"), now=later(seconds=2))
    first = await reads.announced(limit=2)
    rest = await reads.announced(after=first.next, limit=2)
    assert [(one.event, one.accepted_at) for one in first.rows] == [(event(n), later(seconds=n)) for n in (3, 1)]
    assert ([one.event.agent for one in rest.rows], rest.next) == (["other"], None)
    assert (await reads.announced(after=mark)).rows == rest.rows
    assert [one.event.id for one in (await reads.announced(since=later(seconds=2))).rows] == [event(3).id, event(2).id]
    assert (await reads.announced(agent="other", type="agent.failed")).rows == rest.rows
    assert (await reads.announced(agent="other", type="agent.completed")).rows == []


async def test_events_are_found_by_their_ids_those_that_there_are(store: Store, reads: Reads) -> None:
    await store.add_event(event(1), now=NOW)
    assert await reads.events_by_id([event(1).id, event(2).id]) == {event(1).id: event(1)}
