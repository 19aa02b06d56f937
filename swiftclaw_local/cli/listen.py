"""`swiftclaw listen`: shows what happens as it happens, for people or one JSON object a line for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import click

from swiftclaw_local.cli import completion
from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.client import in_path
from swiftclaw_local.cli.flags import numbered, said_as, typed_id
from swiftclaw_local.cli.live import FOR_PROGRAMS, Live, Wanted
from swiftclaw_local.cli.live_texts import Lines
from swiftclaw_local.cli.looking import Json, delivery_curl, view_of
from swiftclaw_local.cli.output import json_text
from swiftclaw_local.cli.shape import command
from swiftclaw_local.cli.timeline_texts import timeline
from swiftclaw_local.cli.view import View
from swiftclaw_local.errors import InvalidInput, SwiftclawError
from swiftclaw_local.plain_text import clean

OUTPUTS: Final = ("interactive", "compact", "quiet", "json")
_OF_THE_STREAM: Final = ("open", "lost", "back")


@command("listen")
@click.option("--agent", shell_complete=completion.agents, help="Only this agent's.")
@click.option("--webhook", metavar="ID", shell_complete=completion.webhooks, help="Only to this webhook.")
@click.option("--event", metavar="TYPE|ID", help="Only of this event type, or of this event.")
@click.option("--failed", is_flag=True, help="Leave out what was delivered.")
@click.option("--since", metavar="TIME", help="Begin with what happened since then: 14:02, 2h ago.")
@click.option(
    "--output",
    "form",
    type=click.Choice(OUTPUTS),
    help="interactive (on a terminal), compact (else), quiet: trouble only, json.",
)
@pass_app
def listen(
    app: App,
    *,
    agent: str | None,
    webhook: str | None,
    event: str | None,
    failed: bool,
    since: str | None,
    form: str | None,
) -> None:
    """Show what is sent, as it is sent, until ^C or q.

    When the server stops it waits for it, and shows what was missed. Keys, on a terminal: j k move, Enter details,
    r replay, c copy as curl, / filter, p pause, q quit.
    """
    form = _form(app, form)
    wanted = Wanted(
        types=FOR_PROGRAMS if form == "json" else None,
        agent=agent,
        webhook=None if webhook is None else numbered("webhook", webhook),
        event=event if event is None or "." in event else typed_id(event),
        failed=failed,
        since=since,
    )
    live = Live(app.connect(timeout_s=app.timeout_s), wanted)
    with said_as(since="--since"):
        match form:
            case "json":
                return _as_json(app, live)
            case "interactive":
                return _on_screen(app, live)
            case _:
                return _as_lines(app, live, quiet=form == "quiet")


def _form(app: App, asked: str | None) -> str:
    """Return the form of the output. Raises: InvalidInput where keys are asked for and there is no terminal."""
    from swiftclaw_local.cli.keys import terminal_keys  # noqa: PLC0415 - needs a terminal's library, which not every place has

    if app.output.as_json:
        return "json"
    can = app.output.terminal and terminal_keys() is not None
    if asked == "interactive" and not can:
        raise InvalidInput("--output interactive needs a terminal.", hint="Use --output compact.", field="--output")
    if asked is not None:
        return asked
    return (
        "interactive" if can and app.environment.get("TERM") != "dumb" else "quiet" if app.output.quiet else "compact"
    )


def _as_json(app: App, live: Live) -> None:
    for message in live.messages():
        if message["kind"] in _OF_THE_STREAM:
            _note(app, message)
            continue
        app.output.line(json_text(message))
        app.output.flush()


def _note(app: App, message: Json) -> None:
    """Say on stderr that the server went away or came back: it is no message of its."""
    for line in Lines(view_now(app)).of(message):
        app.output.note(line.strip())


def _as_lines(app: App, live: Live, *, quiet: bool) -> None:
    lines = Lines(view_now(app), quiet=quiet)
    for message in live.messages():
        if message["kind"] == "open" and not app.output.quiet:
            app.output.note("Listening. ^C stops.")
        for line in lines.of(message):
            app.output.line(clean(line))
        app.output.flush()


def _on_screen(app: App, live: Live) -> None:
    from swiftclaw_local.cli.keys import Ears, single_keys, terminal_keys  # noqa: PLC0415 - as above
    from swiftclaw_local.cli.live_screen import Acts, Screen  # noqa: PLC0415 - needed on a terminal alone

    view = view_of(app)
    keys = terminal_keys()
    assert keys is not None
    acts = Acts(
        details=lambda name: _tried(lambda: timeline(_delivery(app, name), view_of(app))),
        replay=lambda name: _tried(lambda: [_replayed(app, name)])[0],
        curl=lambda name: "\n".join(_tried(lambda: [delivery_curl(app, _delivery(app, name))])),
    )
    with single_keys(keys):
        Screen(app.output.out, Lines(view), acts).run(Ears(live.messages(), keys_from=keys))


def view_now(app: App) -> View:
    """Return how this run looks at things, without asking the server, which may be away."""
    return View(0, app.output.id, terminal=app.output.terminal)


def _tried(act: Callable[[], list[str]]) -> list[str]:
    """Do something, and return what there is to say; what the server refuses is said, too."""
    try:
        return act()
    except SwiftclawError as error:
        return [error.message, *([error.hint] if error.hint else [])]


def _delivery(app: App, delivery_id: str) -> Json:
    found: Json = app.client.get(f"/v1/deliveries/{in_path(delivery_id)}")
    return found


def _replayed(app: App, delivery_id: str) -> str:
    made = app.client.post(f"/v1/deliveries/{in_path(delivery_id)}/replay", {})
    return f"Replayed as {app.output.id(made['id'])}."
