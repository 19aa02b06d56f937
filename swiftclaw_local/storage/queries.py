"""The reads, over SQLAlchemy: paged by key, each on a thread of its own, so that a long one never holds up the engine.

They see what is committed, and change nothing. The same code reads every database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy
from sqlalchemy import Engine, Row, Select, and_, func, literal_column, or_, select
from sqlalchemy.engine import Connection

from swiftclaw_local.errors import (
    AmbiguousId,
    InvalidCursor,
    UnknownAlert,
    UnknownDelivery,
    UnknownEvent,
    UnknownWebhook,
)
from swiftclaw_local.storage import figures, filters
from swiftclaw_local.storage import log_reads as log
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
from swiftclaw_local.storage.replay_queries import ReplayQueries
from swiftclaw_local.storage.rows import to_alert, to_attempt, to_delivery, to_event, to_webhook
from swiftclaw_local.storage.tables import METADATA

T = TypeVar("T")
_webhook: Final = METADATA.tables["webhook"]
_event: Final = METADATA.tables["event"]
_delivery: Final = METADATA.tables["delivery"]
_attempt: Final = METADATA.tables["attempt"]
_alert: Final = METADATA.tables["alert"]
_alert_event: Final = METADATA.tables["alert_event"]
_clock: Final = METADATA.tables["clock"]

_CURSOR: Final = re.compile(r"[A-Za-z0-9_.:-]{1,160}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_STUCK_AFTER: Final = timedelta(seconds=60)  # promise I9


def read_engine(path: Path) -> Engine:
    """Return an engine of reading connections to a SQLite file, each read one transaction; nothing is opened yet."""
    engine = sqlalchemy.create_engine(
        f"sqlite:///{path}", connect_args={"check_same_thread": False, "timeout": 5}, pool_size=4, max_overflow=4
    )

    @sqlalchemy.event.listens_for(engine, "connect")
    def read_only(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA query_only = ON")

    @sqlalchemy.event.listens_for(engine, "begin")
    def see_one_moment(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")  # the driver begins nothing before a SELECT

    return engine


class SqlReads(ReplayQueries):
    """Implements `storage.reads` over an SQLAlchemy engine."""

    # --- webhooks -----------------------------------------------------------------------------------------------

    async def webhook(self, webhook_id: str) -> Webhook:
        """See `Reads.webhook`."""
        row = await self._one(select(_webhook).where(_webhook.c.id == webhook_id))
        if row is None:
            raise UnknownWebhook(f'There is no webhook "{webhook_id}".', field="webhook")
        return to_webhook(row)

    async def webhooks(self, *, agent: str | None = None, limit: int = 100, cursor: str | None = None) -> Page[Webhook]:
        """See `Reads.webhooks`. Ids are ordered by length first, so that webhook-99 comes before webhook-123."""
        statement = select(_webhook).where(_webhook.c.deleted_at.is_(None))
        if agent is not None:
            statement = statement.where(_webhook.c.agent == agent)
        size = func.length(_webhook.c.id)
        if cursor is not None:
            after = _checked(cursor)
            statement = statement.where(or_(size > len(after), and_(size == len(after), _webhook.c.id > after)))
        rows = await self._rows(statement.order_by(size, _webhook.c.id).limit(limit + 1))
        return _page([to_webhook(row) for row in rows], limit, key=lambda webhook: webhook.id)

    async def agents(self) -> list[str]:
        """See `Reads.agents`."""
        names = select(_webhook.c.agent).where(_webhook.c.deleted_at.is_(None)).distinct().order_by(_webhook.c.agent)
        return [row.agent for row in await self._rows(names)]

    async def webhook_stats(self, webhook_ids: list[str]) -> dict[str, WebhookStats]:
        """See `Reads.webhook_stats`."""
        return await self._read(
            lambda connection: {name: figures.webhook_stats(connection, name) for name in webhook_ids}
        )

    # --- events -------------------------------------------------------------------------------------------------

    async def event(self, event_id: str) -> StoredEvent:
        """See `Reads.event`."""
        row = await self._one(select(_event).where(_event.c.id == event_id))
        if row is None:
            raise UnknownEvent(
                f'There is no event "{event_id}".', hint="See them: swiftclaw events list", field="event"
            )
        return to_event(row)

    async def events(
        self,
        *,
        agent: str | None = None,
        type: str | None = None,
        since: datetime | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[StoredEvent]:
        """See `Reads.events`."""
        statement = _chosen(agent, type, since)
        if cursor is not None:
            statement = statement.where(_event.c.seq < _checked_number(cursor))
        rows = await self._rows(statement.order_by(_event.c.seq.desc()).limit(limit + 1))
        page = _page(rows, limit, key=lambda row: str(row.seq))
        return Page([to_event(row) for row in page.rows], page.next)

    async def announced(
        self,
        *,
        after: str | None = None,
        agent: str | None = None,
        type: str | None = None,
        since: datetime | None = None,
        limit: int = 200,
    ) -> Page[Announced]:
        """See `Reads.announced`."""
        statement = _chosen(agent, type, since)
        if after is not None:
            statement = statement.where(_event.c.seq > _checked_number(after))
        rows = await self._rows(statement.order_by(_event.c.seq).limit(limit + 1))
        page = _page(rows, limit, key=lambda row: str(row.seq))
        return Page([Announced(to_event(row), row.accepted_at) for row in page.rows], page.next)

    async def newest_event_mark(self) -> str:
        """See `Reads.newest_event_mark`."""
        row = await self._one(select(func.max(_event.c.seq)))
        return str(row[0] or 0) if row else "0"

    async def events_by_id(self, event_ids: Sequence[str]) -> dict[str, StoredEvent]:
        """See `Reads.events_by_id`."""
        rows = await self._rows(select(_event).where(_event.c.id.in_(event_ids)))
        return {row.id: to_event(row) for row in rows}

    async def deliveries_of_event(self, event_id: str) -> list[Delivery]:
        """See `Reads.deliveries_of_event`."""
        rows = await self._rows(filters.deliveries().where(_delivery.c.event_id == event_id).order_by(_delivery.c.id))
        return [to_delivery(row) for row in rows]

    # --- deliveries ---------------------------------------------------------------------------------------------

    async def delivery(self, delivery_id: str) -> Delivery:
        """See `Reads.delivery`."""
        row = await self._one(filters.deliveries().where(_delivery.c.id == delivery_id))
        if row is None:
            raise UnknownDelivery(
                f'There is no delivery "{delivery_id}".', hint="See them: swiftclaw deliveries list", field="delivery"
            )
        return to_delivery(row)

    async def deliveries(self, wanted: DeliveryFilter, *, limit: int = 20, cursor: str | None = None) -> Page[Delivery]:
        """See `Reads.deliveries`."""
        before = None if cursor is None else _checked(cursor)
        newest = filters.newest(wanted, before=before, most=limit + 1)

        def ask(connection: Connection) -> list[Row[Any]]:
            ids = [row.id for row in connection.execute(newest)]
            found = filters.deliveries().where(_delivery.c.id.in_(ids)).order_by(_delivery.c.id.desc())
            return list(connection.execute(found).all())

        rows = [to_delivery(row) for row in await self._read(ask)]
        return _page(rows, limit, key=lambda delivery: delivery.id)

    async def count_deliveries(self, wanted: DeliveryFilter) -> int:
        """See `Reads.count_deliveries`."""
        row = await self._one(select(func.count()).select_from(_delivery).where(*filters.conditions(wanted)))
        return int(row[0]) if row else 0

    async def group_by_cause(self, wanted: DeliveryFilter) -> list[CauseGroup]:
        """See `Reads.group_by_cause`."""
        cause = filters.cause()
        statement = (
            select(
                cause,
                func.count().label("deliveries"),
                func.count(_delivery.c.event_id.distinct()).label("events"),
                func.count(_delivery.c.webhook_id.distinct()).label("webhooks"),
                func.min(_delivery.c.last_attempt_at).label("first_at"),
                func.max(_delivery.c.last_attempt_at).label("last_at"),
            )
            .where(_delivery.c.attempts > 0, *filters.conditions(wanted))
            .group_by(cause)
            .order_by(func.count().desc(), cause)
        )
        return [
            CauseGroup(row[0], row.deliveries, row.events, row.webhooks, row.first_at, row.last_at)
            for row in await self._rows(statement)
        ]

    async def group_by_webhook(self, wanted: DeliveryFilter) -> list[WebhookGroup]:
        """See `Reads.group_by_webhook`."""
        at = func.coalesce(_delivery.c.last_attempt_at, _delivery.c.created_at)
        statement = (
            select(
                _webhook.c.id,
                _webhook.c.agent,
                _webhook.c.url,
                func.count().label("deliveries"),
                func.count(_delivery.c.event_id.distinct()).label("events"),
                func.min(at).label("first_at"),
                func.max(at).label("last_at"),
            )
            .join(_webhook, _webhook.c.id == _delivery.c.webhook_id)
            .where(*filters.conditions(wanted))
            .group_by(_webhook.c.id, _webhook.c.agent, _webhook.c.url)
            .order_by(func.count().desc(), _webhook.c.id)
        )
        return [
            WebhookGroup(row.id, row.agent, row.url, row.deliveries, row.events, row.first_at, row.last_at)
            for row in await self._rows(statement)
        ]

    async def attempts(self, delivery_id: str) -> list[Attempt]:
        """See `Reads.attempts`."""
        of_delivery = select(_attempt).where(_attempt.c.delivery_id == delivery_id).order_by(_attempt.c.lease_token)
        return [to_attempt(row) for row in await self._rows(of_delivery)]

    # --- the log as it grows ------------------------------------------------------------------------------------

    async def log_head(self) -> LogHead:
        """See `Reads.log_head`."""
        return await self._read(log.head)

    async def log_before(self, moment: datetime) -> int:
        """See `Reads.log_before`."""
        return await self._read(lambda connection: log.before(connection, moment))

    async def log_page(self, after: int, until: int, *, limit: int) -> list[LogEntry]:
        """See `Reads.log_page`."""
        return await self._read(lambda connection: log.page(connection, after, until, limit=limit))

    async def log_news(
        self,
        after: int,
        *,
        missing: Collection[int] = (),
        after_alert_change: str | None,
        delivery_ids: Collection[str] = (),
        limit: int,
    ) -> LogNews:
        """See `Reads.log_news`."""

        def ask(connection: Connection) -> LogNews:
            return LogNews(
                entries=tuple(log.those(connection, missing) + log.page(connection, after, None, limit=limit)),
                alert_changes=tuple(log.alert_changes(connection, after=after_alert_change, until=None)),
                deliveries=tuple(log.deliveries(connection, delivery_ids)),
            )

        return await self._read(ask)

    async def alert_changes(self, *, after: str | None, until: str | None) -> list[AlertChange]:
        """See `Reads.alert_changes`."""
        return await self._read(lambda connection: log.alert_changes(connection, after=after, until=until))

    # --- ids ----------------------------------------------------------------------------------------------------

    async def resolve_id(self, kind: str, given: str) -> str:
        """See `Reads.resolve_id`."""
        table, missing = (_event, UnknownEvent) if kind == "evt" else (_delivery, UnknownDelivery)
        what = "event" if kind == "evt" else "delivery"
        found = await self._read(lambda connection: filters.candidates(connection, table, given))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(found[: filters.CANDIDATES - 1])
            raise AmbiguousId(
                f'More than one {what} fits "{given}": {names}, ….', hint="Give more of the id.", field=what
            )
        raise missing(f'There is no {what} "{given}".', field=what)

    # --- alerts -------------------------------------------------------------------------------------------------

    async def alerts(self, *, agent: str | None = None, firing: bool | None = None) -> list[Alert]:
        """See `Reads.alerts`."""
        statement = select(_alert)
        if agent is not None:
            statement = statement.where(_alert.c.agent == agent)
        if firing is not None:
            statement = statement.where(_alert.c.state == ("firing" if firing else "ok"))
        rows = await self._rows(statement.order_by(func.length(_alert.c.id), _alert.c.id))
        return [to_alert(row) for row in rows]

    async def alert(self, alert_id: str) -> Alert:
        """See `Reads.alert`."""
        row = await self._one(select(_alert).where(_alert.c.id == alert_id))
        if row is None:
            raise UnknownAlert(
                f'There is no alert "{alert_id}".', hint="See them all: swiftclaw alerts list", field="alert"
            )
        return to_alert(row)

    async def alert_history(self, *, alert_id: str | None = None, limit: int = 100) -> list[AlertEvent]:
        """See `Reads.alert_history`."""
        statement = select(_alert_event)
        if alert_id is not None:
            statement = statement.where(_alert_event.c.alert_id == alert_id)
        rows = await self._rows(statement.order_by(_alert_event.c.id.desc()).limit(limit))
        return [AlertEvent(row.id, row.alert_id, row.state, row._mapping["count"], row.at) for row in rows]

    async def count_failures(self, agent: str, *, after: datetime, until: datetime) -> int:
        """See `Reads.count_failures`."""
        statement = select(func.count()).where(
            _attempt.c.failed,
            _attempt.c.agent == agent,
            _attempt.c.ended_at > after,
            _attempt.c.ended_at <= until,
        )
        row = await self._one(statement)
        return int(row[0]) if row else 0

    # --- figures ------------------------------------------------------------------------------------------------

    async def stats(self, *, since: datetime, until: datetime, step: timedelta, webhook_id: str | None = None) -> Stats:
        """See `Reads.stats`."""
        return await self._read(
            lambda connection: figures.stats(connection, since=since, until=until, step=step, webhook_id=webhook_id)
        )

    async def stats_by_webhook(
        self, webhook_ids: Sequence[str], *, since: datetime, until: datetime, step: timedelta
    ) -> dict[str, list[StatsPoint]]:
        """See `Reads.stats_by_webhook`."""
        return await self._read(
            lambda connection: figures.stats_by_webhook(connection, webhook_ids, since=since, until=until, step=step)
        )

    async def counts(self) -> dict[str, int]:
        """See `Reads.counts`."""
        return await self._read(figures.counts)

    async def kept_clock(self) -> KeptClock | None:
        """See `Reads.kept_clock`."""
        row = await self._one(select(_clock))
        return None if row is None else KeptClock(row.rate, row.at, timedelta(seconds=row.lead_s))

    async def newest_time(self) -> datetime | None:
        """See `Reads.newest_time`."""
        accepted = await self._one(select(_event.c.accepted_at).order_by(_event.c.seq.desc()).limit(1))
        ended = await self._one(select(_attempt.c.ended_at).order_by(_attempt.c.seq.desc()).limit(1))
        return max((row[0] for row in (accepted, ended) if row is not None), default=None)

    async def stuck(self, *, now: datetime) -> int:
        """See `Reads.stuck`."""
        # by webhook and by this one condition on the state, so that the index of due deliveries serves
        live = select(_webhook.c.id).where(_webhook.c.enabled, _webhook.c.deleted_at.is_(None))
        overdue = select(func.count()).where(
            _delivery.c.state == literal_column("'pending'"),
            _delivery.c.webhook_id.in_(live),
            _delivery.c.due_at <= now - _STUCK_AFTER,
        )
        row = await self._one(overdue)
        return int(row[0]) if row else 0


def _chosen(agent: str | None, type: str | None, since: datetime | None) -> Select[Any]:
    """Return the SELECT of the events of an agent, of a type, accepted since a time; None does not restrict."""
    statement = select(_event)
    for column, value in ((_event.c.agent, agent), (_event.c.type, type)):
        if value is not None:
            statement = statement.where(column == value)
    return statement if since is None else statement.where(_event.c.accepted_at >= since)


def _page(rows: list[T], limit: int, *, key: Callable[[T], str]) -> Page[T]:
    return Page(rows[:limit], key(rows[limit - 1]) if len(rows) > limit else None)


def _checked(cursor: str, *, pattern: re.Pattern[str] = _CURSOR) -> str:
    if not pattern.fullmatch(cursor):
        raise InvalidCursor(
            f'"{cursor[:40]}" is not a cursor of this list.', hint="Use `next` of the page before.", field="cursor"
        )
    return cursor


def _checked_number(cursor: str) -> int:
    return int(_checked(cursor, pattern=_NUMBER))
