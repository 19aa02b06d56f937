"""`swiftclaw alerts`: be told when an agent's webhooks fail too often, as on SwiftClaw's page."""

from __future__ import annotations

from typing import Any, Final

import click

from swiftclaw_local.cli import completion
from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.client import in_path
from swiftclaw_local.cli.flags import numbered, said_as
from swiftclaw_local.cli.looking import view_of
from swiftclaw_local.cli.output import Column, state_color
from swiftclaw_local.cli.shape import group

Json = dict[str, Any]

_PATH: Final = "/v1/alerts"
_STATE: Final = Column("STATE", style=state_color)
COLUMNS: Final = (
    Column("ID"),
    Column("AGENT"),
    Column("METRIC"),
    Column("THRESHOLD", right=True),
    Column("WINDOW", right=True),
    _STATE,
    Column("NOW/THRESHOLD", right=True),
    Column("URL", flexible=True),
)
HISTORY_COLUMNS: Final = (Column("TIME"), Column("ALERT"), _STATE, Column("COUNT", right=True))


@group("alerts")
def alerts() -> None:
    """Be told when webhooks fail too often, as in the SwiftClaw docs."""


@alerts.command("create")
@click.option("--agent", required=True, shell_complete=completion.agents, help="The agent to watch.")
@click.option("--metric", required=True, help="What to count: webhook-failures, every attempt without a 2xx.")
@click.option("--threshold", required=True, type=click.IntRange(1, 1_000_000), help="Fires when the count reaches it.")
@click.option("--window", required=True, metavar="TIME", help="Over which time, as 1h or 30m.")
@click.option("--url", help="Where to POST a note when it fires.")
@pass_app
def create(app: App, *, agent: str, metric: str, threshold: int, window: str, url: str | None) -> None:
    """Watch an agent's failed attempts."""
    body = {"agent": agent, "metric": metric, "threshold": threshold, "window": window, "notify_url": url}
    with said_as(metric="--metric", window="--window", notify_url="--url", agent="--agent", threshold="--threshold"):
        alert = app.client.post(_PATH, {name: value for name, value in body.items() if value is not None})
    if app.output.as_json:
        return app.output.json(alert)
    return app.output.line(created_line(alert))


@alerts.command("list")
@click.option("--agent", shell_complete=completion.agents, help="Only this agent's.")
@click.option("--firing", is_flag=True, help="Only those that fire now.")
@pass_app
def list_alerts(app: App, agent: str | None, *, firing: bool) -> None:
    """List alerts and how near they are to firing."""
    listed = app.client.get(_PATH, agent=agent, firing=firing)
    if app.output.as_json:
        return app.output.json(listed)
    if not listed["data"]:
        return app.output.note(
            "No alerts." if agent or firing else "No alerts yet. Set one up: swiftclaw alerts create --help"
        )
    return app.output.table(COLUMNS, [row(alert) for alert in listed["data"]])


@alerts.command("delete")
@click.argument("alert_id", metavar="ID", shell_complete=completion.alerts)
@click.option("--yes", is_flag=True, help="For scripts; nothing is asked in any case.")
@pass_app
def delete(app: App, alert_id: str, *, yes: bool) -> None:
    """Remove an alert; its history is kept."""
    name = numbered("alert", alert_id)
    app.client.delete(f"{_PATH}/{in_path(name)}")
    if app.output.as_json:
        return app.output.json({"id": name})
    return app.output.line(f"Deleted {name}. Its history is kept (swiftclaw alerts history {name}).")


@alerts.command("history")
@click.argument("alert_id", metavar="[ID]", required=False, shell_complete=completion.alerts)
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True, help="The newest so many.")
@pass_app
def history(app: App, alert_id: str | None, limit: int) -> None:
    """Show when alerts fired and cleared, the newest last."""
    middle = "" if alert_id is None else f"/{in_path(numbered('alert', alert_id))}"
    listed = app.client.get(f"{_PATH}{middle}/history", limit=limit)
    if app.output.as_json:
        return app.output.json(listed)
    if not listed["data"]:
        return app.output.note("Nothing has fired yet.")
    view = view_of(app)
    rows = [
        (view.time(change["at"]), change["alert"], change["state"], str(change["count"]))
        for change in reversed(listed["data"])
    ]
    return app.output.table(HISTORY_COLUMNS, rows)


def created_line(alert: Json) -> str:
    """Return what a new alert watches, and how it stands."""
    rule = f"fires when {alert['agent']} has {alert['threshold']} or more {alert['metric']} in {alert['window']}"
    now = f"Now: {alert['current']}{', firing' if alert['state'] == 'firing' else ''}."
    told = (
        f"It POSTs to {alert['notify_url']}."
        if alert["notify_url"]
        else "Shown in: swiftclaw listen, swiftclaw alerts list, and the server's log."
    )
    return f"Created {alert['id']}: {rule}. {now} {told}"


def row(alert: Json) -> tuple[str, ...]:
    """Return the cells under COLUMNS."""
    return (
        alert["id"],
        alert["agent"],
        alert["metric"],
        str(alert["threshold"]),
        alert["window"],
        alert["state"],
        f"{alert['current']}/{alert['threshold']}",
        alert["notify_url"] or "-",
    )
