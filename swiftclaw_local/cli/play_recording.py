"""`swiftclaw play FILE.ndjson`: announce again what was recorded. Reading and pacing are in `plays`; here it is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from swiftclaw_local.cli.app import App
from swiftclaw_local.cli.client import in_path
from swiftclaw_local.cli.flags import numbered, said_as
from swiftclaw_local.cli.output import counted, path_text
from swiftclaw_local.cli.pace import Progress
from swiftclaw_local.cli.patient import PatientApi
from swiftclaw_local.plays.replaying import Contents, Replayed, contents, parse_speed, replay

Json = dict[str, Any]

_AGENT: Final = "my-agent"


def play_recording(app: App, path: Path, *, speed: str | None, keep_ids: bool, to: str | None) -> int:
    """Announce a recording's events, say what came of it, and return the exit code. Raises: InvalidRecording, EventIdTaken."""
    with said_as(speed="--speed"):
        rate = None if speed is None else parse_speed(speed)
    found = contents(path)
    progress = Progress(app.output.err, total=found.events, shown=not app.output.quiet)
    so_far = Replayed()
    with said_as(webhook="--to", url="--to"):
        webhook = None if to is None else _webhook(app, to, found)
        for so_far in replay(PatientApi(app.client), path, keep_ids=keep_ids, webhook=webhook, speed=rate):
            progress.at(so_far.events)
    progress.clear()
    if app.output.as_json:
        app.output.json(_document(so_far))
    else:
        _show(app, found, so_far)
    return 0 if so_far.passed else 1


def _webhook(app: App, to: str, found: Contents) -> str:
    """Return the id of the webhook that is meant; a URL that none has is registered."""
    if "://" not in to:
        return numbered("webhook", to)
    for webhook in app.client.every("/v1/webhooks"):
        if webhook["url"] == to:
            return str(webhook["id"])
    agent = found.agents[0] if len(found.agents) == 1 else _AGENT
    made: Json = app.client.post(f"/v1/agents/{in_path(agent)}/webhooks", {"url": to})
    app.output.note(f"Registered {made['id']} for {agent}. Its secret: swiftclaw webhooks secret {agent} {made['id']}")
    return str(made["id"])


def _show(app: App, found: Contents, so_far: Replayed) -> None:
    out = app.output
    states = ", ".join(f"{count} {out.state(state)}" for state, count in sorted(so_far.states.items()))
    deliveries = counted(so_far.deliveries, "delivery", "deliveries")
    out.line(
        f"Played {counted(so_far.events, 'event')} of {path_text(found.path)}: {deliveries}{f', {states}' if states else ''}."
    )
    if so_far.known:
        out.note(
            f"{counted(so_far.known, 'event')} had been announced before, with the same content, and were not sent again. "
            "Leave out --keep-ids to send new ones, or begin anew: swiftclaw reset --keep webhooks"
        )
    if so_far.states["scheduled"]:
        out.note("Those scheduled are dated later than the clock stands, and wait for it: swiftclaw clock idle")
    if not so_far.deliveries and so_far.known < so_far.events:
        out.note("No webhook takes them.")
        for webhook in found.webhooks:
            out.note(
                f"There was: {webhook.id} of {webhook.agent} -> {webhook.url}   ({len(webhook.events)} event types)"
            )
    elif not so_far.passed:
        out.note("What failed, and why: swiftclaw deliveries list --unresolved --group cause")


def _document(so_far: Replayed) -> Json:
    return {
        "events": so_far.events,
        "known": so_far.known,
        "deliveries": so_far.deliveries,
        "states": dict(so_far.states),
        "delivery_ids": so_far.delivery_ids[:1000],
        "passed": so_far.passed,
    }
