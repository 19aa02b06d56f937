"""`swiftclaw help`: the list of commands, the help of one, and the exit codes.

It looks commands up; it runs none.
"""

from __future__ import annotations

from typing import Final

import click

from swiftclaw_local.cli.app import App, pass_app
from swiftclaw_local.cli.shape import command, unknown_command

EXIT_CODES: Final = {
    0: "done",
    1: "what was checked failed: a delivery is not 2xx, a signature does not match, a replay left failures",
    2: "wrong usage: the command line or a value in it",
    3: "not found: no such agent, webhook, event, delivery, alert, starter or scenario",
    4: "no server, or it cannot be reached",
    5: "conflict: the port is taken, it exists already, or its state does not allow this",
    124: "waited as long as asked, in vain",
    130: "interrupted by Ctrl-C",
}
_TOPIC: Final = "exit-codes"


@command("help")
@click.argument("topic", nargs=-1)
@pass_app
def help_command(app: App, topic: tuple[str, ...]) -> None:
    """Show the help of a command, as `swiftclaw help clock advance`, or of `exit-codes`."""
    if topic == (_TOPIC,):
        return _show_exit_codes(app)
    context = click.get_current_context().find_root()
    for name in topic:
        known = context.command.list_commands(context) if isinstance(context.command, click.Group) else []
        found = context.command.get_command(context, name) if isinstance(context.command, click.Group) else None
        if found is None:
            topics = [*known, _TOPIC] if context.parent is None else known
            raise unknown_command(name, context, topics)
        context = click.Context(found, info_name=name, parent=context, **found.context_settings)
    return app.output.line(context.get_help())


def _show_exit_codes(app: App) -> None:
    if app.output.as_json:
        return app.output.json({str(code): meaning for code, meaning in EXIT_CODES.items()})
    for code, meaning in EXIT_CODES.items():
        app.output.line(f"{code:>3}  {meaning}")
    return None
