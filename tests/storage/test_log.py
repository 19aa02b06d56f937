"""Reading the log as it grows: by its key, with what belongs to it."""

from __future__ import annotations

from dataclasses import replace

from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import LogHead, MarkDead, MarkSucceeded
from swiftclaw_local.storage.store import Store
from tests.storage.laps import leased
from tests.storage.test_alerts import RULE
from tests.storage.values import NOW, event, later, made, retry, succeeded, webhook


async def test_attempts_are_read_on_from_the_last_one_seen(store: Store, reads: Reads) -> None:
    assert await reads.log_head() == LogHead(0, (), None)
    await store.add_webhook(webhook(), secret="s")
    ids = [(await store.record(succeeded(await leased(store, number)))).attempt_id for number in range(4)]
    newest = (await reads.log_head()).seq
    first = await reads.log_page(0, newest, limit=2)
    rest = await reads.log_page(first[-1].seq, newest, limit=10)
    assert [entry.id for entry in first + rest] == ids
    assert await reads.log_page(newest, newest, limit=10) == []
    assert await reads.log_page(0, newest - 1, limit=10) == (first + rest)[:3]


async def test_an_entry_says_what_its_delivery_is_about_and_how_it_stands(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    await store.record(retry(await leased(store, 1), due_at=later(hours=1), at=later(seconds=3), status=503))
    (entry,) = (await reads.log_news(0, after_alert_change=None, limit=10)).entries
    told = (entry.event_type, entry.outcome, entry.state, entry.attempts, entry.due_at, entry.scheduled, entry.failed)
    assert told == (event(1).type, "retry", "pending", 1, later(hours=1), True, True)


async def test_of_an_answer_the_beginning_is_read_unless_it_is_a_long_success(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    for number, (status, size) in enumerate([(503, 10), (503, 5000), (200, 10), (200, 5000)]):
        attempt = made(await leased(store, number), status=status)
        mark = replace(attempt, response_head=b"A: b", response_body=b"x" * size)
        await store.record(MarkSucceeded(mark) if status == 200 else MarkDead(mark, "rejected"))
    entries = (await reads.log_news(0, after_alert_change=None, limit=10)).entries
    assert [len(entry.answer_start or b"") for entry in entries] == [10, 4096, 10, 0]


async def test_the_news_are_what_came_after_what_was_missing_and_what_was_asked_for(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    for number in range(4):
        await store.record(succeeded(await leased(store, number)))
    waiting = (await store.add_event(event(9), now=NOW)).delivery_ids
    seqs = [entry.seq for entry in await reads.log_page(0, 10**9, limit=10)]
    news = await reads.log_news(
        seqs[2], missing=[seqs[0], 10**9], after_alert_change=None, delivery_ids=[*waiting, "dlv_none"], limit=10
    )
    assert [entry.seq for entry in news.entries] == [seqs[0], seqs[3]]
    assert [one.id for one in news.deliveries] == list(waiting)
    assert news.alert_changes == ()
    assert len((await reads.log_news(0, after_alert_change=None, limit=3)).entries) == 3


async def test_a_time_is_found_in_the_log(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    for number in range(3):
        await store.record(succeeded(await leased(store, number), at=later(minutes=number)))
    seqs = [entry.seq for entry in await reads.log_page(0, 10**9, limit=10)]
    before = [await reads.log_before(later(minutes=minutes)) for minutes in (0, 1, 1.5, 9)]
    assert before == [seqs[0] - 1, seqs[0], seqs[1], seqs[2]]


async def test_what_alerts_did_is_read_on_in_order_with_the_rule_while_there_is_one(store: Store, reads: Reads) -> None:
    first = await store.add_alert(RULE)
    second = await store.add_alert(RULE)
    for one, state in ((first, "firing"), (second, "firing"), (first, "ok")):
        assert await store.set_alert(one.id, state=state, count=5, now=NOW) is not None
    await store.remove_alert(second.id)
    changes = await reads.alert_changes(after=None, until=None)
    assert [(one.change.alert_id, one.change.state, one.alert is None) for one in changes] == [
        (first.id, "firing", False),
        (second.id, "firing", True),
        (first.id, "ok", False),
    ]
    ids = [one.change.id for one in changes]
    assert [c.change.id for c in await reads.alert_changes(after=ids[0], until=ids[1])] == [ids[1]]
    news = await reads.log_news(0, after_alert_change=ids[1], limit=10)
    assert [c.change.id for c in news.alert_changes] == [ids[2]]
    assert (await reads.log_head()).alert_change == ids[2]
