"""`swiftclaw completion`: the shell's script, and the live ids it offers while a server runs.

Completing must never disturb: whatever goes wrong, it offers nothing and says nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from swiftclaw_local.cli.app import App, given_options, pass_app
from swiftclaw_local.cli.client import in_path
from swiftclaw_local.cli.shape import command
from swiftclaw_local.errors import SwiftclawError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SHELLS: Final = ("bash", "zsh", "fish")
PATIENCE: Final = "500ms"
_OFFERED: Final = 50
_HOW: Final = {
    "bash": 'eval "$(swiftclaw completion bash)"        in ~/.bashrc',
    "zsh": 'eval "$(swiftclaw completion zsh)"         in ~/.zshrc, after compinit',
    "fish": "swiftclaw completion fish | source         in ~/.config/fish/config.fish",
}
_LAST: Final = (("@last", "the newest"), ("@last-failed", "the newest that failed"))

Offers = list[tuple[str, str]]


@command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@pass_app
def completion(app: App, shell: str) -> None:
    """Print the completion script of a shell: bash, zsh or fish.

    It completes commands, options, and the ids the running server knows.
    """
    from click.shell_completion import ShellComplete, get_completion_class  # noqa: PLC0415 - only needed here

    context = click.get_current_context().find_root()
    kind = get_completion_class(shell)
    assert kind is not None
    name = context.info_name or "swiftclaw"
    # not kind.source(): for bash, that starts a bash to ask for its version
    app.output.out.write(ShellComplete.source(kind(context.command, {}, name, "_SWIFTCLAW_COMPLETE")))
    if app.output.terminal:
        app.output.note(f"# To use it, put this line  {_HOW[shell]}")


def agents(context: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the agents that have webhooks."""
    return _offer(context, incomplete, lambda app: [(a, "") for a in app.client.get("/_local/status")["agents"]])


def webhooks(context: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the webhooks of the agent typed before, or everybody's."""
    agent = context.params.get("agent")
    path = f"/v1/agents/{in_path(agent)}/webhooks" if isinstance(agent, str) else "/v1/webhooks"
    return _offer(context, incomplete, lambda app: [(w["id"], w["url"]) for w in _page(app, path)])


def deliveries(context: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the newest deliveries."""

    def found(app: App) -> Offers:
        rows = _page(app, "/v1/deliveries")
        return [*_LAST, *((d["id"], f"{d['event_type']} {d['state']}") for d in rows)]

    return _offer(context, incomplete, found)


def events(context: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the newest events."""
    return _offer(
        context, incomplete, lambda app: [_LAST[0], *((e["id"], e["type"]) for e in _page(app, "/v1/events"))]
    )


def alerts(context: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the alerts."""
    return _offer(
        context, incomplete, lambda app: [(a["id"], f"{a['agent']} {a['state']}") for a in _page(app, "/v1/alerts")]
    )


def _page(app: App, path: str) -> list[dict[str, Any]]:
    return list(app.client.every(path, limit=_OFFERED))


def _offer(context: click.Context, incomplete: str, find: Callable[[App], Offers]) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - only a shell that completes needs it

    app = App({"timeout": PATIENCE, **given_options(context)})
    try:
        found = find(app)
    except (SwiftclawError, LookupError, TypeError):
        return []
    finally:
        app.close()
    return [CompletionItem(value, help=meaning or None) for value, meaning in found if value.startswith(incomplete)]
