"""The SQL views, as people query them: from outside, with the database's own tools."""

from __future__ import annotations

import pytest

from swiftclaw_local.storage.store import Store
from swiftclaw_local.storage.views import VIEWS
from tests.storage.databases import Database
from tests.storage.laps import claimed, leased
from tests.storage.values import NOW, dead, event, later, retry, succeeded, webhook


async def test_the_delivery_log_has_a_row_per_attempt(store: Store, database: Database) -> None:
    await store.add_webhook(webhook(), secret="s")
    claim = await leased(store)
    await store.record(retry(claim, due_at=later(minutes=1), at=later(seconds=1)))
    (again,) = await claimed(store, now=later(minutes=1))
    await store.record(succeeded(again, at=later(minutes=1, seconds=1)))
    columns = "event_id, webhook_id, agent, event_type, attempt, retry, status, outcome, delivery_state, ended_at"
    rows = database.rows(f"SELECT {columns} FROM delivery_log ORDER BY attempt_id")  # noqa: S608 - columns from above
    who = (event().id, "webhook-123", "my-agent", "agent.completed")
    assert rows == [
        (*who, 1, 0, 500, "retry", "succeeded", "2026-11-23 14:00:01.000000"),
        (*who, 2, 1, 200, "succeeded", "succeeded", "2026-11-23 14:01:01.000000"),
    ]


async def test_unresolved_has_a_row_per_event_and_webhook_never_brought_through(
    store: Store, database: Database
) -> None:
    await store.add_webhook(webhook(), secret="s")
    lost = await leased(store, 1)
    await store.record(dead(lost))
    await store.replay(lost.delivery_id, now=NOW, scheduled=False)
    (again,) = await claimed(store)
    await store.record(dead(again))
    await store.record(retry(await leased(store, 2), due_at=later(hours=1)))
    await store.record(succeeded(await leased(store, 3)))
    sql = "SELECT event_id, webhook_id, deliveries, attempts, still_trying FROM unresolved ORDER BY event_id"
    assert database.rows(sql) == [
        (event(1).id, "webhook-123", 2, 2, 0),
        (event(2).id, "webhook-123", 1, 1, 1),
    ]


async def test_unresolved_leaves_out_tests_and_canceled_deliveries(store: Store, database: Database) -> None:
    hook = await store.add_webhook(webhook(), secret="s")
    tested = await store.add_delivery(event(1), hook.id, now=NOW, trigger="test", scheduled=False, lease=True)
    await store.record(dead(tested.claims[0]))
    accepted = await store.add_event(event(2), now=NOW)
    await store.cancel(accepted.delivery_ids[0], now=NOW)
    assert database.rows("SELECT * FROM unresolved") == []


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_view_can_be_read(database: Database, view: object) -> None:
    assert database.rows(f"SELECT * FROM {view.name}") == []  # type: ignore[attr-defined]  # noqa: S608 - our own names
