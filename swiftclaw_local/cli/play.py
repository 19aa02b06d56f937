"""`swiftclaw play`: play a scenario against a receiver, and say what a right one does and what this one did.

The stories are read and played in `plays`; here they are shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from swiftclaw_local.cli import completion
from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.flags import numbered
from swiftclaw_local.cli.looking import say, view_of
from swiftclaw_local.cli.output import Column
from swiftclaw_local.cli.patient import PatientApi
from swiftclaw_local.cli.play_recording import play_recording
from swiftclaw_local.cli.play_texts import document, ending_lines, happening_line, rows
from swiftclaw_local.cli.shape import command
from swiftclaw_local.errors import InvalidInput
from swiftclaw_local.plays.library import BUILT_IN, built_in, is_recording, scenario_of, text_of
from swiftclaw_local.plays.playing import Asked, Happening, Play

COLUMNS: Final = (Column("SCENARIO"), Column("CLOCK"), Column("WHAT HAPPENS", flexible=True))


def _offered(_context: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in BUILT_IN if name.startswith(incomplete)]


@command("play")
@click.argument("name", metavar="[SCENARIO|FILE]", required=False, shell_complete=_offered)
@click.option("--list", "listing", is_flag=True, help="List the scenarios that come with it.")
@click.option("--show", is_flag=True, help="Print the scenario's TOML, to copy and change, and play nothing.")
@click.option("--agent", shell_complete=completion.agents, help="Whose events (default: the file's, or my-agent).")
@click.option("--webhook", metavar="ID", shell_complete=completion.webhooks, help="Only to this webhook.")
@click.option("--speed", metavar="max|1x|10x", help="Of a recording: all at once (default), or at its own pace.")
@click.option("--keep-ids", is_flag=True, help="Of a recording: the same events, byte for byte, not new ones.")
@click.option("--to", metavar="WEBHOOK|URL", help="Of a recording: only there, whatever agents the events are of.")
@click.option("--real-time", is_flag=True, help="Wait where the clock is to move, instead of moving a frozen one.")
@pass_app
def play(
    app: App,
    name: str | None,
    *,
    listing: bool,
    show: bool,
    agent: str | None,
    webhook: str | None,
    speed: str | None,
    keep_ids: bool,
    to: str | None,
    real_time: bool,
) -> int:
    """Play a SCENARIO, as friday-deploy, or a FILE: a scenario of your own, or a recording.

    Exit 1 when a delivery is left undelivered, or the receiver did wrong.
    """
    if listing:
        return _list(app)
    if name is None:
        raise InvalidInput(
            "Which scenario?",
            hint=f"Ours: {', '.join(BUILT_IN)}. Your own: swiftclaw play ./mine.toml",
            field="SCENARIO",
        )
    if show:
        app.output.line(text_of(name).rstrip("\n"))
        return 0
    if is_recording(name):
        _refuse("a scenario", {"--agent": agent, "--webhook": webhook, "--real-time": real_time})
        return play_recording(app, Path(name), speed=speed, keep_ids=keep_ids, to=to)
    _refuse("a recording", {"--speed": speed, "--keep-ids": keep_ids, "--to": to})
    asked = Asked(agent, None if webhook is None else numbered("webhook", webhook), real_time)
    return play_scenario(app, name, asked)


def _refuse(what: str, given: dict[str, Any]) -> None:
    """Raises: InvalidInput when an option was given that does not belong to what is played."""
    typed = next((flag for flag, value in given.items() if value), None)
    if typed is not None:
        raise InvalidInput(f"{typed} belongs to {what}.", field=typed)


def play_scenario(app: App, name: str, asked: Asked) -> int:
    """Play a scenario by its name or its file, show what happens, and return the exit code. Raises: as `Play.happenings`."""
    scenario = scenario_of(name)
    one = Play(PatientApi(app.client), scenario, asked)
    happened: list[Happening] = []
    view = None if app.output.as_json else view_of(app)
    for number, happening in enumerate(one.happenings()):
        if view is not None and not number:  # nothing is wrong with it: it has begun
            say(app, [f"{scenario.name}: {scenario.about}".rstrip(": ")])
        if view is None:
            happened.append(happening)
        else:
            say(app, [happening_line(happening, view, app.output, began_at=one.played.began_at)])
            app.output.flush()
    if view is None:
        app.output.json(document(one.played, happened))
    else:
        _show_end(app, one)
    return 0 if one.played.passed else 1


def _show_end(app: App, one: Play) -> None:
    if one.played.findings:
        columns, cells = rows(one.played)
        app.output.line()
        app.output.table(columns, cells)
    app.output.line()
    say(app, ending_lines(one.played))


def _list(app: App) -> int:
    scenarios = [built_in(name) for name in BUILT_IN]
    if app.output.as_json:
        data = [{"name": one.name, "about": one.about, "moves_clock": one.moves_clock} for one in scenarios]
        app.output.json({"data": data, "next": None})
    else:
        app.output.table(COLUMNS, [(one.name, "moves" if one.moves_clock else "any", one.about) for one in scenarios])
        app.output.note("Print one, to copy and change it: swiftclaw play attacker --show")
    return 0
