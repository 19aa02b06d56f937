"""Routes of alerts: set up, list, take down, history."""

from __future__ import annotations

from typing import Final

from swiftclaw_local.durations import parse_duration
from swiftclaw_local.errors import (
    InvalidDuration,
    InvalidInput,
    InvalidJson,
    InvalidUrl,
    StorageFull,
    StorageUnavailable,
    UnknownAlert,
)
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.adapter import Answer, Route
from swiftclaw_local.server.bodies import AlertCreate
from swiftclaw_local.server.models import AlertEventOut, AlertOut, ListOut
from swiftclaw_local.server.queries import AlertsQuery, HistoryQuery, flag
from swiftclaw_local.server.shapes import alert_event_out, alert_out

_WRITES: Final = (StorageUnavailable, StorageFull)


async def create_alert(platform: Platform, body: AlertCreate) -> AlertOut:
    """Watch an agent's failed attempts; the alert is judged at once over what is in the log already."""
    alert = await platform.alerts.create(
        body.agent,
        metric=body.metric,
        threshold=body.threshold,
        window=parse_duration(body.window, field="window"),
        notify_url=body.notify_url,
    )
    return alert_out(alert, current=await platform.alerts.count(alert))


async def list_alerts(platform: Platform, query: AlertsQuery) -> ListOut[AlertOut]:
    """List alerts with their present counts, oldest first."""
    firing = None if query.firing is None else flag(query.firing)
    alerts = await platform.reads.alerts(agent=query.agent, firing=firing)
    shown = [alert_out(alert, current=await platform.alerts.count(alert)) for alert in alerts]
    return ListOut[AlertOut](data=shown, total=len(shown))


async def delete_alert(platform: Platform, alert_id: str) -> Answer:
    """Take an alert down; its history stays."""
    await platform.alerts.delete(alert_id)
    return Answer(204)


async def alert_history(platform: Platform, alert_id: str, query: HistoryQuery) -> ListOut[AlertEventOut]:
    """List when an alert fired and cleared, newest first; of one that was taken down too."""
    history = await platform.reads.alert_history(alert_id=alert_id, limit=query.limit)
    if not history:
        await platform.reads.alert(alert_id)
    return ListOut[AlertEventOut](data=[alert_event_out(change) for change in history])


async def alerts_history(platform: Platform, query: HistoryQuery) -> ListOut[AlertEventOut]:
    """List when any alert fired and cleared, newest first."""
    history = await platform.reads.alert_history(limit=query.limit)
    return ListOut[AlertEventOut](data=[alert_event_out(change) for change in history])


ROUTES: Final = (
    Route(
        "POST",
        "/v1/alerts",
        create_alert,
        "manage",
        {201: AlertOut},
        (InvalidInput, InvalidJson, InvalidDuration, InvalidUrl, *_WRITES),
    ),
    Route("GET", "/v1/alerts", list_alerts, "read", {200: ListOut[AlertOut]}, (InvalidInput,)),
    # before the route of one alert, whose id it would be taken for
    Route("GET", "/v1/alerts/history", alerts_history, "read", {200: ListOut[AlertEventOut]}, (InvalidInput,)),
    Route("DELETE", "/v1/alerts/{alert_id}", delete_alert, "manage", {204: None}, (UnknownAlert, *_WRITES)),
    Route(
        "GET",
        "/v1/alerts/{alert_id}/history",
        alert_history,
        "read",
        {200: ListOut[AlertEventOut]},
        (InvalidInput, UnknownAlert),
    ),
)
