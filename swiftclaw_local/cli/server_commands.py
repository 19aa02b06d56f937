"""`swiftclaw ready`, `status`, `reset`, `prune`: the running server as a whole.

Starting one is in `serve`, looking for what is wrong in `doctor`.
"""

from __future__ import annotations

import json
import time
from contextlib import closing
from datetime import timedelta
from typing import Any, Final

import click

from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.client import Client
from swiftclaw_local.cli.clock_texts import clock_text
from swiftclaw_local.cli.output import counted, path_text
from swiftclaw_local.cli.shape import command
from swiftclaw_local.durations import duration_text, parse_duration
from swiftclaw_local.errors import NoServer, TokenRequired, WaitTimeout

_PAUSE_S: Final = 0.05
_PROBE_S: Final = 1.0  # how long one question may take, so that a server that hangs does not use up the whole wait
_STATES: Final = ("delivered", "failed", "retrying", "scheduled", "sending", "canceled")


@command("ready")
@click.option("--wait", metavar="TIME", default="0s", help="Wait so long for it to become ready, as 10s.")
@pass_app
def ready(app: App, wait: str) -> None:
    """Say by the exit code whether a server is ready: 0, else 4. It prints nothing.

    With --wait, for scripts that start a server in the background.
    """
    limit = parse_duration(wait, field="--wait")
    client = app.connect(timeout_s=app.timeout_s or _PROBE_S)
    with closing(client):
        _wait_until_ready(client, limit)
    if app.output.as_json:
        app.output.json({"ok": True, "url": app.address.url})


@command("open")
@pass_app
def open_server(app: App) -> None:
    """Open the server in the browser, and print its address; with --json, or in a pipe, print it only."""
    console = _has_console(app)  # a server that is not there is said here, not by the browser
    if app.output.as_json:
        return app.output.json({"url": app.address.url})
    app.output.line(app.address.url)
    if not console:
        app.output.note("It runs without the console (--no-console): there is nothing to see there.")
        return None
    if app.output.terminal:
        import webbrowser  # noqa: PLC0415 - needed by this command alone

        app.output.flush()
        webbrowser.open(app.address.url)
    return None


def _has_console(app: App) -> bool:
    try:
        return bool(app.client.get("/_local/status")["console"])
    except TokenRequired:  # the browser asks for it
        return True


def _wait_until_ready(client: Client, limit: timedelta) -> None:
    """Ask again and again until it is ready. Raises: NoServer when `limit` is used up.

    It counts what it waited instead of asking what time it is, which one file alone may do.
    """
    left = limit.total_seconds()
    while (why := _why_not_ready(client)) is not None:
        left -= why.extra.get("waited_s", 0.0)
        if left <= 0:
            after = f" after {duration_text(limit)}" if limit else ""
            raise NoServer(f"{why.message.removesuffix('.')}{after}.", hint=why.hint)
        time.sleep(min(_PAUSE_S, left))
        left -= _PAUSE_S


def _why_not_ready(client: Client) -> NoServer | None:
    """Ask once; `extra["waited_s"]` of the answer is how long that took, where it took long."""
    try:
        answer = client.exchange("GET", "/readyz")
        told = json.loads(answer.body)
        if answer.status == 200 and told["ok"] is True:
            return None
        reason = told["error"]["message"] if "error" in told else told["reason"]
    except NoServer as error:
        return error
    except WaitTimeout as error:
        return NoServer(error.message, extra=error.extra)
    except (ValueError, LookupError, TypeError):
        return NoServer(f"Something answers at {client.address.url}, but it is not SwiftClaw local.")
    return NoServer(f"The server at {client.address.url} is not ready: {reason}")


@command("status")
@pass_app
def status(app: App) -> int:
    """Show the whole server at a glance; exit 1 when deliveries are stuck."""
    told = app.client.get("/_local/status")
    if app.output.as_json:
        app.output.json(told)
    else:
        _show_status(app, told)
    return 1 if told["stuck"] else 0


def _show_status(app: App, told: dict[str, Any]) -> None:
    out = app.output
    counts = told["deliveries"]
    states = [f"{counts[state]} {out.state(state)}" for state in _STATES if counts.get(state)]
    agents = f"   (agents: {', '.join(told['agents'])})" if told["agents"] else ""
    data = "in memory   (gone after the end)"
    if not told["ephemeral"]:
        data = f"{path_text(told['data'])}   (durability {told['durability']})"
    out.line(f"SwiftClaw local {told['version']}   {told['address']}   pid {told['pid']}")
    out.line(f"  data         {data}")
    out.line(f"  clock        {clock_text(told['clock'])}")
    out.line(f"  webhooks     {told['webhooks']}{agents}")
    out.line(f"  deliveries   {', '.join(states) or 'none yet'}")
    out.line(f"  attempts     {told['attempts']}")
    if told["stuck"]:
        out.line(out.style(f"  stuck        {told['stuck']} due and not sent; look closer: swiftclaw doctor", "red"))


@command("reset")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--keep", type=click.Choice(["webhooks"]), help="Forget events, deliveries and alerts only.")
@pass_app
def reset(app: App, yes: bool, keep: str | None) -> int:
    """Forget everything the server knows, and start over.

    Events, deliveries, logs, alerts and webhooks go; the clock starts anew.
    """
    told = app.client.get("/_local/status")
    count = sum(told["deliveries"].values())
    what = counted(count, "delivery", "deliveries") + ("" if keep else f" and {counted(told['webhooks'], 'webhook')}")
    instead = "swiftclaw reset --yes" + (f" --keep {keep}" if keep else "")
    if not yes and not app.confirm(f"Forget {what} of {told['address']}?", instead=instead):
        app.output.note("Nothing was changed.")
        return 1
    app.client.post("/_local/reset", {"keep": [keep] if keep else []})
    if app.output.as_json:
        app.output.json({"reset": True, "kept": [keep] if keep else []})
    else:
        app.output.line(f"Forgot {what}." + (" The webhooks are kept." if keep else ""))
    return 0


@command("prune")
@click.option(
    "--older-than", metavar="TIME", required=True, help="How long ago their deliveries must have ended, as 30d."
)
@pass_app
def prune(app: App, older_than: str) -> None:
    """Delete old events, with their deliveries and logs.

    Events with a delivery that has not ended are kept, however old. To do it by itself: serve --retention 30d.
    """
    parse_duration(older_than, field="--older-than")
    pruned = app.client.post("/_local/prune", {"older_than": older_than})
    if app.output.as_json:
        app.output.json(pruned)
    else:
        app.output.line(f"Deleted {counted(pruned['events'], 'event')} older than {older_than}.")
