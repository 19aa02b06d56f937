"""`swiftclaw fault`: show a receiver the bad days on purpose. Arming is the server's; here it is typed and listed."""

from __future__ import annotations

from typing import Any, Final

import click

from swiftclaw_local.cli import completion
from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.client import in_path
from swiftclaw_local.cli.flags import numbered, said_as
from swiftclaw_local.cli.output import Column, counted
from swiftclaw_local.cli.shape import group

Json = dict[str, Any]

_PATH: Final = "/_local/faults"
COLUMNS: Final = (
    Column("ID"),
    Column("KIND"),
    Column("WEBHOOK"),
    Column("FIRED", right=True),
    Column("LEFT", right=True),
    Column("WHAT IT DOES", flexible=True),
)


@group("fault")
def fault() -> None:
    """Misbehave toward receivers on purpose: duplicates, lost replies, wrong signatures."""


@fault.command("add")
@click.argument("kind", metavar="KIND[:VALUE]")
@click.option("--webhook", metavar="ID", shell_complete=completion.webhooks, help="Only for this webhook.")
@click.option(
    "--times", type=click.IntRange(1, 1_000_000), help="For so many attempts (default: 1; by chance: no end)."
)
@click.option("--probability", type=float, metavar="P", help="By chance, for 0.2 of the attempts.")
@click.option("--for", "lasts", metavar="TIME", help="For each attempt of so long, as 3m on the engine's clock.")
@click.option("--delay", metavar="TIME", help="How long `delay` holds back, as 30s.")
@click.option("--seed", type=click.IntRange(0), help="Repeat a series of chances (default: the server's --seed, or 0).")
@pass_app
def add(
    app: App,
    kind: str,
    *,
    webhook: str | None,
    times: int | None,
    probability: float | None,
    lasts: str | None,
    delay: str | None,
    seed: int | None,
) -> None:
    """Arm a fault of a KIND, as lost_reply or delay:30s.

    The kinds, and what each shows: docs/reference/faults.md
    """
    body = {
        "kind": kind,
        "params": None if delay is None else {"delay": delay},
        "webhook": None if webhook is None else numbered("webhook", webhook),
        "times": times,
        "probability": probability,
        "seed": seed,
        "lasts": lasts,
    }
    with said_as(webhook="--webhook", probability="--probability", seed="--seed", params="--delay", lasts="--for"):
        armed = app.client.post(_PATH, {name: value for name, value in body.items() if value is not None})
    if app.output.as_json:
        return app.output.json(armed)
    return app.output.line(f"{armed['id']} armed: {armed['text']}")


@fault.command("list")
@pass_app
def list_faults(app: App) -> None:
    """List faults, those that have met all their attempts too."""
    listed = app.client.get(_PATH)
    if app.output.as_json:
        return app.output.json(listed)
    if not listed["data"]:
        return app.output.note("No faults. Arm one: swiftclaw fault add lost_reply")
    app.output.table(COLUMNS, [_cells(one) for one in listed["data"]])
    return app.output.note("They are kept in memory, and end with the server.")


@fault.command("clear")
@click.argument("fault_id", metavar="[ID]", required=False)
@pass_app
def clear(app: App, fault_id: str | None) -> None:
    """Disarm a fault, or all of them."""
    if fault_id is None:
        cleared = app.client.delete(_PATH)
        told = f"Cleared. {counted(cleared['cleared'], 'fault')} had not met all attempts."
    else:
        name = numbered("fault", fault_id)
        app.client.delete(f"{_PATH}/{in_path(name)}")
        cleared, told = {"id": name}, f"Cleared {name}."
    if app.output.as_json:
        return app.output.json(cleared)
    return app.output.line(told)


def _cells(armed: Json) -> tuple[str, ...]:
    value = next(iter(armed["params"].values()), None)
    return (
        armed["id"],
        armed["kind"] if value is None else f"{armed['kind']}:{value}",
        armed["webhook"] or "any",
        str(armed["fired"]),
        "-" if armed["left"] is None else str(armed["left"]),
        armed["text"],
    )
