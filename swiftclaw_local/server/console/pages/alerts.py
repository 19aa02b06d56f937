"""Alerts: how full each is, when it fired, a form that sets one up."""

from __future__ import annotations

from typing import Final

from swiftclaw_local.durations import parse_duration
from swiftclaw_local.platform import Platform
from swiftclaw_local.scheduler.alerts import METRIC
from swiftclaw_local.server.console.blanks import MaybeText
from swiftclaw_local.server.console.page import Action, Page, Shown, Went
from swiftclaw_local.server.console.pages.frame_actions import Back
from swiftclaw_local.server.models import AlertEventOut, AlertOut, Model
from swiftclaw_local.server.queries import AlertsQuery, HistoryQuery
from swiftclaw_local.server.routes.alerts import alerts_history, list_alerts
from swiftclaw_local.server.shapes import alert_out
from swiftclaw_local.server.written import Threshold


class AlertsOut(Model):
    """All alerts, oldest first, and what they did, newest first."""

    alerts: list[AlertOut]
    history: list[AlertEventOut]


class AlertForm(Model):
    """An alert to set up."""

    agent: str
    threshold: Threshold = 5
    window: str = "1h"
    notify_url: MaybeText = None


async def show_alerts(platform: Platform) -> Shown:
    """Show the alerts."""
    alerts = (await list_alerts(platform, AlertsQuery())).data
    history = (await alerts_history(platform, HistoryQuery(limit=100))).data
    more = {"agents": await platform.reads.agents(), "metric": METRIC}
    return Shown("alerts.html", "Alerts", AlertsOut(alerts=alerts, history=history), more)


async def create_alert(platform: Platform, form: AlertForm) -> Went:
    """Watch an agent's failed attempts."""
    alert = await platform.alerts.create(
        form.agent.strip(),
        metric=METRIC,
        threshold=form.threshold,
        window=parse_duration(form.window.strip(), field="window"),
        notify_url=form.notify_url,
    )
    shown = alert_out(alert, current=await platform.alerts.count(alert))
    fires = f"fires when {shown.agent} has {shown.threshold} or more {METRIC} in {shown.window}"
    return Went("/alerts", f"Created {shown.id}: {fires}. Now: {shown.current}.", data=shown)


async def delete_alert(platform: Platform, alert_id: str, form: Back) -> Went:
    """Take an alert down; its history stays."""
    await platform.alerts.delete(alert_id)
    return Went("/alerts", f"Deleted {alert_id}. Its history is kept.")


PAGES: Final = (Page("/alerts", show_alerts),)
ACTIONS: Final = (
    Action("/alerts", create_alert, "manage"),
    Action("/alerts/{alert_id}/delete", delete_alert, "manage"),
)
