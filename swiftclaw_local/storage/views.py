"""The SQL views people may query: a stable contract. Their columns are added to, never renamed or taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class View:
    """A view: its name, what it is for, and its SELECT."""

    name: str
    meaning: str
    select: str


VIEWS: Final = (
    View(
        "delivery_log",
        "One row per attempt, oldest first: when, to whom, what came of it. `attempt` counts from 1, `retry` from 0 (the first attempt);"
        " `fault` is what was done to it on purpose.",
        """
        SELECT a.id AS attempt_id, a.delivery_id, a.event_id, d.event_type, a.agent, a.webhook_id, a.trigger,
               a.number AS attempt, a.retry, a.scheduled_at, a.started_at, a.ended_at, a.duration_ms, a.url,
               a.status, a.error_class, a.error_detail, a.outcome, a.signature, a.response_body,
               a.response_size, a.truncated, d.state AS delivery_state, d.reason AS delivery_reason, a.fault
        FROM attempt a JOIN delivery d ON d.id = a.delivery_id
        """,
    ),
    View(
        "unresolved",
        "One row per event and webhook that no delivery ever brought through, tests left out: how often it was tried, and how it stands.",
        """
        SELECT d.event_id, d.webhook_id, d.event_type, d.agent, count(*) AS deliveries, sum(d.attempts) AS attempts,
               min(d.created_at) AS first_created_at, max(d.last_attempt_at) AS last_attempt_at,
               max(CASE WHEN d.ended_at IS NULL THEN 1 ELSE 0 END) AS still_trying
        FROM delivery d
        WHERE d.trigger <> 'test' AND d.state <> 'canceled'
        GROUP BY d.event_id, d.webhook_id, d.event_type, d.agent
        HAVING max(CASE WHEN d.state = 'succeeded' THEN 1 ELSE 0 END) = 0
        """,
    ),
)


def create_statements() -> list[str]:
    """Return the statements that create all views."""
    return [f"CREATE VIEW {view.name} AS {' '.join(view.select.split())}" for view in VIEWS]
