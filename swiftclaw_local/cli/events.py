"""`swiftclaw events`: the events that were announced, and the exact bytes that every attempt sends."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from swiftclaw_local.cli import completion
from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.client import in_path
from swiftclaw_local.cli.delivery_texts import LIST_COLUMNS, list_cells
from swiftclaw_local.cli.flags import said_as, typed_id
from swiftclaw_local.cli.looking import event_bytes, say, view_of
from swiftclaw_local.cli.output import Column, counted, moment_text
from swiftclaw_local.cli.recordings import export_events
from swiftclaw_local.cli.shape import group
from swiftclaw_local.plain_text import clean

_PATH: Final = "/v1/events"
COLUMNS: Final = (Column("EVENT"), Column("CREATED"), Column("TYPE"), Column("DATA", flexible=True))


@group("events")
def events() -> None:
    """Look at the events that were announced."""


@events.command("list")
@click.option("--type", "event_type", metavar="TYPE", help="Only this event type.")
@click.option("--agent", shell_complete=completion.agents, help="Only this agent's.")
@click.option("--since", metavar="TIME", help="Only since then: 14:02, 2026-11-23 09:00, 2h ago.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="The newest so many.")
@pass_app
def list_events(app: App, event_type: str | None, agent: str | None, since: str | None, limit: int) -> None:
    """List events, the newest last."""
    with said_as(since="--since"):
        listed = app.client.get(_PATH, type=event_type, agent=agent, since=since, limit=limit)
    if app.output.as_json:
        return app.output.json(listed)
    if not listed["data"]:
        return app.output.note(
            "No events match."
            if event_type or agent or since
            else "No events yet. Send one: swiftclaw trigger agent.completed"
        )
    view = view_of(app)
    rows = [
        (view.id(event["id"]), view.time(event["created"]), event["type"], _compact(event["data"]))
        for event in reversed(listed["data"])
    ]
    return app.output.table(COLUMNS, rows)


@events.command("export")
@click.option("--type", "event_type", metavar="TYPE", help="Only this event type.")
@click.option("--agent", shell_complete=completion.agents, help="Only this agent's.")
@click.option("--since", metavar="TIME", help="Only since then: 14:02, 2026-11-23 09:00, 2h ago.")
@click.option("--output", metavar="FILE", help="Into this file, which only you may read (default: stdout).")
@click.option("--overwrite", is_flag=True, help="Write over the file if it exists.")
@pass_app
def export(
    app: App, event_type: str | None, agent: str | None, since: str | None, *, output: str | None, overwrite: bool
) -> None:
    """Write events down for `swiftclaw play`, oldest first, one JSON object a line.

    The bytes of each event are exact; no secret is in it.
    """
    export_events(app, event_type=event_type, agent=agent, since=since, output=output, overwrite=overwrite)


@events.command("show")
@click.argument("event_id", metavar="ID", shell_complete=completion.events)
@pass_app
def show(app: App, event_id: str) -> None:
    """Show an event and its deliveries. ID may be its end, or @last."""
    found = app.client.get(f"{_PATH}/{in_path(typed_id(event_id))}")
    if app.output.as_json:
        return app.output.json(found)
    event = found["event"]
    say(app, [f"{event['id']}   {event['type']}   {moment_text(event['created'])}"])
    say(app, [json.dumps(event["data"], indent=2, ensure_ascii=False)])
    if not found["deliveries"]:
        return app.output.note("No webhook took it.")
    app.output.line()
    view = view_of(app)
    app.output.table(LIST_COLUMNS, [list_cells(delivery, view) for delivery in found["deliveries"]])
    return app.output.note(f"Its bytes: swiftclaw events body {event['id']}")


@events.command("body")
@click.argument("event_id", metavar="ID", shell_complete=completion.events)
@pass_app
def body(app: App, event_id: str) -> None:
    """Write the exact bytes that every attempt sends. ID may be its end, or @last.

    Piped, they are exact, without a line break behind them; on a terminal, control characters are spelled out.
    """
    raw = event_bytes(app, typed_id(event_id))
    if app.output.as_json or not app.output.terminal:
        app.output.flush()
        app.output.out.buffer.write(raw)
        return app.output.flush()
    app.output.line(clean(raw.decode(errors="backslashreplace")))
    return app.output.note(f"({counted(len(raw), 'byte')})")


def _compact(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
