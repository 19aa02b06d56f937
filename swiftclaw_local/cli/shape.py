"""The shape every command has: the global options before and after its name, and "did you mean" for what is mistyped.

It knows click and no command; what the options mean is the business of `app`.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Final

import click

from swiftclaw_local import __version__
from swiftclaw_local.errors import InvalidInput

GIVEN: Final = "swiftclaw_local.cli.given"  # the key in click's context under which the global options are kept
HELP_NAMES: Final = ["-h", "--help"]
COLORS: Final = ("auto", "always", "never")


def _keep(context: click.Context, param: click.Parameter, value: Any) -> Any:
    """Remember a global option for the whole command line; given twice, the later one wins."""
    if value is not None:
        context.meta.setdefault(GIVEN, {})[param.name] = value
    return value


def _say_version(context: click.Context, _param: click.Parameter, value: Any) -> None:
    if value and not context.resilient_parsing:
        click.echo(f"swiftclaw-local {__version__}, fake for development")
        context.exit()


def global_options(*, hidden: bool) -> list[click.Option]:
    """Return the options every command takes; the help of a single command leaves them out (`hidden`)."""

    def option(*names: str, meaning: str, **how: Any) -> click.Option:
        how.setdefault("callback", _keep)
        return click.Option(list(names), expose_value=False, hidden=hidden, help=meaning, **how)

    return [
        option("--api-url", metavar="URL", meaning="Server to speak to (SWIFTCLAW_API_URL; else the one found)."),
        option("--json", is_flag=True, default=None, meaning="Answer with one JSON document; errors as JSON too."),
        option("--color", type=click.Choice(COLORS), meaning="Colours (default: auto, on a terminal only)."),
        option("-q", "--quiet", is_flag=True, default=None, meaning="Leave out messages; keep answers and errors."),
        option("-v", "--verbose", is_flag=True, default=None, meaning="Show each request to the server."),
        option("--no-input", is_flag=True, default=None, meaning="Never ask; say what to type instead."),
        option("--timeout", metavar="TIME", meaning="How long to wait for the server's answer, as 5s."),
        option("--version", is_flag=True, is_eager=True, callback=_say_version, meaning="Show the version."),
    ]


class Command(click.Command):
    """A command of ours: takes the global options after its name, and explains mistyped options."""

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        taken = {name for param in self.params for name in param.opts}
        # a command's own option of the same name wins
        self.params += [o for o in global_options(hidden=True) if taken.isdisjoint(o.opts)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raises: InvalidInput for an option that does not exist, with the closest one that does."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise unknown_option(error.option_name, ctx) from None


class Group(Command, click.Group):
    """A group of our commands, as `swiftclaw clock`; without a command it shows its help and exits 0."""

    command_class = Command

    def __init__(self, *args: Any, **how: Any) -> None:
        how.setdefault("no_args_is_help", False)
        how.setdefault("invoke_without_command", True)
        super().__init__(*args, **how)

    def invoke(self, ctx: click.Context) -> Any:
        if not (ctx._protected_args or ctx.args):
            click.echo(ctx.get_help())
            return None
        return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raises: InvalidInput for a command that does not exist, with the closest one that does."""
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            raise unknown_command(args[0], ctx, self.list_commands(ctx))
        return super().resolve_command(ctx, args)


def unknown_command(name: str, context: click.Context, known: list[str]) -> InvalidInput:
    """Return the error for a command that is not there."""
    path = context.command_path
    close = get_close_matches(name, known, n=1)
    guess = f' Did you mean "{path} {close[0]}"?' if close else ""
    return InvalidInput(f'There is no command "{path} {name}".{guess}', hint=f"Commands: {', '.join(known)}")


def unknown_option(name: str, context: click.Context) -> InvalidInput:
    """Return the error for an option that is not there."""
    known = [o for param in context.command.get_params(context) for o in (*param.opts, *param.secondary_opts)]
    close = get_close_matches(name, [o for o in known if o.startswith("-")], n=1)
    guess = f" Did you mean {close[0]}?" if close else ""
    return InvalidInput(
        f"{context.command_path} has no option {name}.{guess}", hint=f"Its options: {context.command_path} --help"
    )


def command(name: str, **how: Any) -> Callable[[Callable[..., Any]], Command]:
    """Make a command of the first level from a function; `how` as for click.command."""
    return click.command(name, cls=Command, **how)


def group(name: str, **how: Any) -> Callable[[Callable[..., Any]], Group]:
    """Make a group of commands from a function; `how` as for click.group."""
    return click.group(name, cls=Group, **how)
