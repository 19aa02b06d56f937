"""`swiftclaw starter`: prints a receiver that is right, for the framework of one's choice.

It needs no server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.output import Column
from swiftclaw_local.cli.shape import command
from swiftclaw_local.starter_programs import STARTERS, find_starter

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _offered(_context: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - only a shell that completes needs it

    return [CompletionItem(s.name, help=s.title) for s in STARTERS if s.name.startswith(incomplete)]


@command("starter")
@click.argument("name", required=False, shell_complete=_offered)
@pass_app
def starter(app: App, name: str | None) -> None:
    """Print a receiver that does all that SwiftClaw's page asks for; without NAME, list them.

    Its first lines say how to run it: swiftclaw starter fastapi > receiver.py
    """
    if name is None:
        return _list(app)
    found = find_starter(name)
    if app.output.as_json:
        return app.output.json({"name": found.name, "save_as": found.save_as, "text": found.text()})
    app.output.out.write(found.text())
    return None


def _list(app: App) -> None:
    if app.output.as_json:
        return app.output.json(
            {"data": [{"name": s.name, "title": s.title, "save_as": s.save_as} for s in STARTERS], "next": None}
        )
    app.output.table(
        [Column("NAME"), Column("FOR"), Column("SAVE AS")], [(s.name, s.title, s.save_as) for s in STARTERS]
    )
    return app.output.note("Print one: swiftclaw starter fastapi > receiver.py")
