"""`swiftclaw webhooks`: register URLs, change, list and delete them, as on SwiftClaw's page.

What is said is made in `webhook_texts`; sending a test and reading the log is in `webhook_sends`.
"""

from __future__ import annotations

import shlex
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import urlsplit

import click

from swiftclaw_local.cli import completion
from swiftclaw_local.cli import webhook_texts as texts
from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.client import in_path
from swiftclaw_local.cli.delivery_texts import LOG_COLUMNS, log_cells
from swiftclaw_local.cli.flags import event_list, no_such_agent, numbered, said_as
from swiftclaw_local.cli.listening import listens, private_place
from swiftclaw_local.cli.looking import say, view_of
from swiftclaw_local.cli.shape import group
from swiftclaw_local.cli.webhook_sends import logs, send_test
from swiftclaw_local.errors import InvalidInput

SECRET_VARIABLE: Final = "SWIFTCLAW_WEBHOOK_SECRET"  # noqa: S105 - the variable's name
_NEWEST_SHOWN: Final = 5
_EXTRA_WORDS: Final = {"allow_extra_args": True}  # --events a, b: explained by `event_list`

_agent = click.argument("agent", shell_complete=completion.agents)
_id = click.argument("webhook_id", metavar="ID", shell_complete=completion.webhooks)


@group("webhooks")
def webhooks() -> None:
    """Register and manage webhooks, as in the SwiftClaw docs."""


webhooks.add_command(send_test)
webhooks.add_command(logs)


@webhooks.command("create", context_settings=_EXTRA_WORDS)
@_agent
@click.option("--url", required=True, help="Where the receiver listens, as http://localhost:8000/webhooks/swiftclaw.")
@click.option("--events", metavar="TYPE,TYPE", help="Event types, separated by commas (default: all nine).")
@click.option("--secret", help="The secret to sign with (default: a new one).")
@click.option("--description", metavar="TEXT", help="A note for people.")
@click.option("--disabled", is_flag=True, help="Register it switched off: events wait until it is enabled.")
@pass_app
def create(
    app: App,
    agent: str,
    *,
    url: str,
    events: str | None,
    secret: str | None,
    description: str | None,
    disabled: bool,
) -> None:
    """Register a URL for an AGENT's events."""
    body: dict[str, Any] = {
        "url": url,
        "events": event_list(events, _extra(), taken=agent),
        "secret": secret,
        "description": description,
        "enabled": False if disabled else None,
    }
    path = _path(agent)
    with said_as(url="--url", events="--events", secret="--secret", description="--description", agent="AGENT"):  # noqa: S106 - a flag
        webhook = app.client.post(path, {name: value for name, value in body.items() if value is not None})
    if app.output.as_json:
        return app.output.json(webhook)
    first = len(app.client.get(path, limit=2)["data"]) == 1
    say(app, texts.created_lines(webhook, first=first, reach=reach_text(app, webhook)))
    if webhook["note"]:
        app.output.note(texts.allow_host_hint(webhook["url"]))
    return app.output.note(f"Next: swiftclaw webhooks test {agent} {webhook['id']}")


@webhooks.command("update", context_settings=_EXTRA_WORDS)
@_agent
@_id
@click.option("--url", help="The new URL; scheduled retries go there too.")
@click.option("--events", metavar="TYPE,TYPE", help="The new event types, instead of those before.")
@click.option("--secret", help="The new secret; attempts are signed with it at once.")
@click.option("--description", metavar="TEXT", help="A note for people.")
@click.option("--enable/--disable", "enabled", default=None, help="Go on sending, or let deliveries wait.")
@pass_app
def update(
    app: App,
    agent: str,
    webhook_id: str,
    *,
    url: str | None,
    events: str | None,
    secret: str | None,
    description: str | None,
    enabled: bool | None,
) -> None:
    """Change what is given of a webhook, leave the rest."""
    given: dict[str, Any] = {
        "url": url,
        "events": event_list(events, _extra(), taken=webhook_id),
        "secret": secret,
        "description": description,
        "enabled": enabled,
    }
    body = {name: value for name, value in given.items() if value is not None}
    if not body:
        raise InvalidInput(
            "Nothing to change was given.", hint="Give --url, --events, --secret, --description, --enable or --disable."
        )
    with said_as(url="--url", events="--events", secret="--secret", description="--description"):  # noqa: S106 - a flag
        changed = app.client.patch(_path(agent, webhook_id), body)
    if app.output.as_json:
        return app.output.json(changed)
    return say(app, texts.updated_lines(changed, secret=secret is not None))


@webhooks.command("list")
@click.argument("agent", required=False, shell_complete=completion.agents)
@click.option("--all-agents", is_flag=True, help="The webhooks of every agent; AGENT may be left out.")
@pass_app
def list_webhooks(app: App, agent: str | None, *, all_agents: bool) -> None:
    """List an AGENT's webhooks and how they fare."""
    if agent is None and not all_agents:
        raise InvalidInput("Which agent's webhooks?", hint="swiftclaw webhooks list my-agent   or   --all-agents")
    listed = app.client.get("/v1/webhooks" if all_agents or agent is None else _path(agent), limit=500)
    if app.output.as_json:
        return app.output.json(listed)
    if not listed["data"]:
        return _none_listed(app, agent)
    view = view_of(app)
    agent_column = [texts.AGENT_COLUMN] if all_agents else []
    rows = [[*([hook["agent"]] if all_agents else []), *texts.row(hook, view)] for hook in listed["data"]]
    return app.output.table([*agent_column, *texts.COLUMNS], rows)


@webhooks.command("delete")
@_agent
@_id
@click.option("--keep-logs", is_flag=True, default=True, hidden=True, help="Always so: the logs are kept.")
@click.option("--yes", is_flag=True, help="For scripts; nothing is asked in any case.")
@pass_app
def delete(app: App, agent: str, webhook_id: str, *, keep_logs: bool, yes: bool) -> None:
    """Delete a webhook. Its scheduled deliveries are canceled, its logs are kept."""
    deleted = app.client.delete(_path(agent, webhook_id))
    if app.output.as_json:
        return app.output.json(deleted)
    return app.output.line(texts.deleted_line(deleted))


@webhooks.command("secret")
@_agent
@_id
@click.option("--rotate", is_flag=True, help="Switch to a new secret, at once.")
@click.option("--env", is_flag=True, help=f"Print a line for the shell: export {SECRET_VARIABLE}=...")
@pass_app
def secret(app: App, agent: str, webhook_id: str, *, rotate: bool, env: bool) -> None:
    """Print a webhook's secret, and nothing else."""
    path = _path(agent, webhook_id) + "/secret"
    answer = app.client.post(path + "/rotate") if rotate else app.client.get(path)
    if app.output.as_json:
        return app.output.json(answer)
    if env:
        return app.output.line(f"export {SECRET_VARIABLE}={shlex.quote(answer['secret'])}")
    return app.output.line(answer["secret"])


@webhooks.command("show")
@_agent
@_id
@pass_app
def show(app: App, agent: str, webhook_id: str) -> None:
    """Show a webhook's settings, rates and newest deliveries."""
    webhook = app.client.get(_path(agent, webhook_id))
    if app.output.as_json:
        return app.output.json(webhook)
    newest = app.client.get(_path(agent, webhook_id) + "/deliveries", limit=_NEWEST_SHOWN)["data"]
    view = view_of(app)
    say(app, texts.settings_lines(webhook, view))
    if newest:
        app.output.line()
        app.output.table(LOG_COLUMNS, [log_cells(delivery, view) for delivery in reversed(newest)])
    return None


def reach_text(app: App, webhook: dict[str, Any]) -> str:
    """Return what is known of a new webhook's URL as the end of a line: whether something listens there."""
    if webhook["note"]:
        return texts.note(webhook)
    place = private_place(webhook["url"])
    server = private_place(app.address.url)
    if place is None or server is None or not server.on_this_machine:
        return ""  # what this machine can reach says nothing of what the server's can
    return "   something listens there" if listens(place) else f"   nothing listens on port {_port(webhook['url'])} yet"


def _path(agent: str, webhook_id: str | None = None) -> str:
    path = f"/v1/agents/{in_path(agent)}/webhooks"
    return path if webhook_id is None else f"{path}/{in_path(numbered('webhook', webhook_id))}"


def _none_listed(app: App, agent: str | None) -> None:
    """Say that there are no webhooks. Raises: UnknownAgent when the name is close to one that has some."""
    others: list[str] = app.client.get("/_local/status")["agents"]
    close = get_close_matches(agent or "", others, n=1)
    if close:
        raise no_such_agent(str(agent), others)
    name = agent or "my-agent"
    app.output.note(f"No webhooks yet. Register one: swiftclaw webhooks create {name} --url URL")


def _extra() -> list[str]:
    return list(click.get_current_context().args)


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)
