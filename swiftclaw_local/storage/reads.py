"""The reads of the store, as a protocol: paged by key, never by offset; none of them changes anything.

A cursor is opaque text made by the page before. Lists are newest first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Literal, Protocol

from swiftclaw_local.storage.records import (
    Alert,
    AlertChange,
    AlertEvent,
    Announced,
    Attempt,
    CauseGroup,
    Delivery,
    DeliveryFilter,
    KeptClock,
    LogEntry,
    LogHead,
    LogNews,
    Page,
    Stats,
    StatsPoint,
    StoredEvent,
    Webhook,
    WebhookGroup,
    WebhookStats,
)
from swiftclaw_local.storage.replay_records import Replay, Replayable, ReplayCounts, ReplayItem

Order = Literal["event", "failed"]
Which = Literal["canary", "bad", "open"]


class Reads(Protocol):
    """What can be asked of a database. Any read may raise StorageUnavailable."""

    async def webhook(self, webhook_id: str) -> Webhook:
        """Return a webhook, deleted ones too. Raises: UnknownWebhook."""

    async def webhooks(self, *, agent: str | None = None, limit: int = 100, cursor: str | None = None) -> Page[Webhook]:
        """Return webhooks that are not deleted, oldest first."""

    async def agents(self) -> list[str]:
        """Return the names of agents with webhooks that are not deleted, sorted."""

    async def webhook_stats(self, webhook_ids: list[str]) -> dict[str, WebhookStats]:
        """Return the counts of each; percentiles over its newest 1,000 attempts."""

    async def event(self, event_id: str) -> StoredEvent:
        """Return an event with its bytes. Raises: UnknownEvent."""

    async def events(
        self,
        *,
        agent: str | None = None,
        type: str | None = None,
        since: datetime | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[StoredEvent]:
        """Return events."""

    async def announced(
        self,
        *,
        after: str | None = None,
        agent: str | None = None,
        type: str | None = None,
        since: datetime | None = None,
        limit: int = 200,
    ) -> Page[Announced]:
        """Return events in the order in which they were accepted, those after a mark of `newest_event_mark` alone."""

    async def newest_event_mark(self) -> str:
        """Return a mark behind every event that there is."""

    async def events_by_id(self, event_ids: Sequence[str]) -> dict[str, StoredEvent]:
        """Return those of these events that there are, by their ids."""

    async def deliveries_of_event(self, event_id: str) -> list[Delivery]:
        """Return an event's deliveries, oldest first."""

    async def delivery(self, delivery_id: str) -> Delivery:
        """Return a delivery. Raises: UnknownDelivery."""

    async def deliveries(self, wanted: DeliveryFilter, *, limit: int = 20, cursor: str | None = None) -> Page[Delivery]:
        """Return deliveries."""

    async def count_deliveries(self, wanted: DeliveryFilter) -> int:
        """Return how many deliveries match."""

    async def group_by_cause(self, wanted: DeliveryFilter) -> list[CauseGroup]:
        """Return matching deliveries with at least one attempt, grouped by the last answer, largest group first."""

    async def group_by_webhook(self, wanted: DeliveryFilter) -> list[WebhookGroup]:
        """Return matching deliveries grouped by their webhook, largest group first."""

    async def attempts(self, delivery_id: str) -> list[Attempt]:
        """Return a delivery's attempts in the order they were made."""

    async def log_head(self) -> LogHead:
        """Return where the log ends."""

    async def log_before(self, moment: datetime) -> int:
        """Return the `seq` of the log's last entry before the first that ended at this time or later; the newest if none did."""

    async def log_page(self, after: int, until: int, *, limit: int) -> list[LogEntry]:
        """Return entries with after < seq <= until, in the order of recording."""

    async def log_news(
        self,
        after: int,
        *,
        missing: Collection[int] = (),
        after_alert_change: str | None,
        delivery_ids: Collection[str] = (),
        limit: int,
    ) -> LogNews:
        """Return, as of one moment, the entries with a higher `seq`, `limit` of them at most, and those of `missing` that came.

        With them the alert changes after that one (None: all), and these deliveries as far as they exist.
        """

    async def alert_changes(self, *, after: str | None, until: str | None) -> list[AlertChange]:
        """Return what alerts did after one change and up to another, in its order; None bounds nothing."""

    async def replayable(
        self, wanted: DeliveryFilter, *, ids: tuple[str, ...] | None = None, order: Order = "event"
    ) -> list[Replayable]:
        """Return what a replay would send: of each event and webhook that match the newest delivery, in the order of events.

        Those without an attempt and canceled ones are left out, unless they are named by `ids`. With `order` failed: by
        the time of the last attempt. More than `MOST_ITEMS` mean that there are too many.
        """

    async def replay(self, replay_id: str) -> Replay:
        """Return a replay. Raises: UnknownReplay."""

    async def replays(self, *, limit: int = 20, running: bool = False) -> list[Replay]:
        """Return replays, newest first; with `running` only those."""

    async def replay_counts(self, replay_id: str) -> ReplayCounts:
        """Return what became of a replay's deliveries so far."""

    async def replay_items(self, replay_id: str, *, which: Which, limit: int, canary: int = 0) -> list[ReplayItem]:
        """Return a replay's deliveries by their turn: the first `canary`; the `bad`, which did not get through; the `open`."""

    async def replay_items_named(self, replay_id: str, numbers: tuple[int, ...]) -> list[ReplayItem]:
        """Return these of a replay's deliveries."""

    async def resolve_id(self, kind: str, given: str) -> str:
        """Return the one id of a kind (`dlv` or `evt`) that is, or begins or ends with, what was given; `@last`, `@last-failed` too.

        Raises: UnknownDelivery or UnknownEvent; AmbiguousId, with some of the candidates.
        """

    async def alerts(self, *, agent: str | None = None, firing: bool | None = None) -> list[Alert]:
        """Return alerts, oldest first."""

    async def alert(self, alert_id: str) -> Alert:
        """Return an alert. Raises: UnknownAlert."""

    async def alert_history(self, *, alert_id: str | None = None, limit: int = 100) -> list[AlertEvent]:
        """Return what alerts did, newest first, those of removed alerts too."""

    async def count_failures(self, agent: str, *, after: datetime, until: datetime) -> int:
        """Return the agent's failed attempts, tests not counted, that ended in (after, until] (decision D27)."""

    async def stats(self, *, since: datetime, until: datetime, step: timedelta, webhook_id: str | None = None) -> Stats:
        """Return what ended in [since, until): one point per step, empty steps too, and all of it."""

    async def stats_by_webhook(
        self, webhook_ids: Sequence[str], *, since: datetime, until: datetime, step: timedelta
    ) -> dict[str, list[StatsPoint]]:
        """Return the same points for each of these webhooks."""

    async def counts(self) -> dict[str, int]:
        """Return how many webhooks, events, attempts there are, and deliveries by state (`deliveries_pending`, …)."""

    async def kept_clock(self) -> KeptClock | None:
        """Return how the clock stood when it was last kept."""

    async def newest_time(self) -> datetime | None:
        """Return the later of when the newest event was accepted and when the newest attempt ended; None without either."""

    async def stuck(self, *, now: datetime) -> int:
        """Return how many deliveries break the promise I9: due for 60 s, of an enabled webhook, and still pending; 0 in health."""
