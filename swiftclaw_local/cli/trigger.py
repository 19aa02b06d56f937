"""`swiftclaw trigger`: announce events by hand, and see at once what the receivers answered.

The data is put together in `event_data`, the lines are made in `delivery_texts`; emitting is the server's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import click
from click.core import ParameterSource

from swiftclaw_local.cli import completion
from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.client import in_path
from swiftclaw_local.cli.delivery_texts import got_through, sent_line
from swiftclaw_local.cli.event_data import Typed, composed, parse_setting, parse_unset, read_data
from swiftclaw_local.cli.event_types import offered_types, sample_of, type_lines
from swiftclaw_local.cli.flags import no_such_agent, numbered, said_as
from swiftclaw_local.cli.looking import Hints, Json, say, view_of
from swiftclaw_local.cli.output import json_text
from swiftclaw_local.cli.pace import Pace, Progress, parse_rate
from swiftclaw_local.cli.shape import command
from swiftclaw_local.cli.view import View
from swiftclaw_local.durations import parse_time
from swiftclaw_local.errors import InvalidInput

_WAIT: Final = {"wait": "first", "timeout": "60s"}
_RUNS: Final = {"agent_run": "runs", "deployment": "deployments"}


@dataclass(frozen=True, slots=True)
class Emission:
    """What to emit, how often, and how: `interval_s` is the time between two, None one after the other."""

    agent: str
    body: Json
    count: int = 1
    interval_s: float | None = None
    wait: bool = True

    @property
    def path(self) -> str:
        """Where it is posted to."""
        return f"/v1/agents/{in_path(self.agent)}/events"


@command("trigger")
@click.argument("event_type", metavar="[TYPE]", required=False, shell_complete=offered_types)
@click.option("--list", "listing", is_flag=True, help="List the nine event types with sample payloads.")
@click.option("--agent", default="my-agent", show_default=True, shell_complete=completion.agents, help="Whose event.")
@click.option(
    "--set", "settings", multiple=True, metavar="data.K=V", help="Set something in the data; V as JSON or text."
)
@click.option("--unset", "unset", multiple=True, metavar="K", help="Leave something out of the data.")
@click.option("--data", "file", metavar="FILE", help="JSON object laid over the sample's data; - reads stdin.")
@click.option("--edit", is_flag=True, help="Change the data in $EDITOR before it is sent.")
@click.option("--exact", is_flag=True, help="--data and --set are the whole data, without the sample.")
@click.option("--id", "event_id", metavar="ID", help="The event's id; the same event again is sent once.")
@click.option("--created", metavar="TIME", help="When it happened; in the future, it is delivered then.")
@click.option("--count", type=click.IntRange(1, 100_000), default=1, show_default=True, help="So many events.")
@click.option("--rate", metavar="N/s", help="So many a second, without waiting for answers in between.")
@click.option("--webhook", metavar="ID", shell_complete=completion.webhooks, help="Only to this webhook.")
@click.option("--fault", metavar="KIND", help="Misbehave with it on purpose, as lost_reply or delay:30s.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the receivers' answers.")
@click.option("--allow-unknown-type", is_flag=True, help="Send a type that SwiftClaw does not have.")
@click.option("--agent-run", metavar="ENDING", help="An agent's whole run: completed, failed or timeout.")
@click.option("--deployment", metavar="ENDING", help="A whole deployment: completed or failed.")
@click.option("--scenario", metavar="NAME", help="A whole story, as swiftclaw play does; all else is in it.")
@pass_app
def trigger(
    app: App,
    event_type: str | None,
    *,
    agent: str,
    settings: tuple[str, ...],
    unset: tuple[str, ...],
    file: str | None,
    event_id: str | None,
    created: str | None,
    count: int,
    rate: str | None,
    webhook: str | None,
    fault: str | None,
    agent_run: str | None,
    deployment: str | None,
    scenario: str | None,
    listing: bool,
    exact: bool,
    edit: bool,
    no_wait: bool,
    allow_unknown_type: bool,
) -> int:
    """Announce an event of a TYPE, as agent.completed. Exit 1 when a delivery did not get its 2xx."""
    if listing:
        return _list(app)
    if scenario is not None:
        return _play(app, event_type, scenario, agent=agent, webhook=webhook)
    ending = agent_run or deployment
    _check_usage(event_type, ending=ending, both=bool(agent_run and deployment), many=count > 1, event_id=event_id)
    if ending or event_type is None:
        return _run_sequence(app, agent, "agent_run" if agent_run else "deployment", ending or "", wait=not no_wait)
    typed = Typed(
        file=None if file is None else read_data(file),
        settings=tuple(parse_setting(text) for text in settings),
        unset=tuple(parse_unset(text) for text in unset),
        exact=exact,
    )
    data, is_whole = composed(typed, sample=lambda: sample_of(app, event_type, agent))
    if edit:
        data, is_whole = _edited(app, data, under={} if is_whole else sample_of(app, event_type, agent)), True
        if data is None:
            return 1
    body = {
        "type": event_type,
        "data": data,
        "exact": is_whole or None,
        "id": event_id,
        "created": None if created is None else _unix_seconds(app, created),
        "webhook": None if webhook is None else numbered("webhook", webhook),
        "allow_unknown_type": allow_unknown_type or None,
        "fault": fault,
    }
    interval_s = None if rate is None else parse_rate(rate)
    given = {name: value for name, value in body.items() if value is not None}
    return _run(app, Emission(agent, given, count, interval_s, wait=not no_wait))


def _check_usage(event_type: str | None, *, ending: str | None, both: bool, many: bool, event_id: str | None) -> None:
    """Raises: InvalidInput when what was typed cannot be meant together."""
    if event_type is None and ending is None:
        raise InvalidInput(
            "Which event type?", hint="swiftclaw trigger agent.completed      All nine: swiftclaw trigger --list"
        )
    if both or (event_type is not None and ending is not None):
        raise InvalidInput(
            "Give one of TYPE, --agent-run and --deployment.", hint="swiftclaw trigger --agent-run failed"
        )
    if event_id is not None and many:
        raise InvalidInput(
            "--id with --count would announce one event again and again, which is sent once.",
            hint="Leave out --id: each event gets its own.",
            field="--id",
        )


def _edited(app: App, data: Json | None, *, under: Json) -> Json | None:
    """Return the data, laid over what lies under it, as somebody changed it; None when nothing is to be sent."""
    from swiftclaw_local.cli.editing import edited_data  # noqa: PLC0415 - few need it

    changed = edited_data(app, under | (data or {}))
    if changed is None:
        app.output.note("Nothing was changed, and nothing sent.")
    return changed


def _play(app: App, event_type: str | None, scenario: str, *, agent: str, webhook: str | None) -> int:
    """Play a scenario. Raises: InvalidInput when options were given that belong to a single event."""
    from swiftclaw_local.cli.play import play_scenario  # noqa: PLC0415 - few need it
    from swiftclaw_local.plays.playing import Asked  # noqa: PLC0415 - likewise

    context = click.get_current_context()
    typed = {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if event_type is not None or typed - {"scenario", "agent", "webhook"}:
        raise InvalidInput(
            "A scenario says itself which events, and how often.",
            hint="Only --agent and --webhook go with it: swiftclaw trigger --scenario attacker",
            field="--scenario",
        )
    whose = agent if "agent" in typed else None
    return play_scenario(app, scenario, Asked(whose, None if webhook is None else numbered("webhook", webhook)))


def _list(app: App) -> int:
    listed = app.client.get("/_local/event-types")
    if app.output.as_json:
        app.output.json(listed)
    else:
        say(app, type_lines(listed["data"]))
    return 0


def _run(app: App, emission: Emission) -> int:
    """Emit, show each delivery, and return the exit code."""
    progress = Progress(app.output.err, total=emission.count, shown=not app.output.quiet)
    view = None if app.output.as_json else view_of(app)
    hints = Hints(app)
    all_through = True
    for done, emitted in enumerate(_emitted(app, emission), 1):
        progress.clear()
        _show(app, emitted, view, lines=emission.count > 1)
        hints.say(emitted["deliveries"])
        all_through &= not emission.wait or all(got_through(delivery) for delivery in emitted["deliveries"])
        if not emitted["deliveries"]:
            _nobody(app, emitted["event"], emission)
        progress.at(done)
    progress.clear()
    return 0 if all_through else 1


def _emitted(app: App, emission: Emission) -> Iterator[Json]:
    """Yield each event with its deliveries: after their first attempt, or, without waiting, as they were made."""
    with said_as(
        type="TYPE",
        data="--data",
        webhook="--webhook",
        id="--id",
        agent="--agent",
        created="--created",
        fault="--fault",
    ):
        if emission.interval_s is None:
            for _ in range(emission.count):
                query = _WAIT if emission.wait else {}
                yield app.client.post(emission.path, emission.body, long=True, **query)
            return
        with Pace(emission.interval_s) as pace:
            made = []
            for _ in range(emission.count):
                pace.wait()
                made.append(app.client.post(emission.path, emission.body))
        for emitted in made:
            yield _attempted(app, emitted) if emission.wait else emitted


def _attempted(app: App, emitted: Json) -> Json:
    """Return an event with its deliveries after their first attempt."""
    deliveries = [
        app.client.get(f"/v1/deliveries/{delivery['id']}", long=True, **_WAIT) for delivery in emitted["deliveries"]
    ]
    return {**emitted, "deliveries": deliveries}


def _show(app: App, emitted: Json, view: View | None, *, lines: bool) -> None:
    """Write an event's deliveries; as JSON one document, or one line per event where there are several."""
    if view is None:
        return app.output.line(json_text(emitted)) if lines else app.output.json(emitted)
    if emitted["known"]:
        app.output.note(f"{emitted['event']['id']} was announced before, with the same content: it is not sent again.")
    for delivery in emitted["deliveries"]:
        say(app, [sent_line(delivery, view)])
    return app.output.flush()


def _nobody(app: App, event: Json, emission: Emission) -> None:
    """Say that no webhook took an event. Raises: UnknownAgent when its agent has none."""
    agents: list[str] = app.client.get("/_local/status")["agents"]
    if not event["type"].startswith("system.") and emission.agent not in agents:
        raise no_such_agent(emission.agent, agents)
    who = f"{emission.body['webhook']} does not take" if "webhook" in emission.body else "no webhook takes"
    app.output.note(f"{event['id']}  {event['type']}  ->  nobody: {who} this type.")


def _run_sequence(app: App, agent: str, kind: str, ending: str, *, wait: bool) -> int:
    """Let an agent's run or a deployment go through its events; the ending follows on the engine's clock."""
    with said_as(ending=f"--{kind.replace('_', '-')}", agent="--agent"):
        sequence = app.client.post(f"/_local/agents/{in_path(agent)}/{_RUNS[kind]}", {"ending": ending})
    events = [_attempted(app, emitted) if wait else emitted for emitted in sequence["events"]]
    if app.output.as_json:
        app.output.json({**sequence, "events": events})
    else:
        view, hints = view_of(app), Hints(app)
        for emitted in events:
            _show(app, emitted, view, lines=True)
            hints.say(emitted["deliveries"])
            if not emitted["deliveries"]:
                _nobody(app, emitted["event"], Emission(agent, {}))
    return 1 if wait and not all(got_through(d) for emitted in events for d in emitted["deliveries"]) else 0


def _unix_seconds(app: App, text: str) -> int:
    """Return what was typed as a time in unix seconds. Raises: InvalidTime."""
    if text.isascii() and text.isdigit():
        return int(text)
    now: Any = app.client.get("/_local/clock")["now"]
    with said_as(created="--created"):
        return int(parse_time(text, now=datetime.fromtimestamp(now, UTC), field="created").timestamp())
