"""Alerts and the failures they count, the kept clock, and forgetting everything."""

from __future__ import annotations

from datetime import timedelta

import pytest

from swiftclaw_local.errors import UnknownAlert
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import Alert, KeptClock, MarkRetry
from swiftclaw_local.storage.store import Store
from tests.storage.databases import Database, ReadableStore
from tests.storage.laps import claimed, leased
from tests.storage.values import NOW, dead, event, later, made, retry, succeeded, webhook

RULE = Alert("", "my-agent", "webhook-failures", 5, timedelta(hours=1), None, "ok", NOW)
TABLES = ("event", "delivery", "attempt", "alert", "alert_event", "clock", "webhook")


async def failures(reads: Reads, *, after: float = -3600, until: float = 0) -> int:
    """Count failures between two times, in seconds from NOW."""
    return await reads.count_failures("my-agent", after=later(seconds=after), until=later(seconds=until))


async def test_alerts_are_numbered_and_kept_as_given(store: Store, reads: Reads) -> None:
    first = await store.add_alert(RULE)
    second = await store.add_alert(
        Alert("", "other", "webhook-failures", 1, timedelta(seconds=90), "http://localhost/n", "ok", later(hours=1))
    )
    assert (first.id, second.id) == ("alert-1", "alert-2")
    assert await reads.alerts() == [first, second]
    assert await reads.alerts(agent="other") == [second]
    assert await reads.alert("alert-2") == second
    assert second.window == timedelta(seconds=90)


async def test_an_alert_fires_and_clears_once_each_and_its_history_says_so(store: Store, reads: Reads) -> None:
    alert = await store.add_alert(RULE)
    fired = await store.set_alert(alert.id, state="firing", count=5, now=later(seconds=1))
    assert await store.set_alert(alert.id, state="firing", count=6, now=later(seconds=2)) is None
    assert [a.id for a in await reads.alerts(firing=True)] == [alert.id]
    cleared = await store.set_alert(alert.id, state="ok", count=4, now=later(seconds=3))
    assert await reads.alerts(firing=True) == []
    assert [a.id for a in await reads.alerts(firing=False)] == [alert.id]
    assert await reads.alert_history() == [cleared, fired]
    assert fired is not None
    assert (fired.alert_id, fired.state, fired.count, fired.at) == (alert.id, "firing", 5, later(seconds=1))


async def test_a_removed_alerts_history_stays(store: Store, reads: Reads) -> None:
    alert = await store.add_alert(RULE)
    await store.set_alert(alert.id, state="firing", count=5, now=NOW)
    await store.remove_alert(alert.id)
    assert await reads.alerts() == []
    assert len(await reads.alert_history(alert_id=alert.id)) == 1
    assert await reads.alert_history(alert_id="alert-2") == []
    assert (await store.add_alert(RULE)).id == "alert-2"


async def test_an_unknown_alert_is_unknown_to_every_verb(store: Store, reads: Reads) -> None:
    with pytest.raises(UnknownAlert):
        await store.remove_alert("alert-9")
    with pytest.raises(UnknownAlert):
        await store.set_alert("alert-9", state="firing", count=1, now=NOW)
    with pytest.raises(UnknownAlert):
        await reads.alert("alert-9")


async def test_every_failed_attempt_counts_retried_or_final(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    await store.record(retry(await leased(store, 1), due_at=later(hours=1)))
    await store.record(dead(await leased(store, 2)))
    await store.record(succeeded(await leased(store, 3)))
    stale = await leased(store, 4)
    await store.record(MarkRetry(made(stale, status=None, cause="stale_connection"), later(hours=1), uses_retry=False))
    assert await failures(reads) == 2


async def test_failures_count_when_their_end_lies_after_the_begin_and_up_to_the_end_of_the_window(
    store: Store, reads: Reads
) -> None:
    await store.add_webhook(webhook(), secret="s")
    for number, seconds in enumerate((-10.0, -9.999999, 0.0, 0.000001)):
        await store.record(dead(await leased(store, number), at=later(seconds=seconds)))
    assert await failures(reads, after=-10, until=0) == 2
    assert await failures(reads, after=-10, until=0.000001) == 3
    assert await failures(reads, after=-10.000001, until=0) == 3


async def test_tests_and_other_agents_failures_and_late_writers_do_not_count(store: Store, reads: Reads) -> None:
    hook = await store.add_webhook(webhook(), secret="s")
    await store.add_webhook(webhook("other"), secret="s")
    tested = await store.add_delivery(event(1), hook.id, now=NOW, trigger="test", scheduled=False, lease=True)
    await store.record(dead(tested.claims[0]))
    await store.record(dead(await leased(store, of=event(2, agent="other"))))
    late = await leased(store, 3)
    await store.give_back([late], now=NOW)
    await store.record(dead(late))
    assert await failures(reads) == 0


async def test_a_failed_replay_counts(store: Store, reads: Reads) -> None:
    await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    await store.record(dead(claim))
    await store.replay(claim.delivery_id, now=NOW, scheduled=False)
    (again,) = await claimed(store)
    await store.record(dead(again))
    assert await failures(reads) == 2


async def test_the_clock_is_kept_as_it_stood_last(store: Store, reads: Reads) -> None:
    assert await reads.kept_clock() is None
    await store.keep_clock(KeptClock(rate=1.0, at=NOW, lead=timedelta(0)))
    last = KeptClock(rate=0.0, at=later(microseconds=1), lead=timedelta(hours=7, microseconds=5))
    await store.keep_clock(last)
    assert await reads.kept_clock() == last


async def test_the_newest_time_is_that_of_the_last_event_or_attempt(store: Store, reads: Reads) -> None:
    assert await reads.newest_time() is None
    await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    assert await reads.newest_time() == NOW
    await store.record(dead(claim, at=later(seconds=9)))
    assert await reads.newest_time() == later(seconds=9)
    await store.add_event(event(2), now=later(hours=1))
    assert await reads.newest_time() == later(hours=1)


async def fill(store: Store) -> None:
    """Put something into every table."""
    await store.add_webhook(webhook(), secret="s")
    await store.record(dead(await leased(store, 1)))
    await leased(store, 2)
    await store.add_alert(RULE)
    await store.set_alert("alert-1", state="firing", count=5, now=NOW)
    await store.keep_clock(KeptClock(rate=0.0, at=NOW, lead=timedelta(0)))


async def test_a_reset_forgets_everything_and_counts_anew(store: Store, database: Database) -> None:
    await fill(store)
    await store.reset(keep_webhooks=False)
    left = [database.rows(f"SELECT count(*) FROM {table}") for table in TABLES]  # noqa: S608 - names from above
    assert left == [[(0,)]] * len(TABLES)
    assert (await store.add_webhook(webhook(), secret="s")).id == "webhook-123"
    assert (await store.add_alert(RULE)).id == "alert-1"


async def test_a_reset_can_keep_the_webhooks(store: Store, database: Database, reads: Reads) -> None:
    await fill(store)
    await store.reset(keep_webhooks=True)
    assert [hook.id for hook in (await reads.webhooks()).rows] == ["webhook-123"]
    assert await store.secret_of("webhook-123") == "s"
    assert database.rows("SELECT count(*) FROM delivery") == [(0,)]
    assert (await leased(store, 1)).webhook_id == "webhook-123"
    assert (await store.add_webhook(webhook(), secret="s")).id == "webhook-124"


async def test_an_event_forgotten_by_a_reset_can_be_added_anew(store: ReadableStore) -> None:
    await store.add_webhook(webhook(), secret="s")
    await store.add_event(event(), now=NOW)
    await store.reset(keep_webhooks=True)
    assert not (await store.add_event(event(body=b"other"), now=NOW)).known
