"""`swiftclaw clock`: see the engine's time, freeze it, and move it, so that seven hours of retries take no time.

It shows what ran while the clock moved; the moving is the server's.
"""

from __future__ import annotations

from typing import Any

import click

from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.clock_texts import lead_text, mode_text, scheduled_text
from swiftclaw_local.cli.output import Output, after_text, counted, moment_text
from swiftclaw_local.cli.shape import group
from swiftclaw_local.durations import parse_duration
from swiftclaw_local.errors import InvalidDuration

_PATH = "/_local/clock"
_max_sends = click.option(
    "--max-sends", type=click.IntRange(min=1), default=10_000, show_default=True, help="Stop after so many attempts."
)


@group("clock")
def clock() -> None:
    """See, freeze and move the engine's time: retries without waiting."""


@clock.command("show")
@pass_app
def show(app: App) -> None:
    """Show how the clock stands and what is scheduled."""
    stands = app.client.get(_PATH)
    if app.output.as_json:
        return app.output.json(stands)
    how = "   move it: swiftclaw clock advance 6m" if stands["mode"] == "manual" else ""
    app.output.line(f"{moment_text(stands['now'])}   {mode_text(stands)}{how}")
    return app.output.line(scheduled_text(stands))


@clock.command("freeze")
@pass_app
def freeze(app: App) -> None:
    """Stop the clock: what is due later waits until you advance it."""
    stands = app.client.post(_PATH + "/freeze")
    if app.output.as_json:
        return app.output.json(stands)
    return app.output.line(
        f"Clock frozen at {moment_text(stands['now'])}. Retries run only when you advance it."
        "  Undo: swiftclaw clock resume"
    )


@clock.command("resume")
@pass_app
def resume(app: App) -> None:
    """Let the clock run at the real pace again."""
    stands = app.client.post(_PATH + "/resume")
    if app.output.as_json:
        return app.output.json(stands)
    app.output.line(f"Clock runs in real time from {moment_text(stands['now'])}{lead_text(stands)}.")
    return app.output.line(scheduled_text(stands))


@clock.command("advance")
@click.argument("by", metavar="DURATION")
@_max_sends
@pass_app
def advance(app: App, by: str, max_sends: int) -> None:
    """Move a frozen clock on by a DURATION, as 6m or 1h30m.

    What becomes due on the way runs at its own time, one after the other.
    """
    try:
        parse_duration(by)
    except InvalidDuration:
        raise InvalidDuration(f'Cannot advance by "{by}". Write 6h, 90s or 1h30m.', field="by") from None
    _show_moved(app, app.client.post(_PATH + "/advance", {"by": by, "max_sends": max_sends}, long=True))


@clock.command("to")
@click.argument("time", metavar="TIME")
@_max_sends
@pass_app
def to(app: App, time: str, max_sends: int) -> None:
    """Move a frozen clock to a TIME.

    TIME is 14:30 (today), "2026-11-23 14:30", both UTC, or unix seconds.
    """
    _show_moved(app, app.client.post(_PATH + "/to", {"to": time, "max_sends": max_sends}, long=True))


@clock.command("next")
@_max_sends
@pass_app
def run_next(app: App, max_sends: int) -> None:
    """Move a frozen clock to the next due attempt, and run it."""
    _show_moved(app, app.client.post(_PATH + "/next", {"max_sends": max_sends}, long=True))


@clock.command("idle")
@_max_sends
@pass_app
def run_until_idle(app: App, max_sends: int) -> None:
    """Run everything that is scheduled, until nothing is left."""
    _show_moved(app, app.client.post(_PATH + "/idle", {"max_sends": max_sends}, long=True))


def _show_moved(app: App, moved: dict[str, Any]) -> None:
    out = app.output
    if out.as_json:
        return out.json(moved)
    times = [after_text(send["after_s"]) for send in moved["sends"]]
    width = max((len(time) for time in times), default=0)
    for time, send in zip(times, moved["sends"], strict=True):
        out.line(f"{time:<{width}}   {send_text(send, out)}")
    out.line(
        f"Now {moment_text(moved['now'])}. {counted(len(moved['sends']), 'send')}, "
        f"{moved['delivered']} delivered, {moved['scheduled']} still scheduled."
    )
    if moved["stopped_early"]:
        out.note("Stopped at --max-sends: more was due. Go on: swiftclaw clock idle")
    return None


def send_text(send: dict[str, Any], out: Output) -> str:
    """Return one attempt: `dlv_…7qm9  retry 1/5   500   28 ms   delivered`; "retrying" goes without saying."""
    kind = f"retry {send['retry']}/{send['retries_max']}" if send["retry"] else "first send"
    end = "" if send["state"] in ("retrying", "sending", "scheduled") else f"   {out.state(send['state'])}"
    answer = out.status(send["status"], send["error"])
    fault = f"   fault {send['fault']}" if send.get("fault") else ""
    return f"{out.id(send['delivery'])}  {kind:<9}   {answer}   {send['duration_ms']} ms{end}{fault}"
