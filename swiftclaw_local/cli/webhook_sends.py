"""`swiftclaw webhooks test` and `logs`: send one signed test, and read what was delivered to a webhook."""

from __future__ import annotations

from typing import Any

import click

from swiftclaw_local.cli import completion
from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.client import in_path
from swiftclaw_local.cli.delivery_texts import LOG_COLUMNS, got_through, log_cells, log_line, test_line
from swiftclaw_local.cli.event_data import read_data
from swiftclaw_local.cli.flags import numbered, said_as, status_code
from swiftclaw_local.cli.looking import Hints, Json, follow, say, view_of
from swiftclaw_local.cli.output import json_text
from swiftclaw_local.cli.shape import command

_agent = click.argument("agent", shell_complete=completion.agents)
_id = click.argument("webhook_id", metavar="ID", shell_complete=completion.webhooks)


@command("test")
@_agent
@_id
@click.option("--event", metavar="TYPE", help="Event type (default: the first that the webhook subscribed to).")
@click.option("--retry", is_flag=True, help="Retry a failed test on the schedule (default: one attempt).")
@click.option("--data", metavar="FILE", help="JSON object laid over the sample's data; - reads stdin.")
@pass_app
def send_test(app: App, agent: str, webhook_id: str, event: str | None, data: str | None, *, retry: bool) -> int:
    """Send one signed test event, and show the receiver's answer. Exit 1 when it is not 2xx."""
    body = {"type": event, "data": None if data is None else read_data(data), "retry": retry}
    with said_as(type="--event", data="--data"):
        path = f"/v1/agents/{in_path(agent)}/webhooks/{in_path(numbered('webhook', webhook_id))}/test"
        delivery = app.client.post(path, {name: value for name, value in body.items() if value is not None}, long=True)
    if app.output.as_json:
        app.output.json(delivery)
    else:
        say(app, [test_line(delivery, view_of(app)), *_answer_lines(delivery)])
        Hints(app).say([delivery])
    return 0 if got_through(delivery) else 1


@command("logs")
@_agent
@_id
@click.option("--failed", is_flag=True, help="Only deliveries that failed for good.")
@click.option("--event", metavar="TYPE", help="Only this event type, or this event's id.")
@click.option("--status", metavar="CODE", help="Only those whose last answer was this, as 503 or 5xx.")
@click.option("--since", metavar="TIME", help="Only since then: 14:02, 2026-11-23 09:00, 2h ago.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="The newest so many.")
@click.option("--follow", "following", is_flag=True, help="Go on showing what happens; ^C stops.")
@pass_app
def logs(
    app: App,
    agent: str,
    webhook_id: str,
    *,
    event: str | None,
    status: str | None,
    since: str | None,
    limit: int,
    failed: bool,
    following: bool,
) -> None:
    """Show a webhook's deliveries, the newest last."""
    path = f"/v1/agents/{in_path(agent)}/webhooks/{in_path(numbered('webhook', webhook_id))}/deliveries"
    query: dict[str, Any] = {
        "failed": failed,
        "event": event,
        "status": status_code(status),
        "since": since,
        "limit": limit,
    }
    with said_as(since="--since", event="--event"):
        page = app.client.get(path, **query)
    if following:
        return _follow(app, path, query)
    if app.output.as_json:
        return app.output.json(page)
    if not page["data"]:
        test = f"Send one: swiftclaw webhooks test {agent} {webhook_id}"
        return app.output.note(
            "No deliveries match." if failed or event or status or since else f"No deliveries yet. {test}"
        )
    view = view_of(app)
    app.output.table(LOG_COLUMNS, [log_cells(delivery, view) for delivery in reversed(page["data"])])
    if page["next"]:
        app.output.note(f"There are older ones: --limit {min(500, limit * 5)}")
    return None


def _follow(app: App, path: str, query: dict[str, Any]) -> None:
    def look() -> list[Json]:
        listed: list[Json] = app.client.get(path, **query)["data"]
        return listed

    for changed in follow(look):
        if app.output.as_json:
            say(app, [json_text(delivery) for delivery in changed])
        elif changed:
            view = view_of(app)
            say(app, [log_line(delivery, view) for delivery in changed])
        app.output.flush()


def _answer_lines(delivery: Json) -> list[str]:
    """Return the body of the receiver's answer; its lines as they are."""
    for attempt in reversed(delivery["attempts"] or []):
        if attempt["response"] is not None and attempt["response"]["body"]:
            return [str(attempt["response"]["body"]).rstrip("\n")]
    return []
