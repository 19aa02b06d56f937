"""`swiftclaw starter`: prints a receiver that is right, for the framework of one's choice.

The receivers are programs of their own, kept as they are in the folder `starters` of this package. It needs no server.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.output import Column
from swiftclaw_local.cli.shape import command
from swiftclaw_local.errors import UnknownStarter

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

FOLDER: Final = Path(__file__).parent.parent / "starters"


class Starter(NamedTuple):
    """One receiver to start from: what it is called, where it is kept, what to save it as."""

    name: str
    title: str
    file: str
    save_as: str

    def text(self) -> str:
        """Return the program."""
        return (FOLDER / self.file).read_text(encoding="utf-8")


STARTERS: Final = (
    Starter("fastapi", "FastAPI", "fastapi_receiver.py", "receiver.py"),
    Starter("flask", "Flask", "flask_receiver.py", "receiver.py"),
    Starter("quart", "Quart", "quart_receiver.py", "receiver.py"),
    Starter("aiohttp", "aiohttp", "aiohttp_receiver.py", "receiver.py"),
    Starter("django", "Django", "django_receiver.py", "receiver.py"),
    Starter("express", "Express", "express_receiver.mjs", "receiver.mjs"),
    Starter("fastify", "Fastify", "fastify_receiver.mjs", "receiver.mjs"),
    Starter("nextjs", "Next.js, a route handler", "nextjs_route.mjs", "app/webhooks/swiftclaw/route.js"),
    Starter("go", "Go, net/http", "go_receiver.go", "receiver.go"),
)
NAMES: Final = tuple(starter.name for starter in STARTERS)


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


def find_starter(name: str) -> Starter:
    """Return the starter of this name. Raises: UnknownStarter, with the closest name."""
    wanted = name.lower().replace(".", "").replace("-", "")
    for one in STARTERS:
        if one.name == wanted:
            return one
    close = get_close_matches(wanted, NAMES, n=1)
    guess = f' Did you mean "{close[0]}"?' if close else ""
    raise UnknownStarter(f'There is no starter "{name}".{guess}', hint=f"Starters: {', '.join(NAMES)}")


def _list(app: App) -> None:
    if app.output.as_json:
        return app.output.json(
            {"data": [{"name": s.name, "title": s.title, "save_as": s.save_as} for s in STARTERS], "next": None}
        )
    app.output.table(
        [Column("NAME"), Column("FOR"), Column("SAVE AS")], [(s.name, s.title, s.save_as) for s in STARTERS]
    )
    return app.output.note("Print one: swiftclaw starter fastapi > receiver.py")
