"""`swiftclaw`: reads the command line, runs one command, and turns whatever happens into an exit code.

Commands are imported when they run. It speaks to no server itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click

from swiftclaw_local.cli.output import Output
from swiftclaw_local.cli.registry import JOBS, Entry, entries
from swiftclaw_local.cli.shape import HELP_NAMES, Group, global_options
from swiftclaw_local.errors import InvalidInput, SwiftclawError

NAMES: Final = ("swiftclaw", "swiftclaw-local")
INTERRUPTED: Final = 130
COMPLETE: Final = "_SWIFTCLAW_COMPLETE"  # what the completion scripts set
TITLE: Final = "SwiftClaw local: a fake SwiftClaw for developing and testing webhook receivers."
FIRST_TIME: Final = "First time?  swiftclaw dev --url http://localhost:8000/webhooks/swiftclaw -- <your start command>"


class Root(Group):
    """The first level: its commands come from the registry, its help is grouped by job."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(entries())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = entries().get(cmd_name)
        return None if entry is None else entry.load()

    def get_help(self, ctx: click.Context) -> str:
        formatter = ctx.make_formatter()
        self.format_options(ctx, formatter)
        return f"{help_by_job()}\n\n{formatter.getvalue()}".rstrip()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the global options alone: the commands stand above, by job."""
        with formatter.section("Options, before or after the command"):
            formatter.write_dl([r for p in self.get_params(ctx) if (r := p.get_help_record(ctx)) is not None])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Complete from the registry, so that completing imports no command."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only a shell that completes needs it

        found = [CompletionItem(e.name, help=e.meaning) for e in entries().values() if e.name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


def help_by_job() -> str:
    """Return the list of all commands, grouped by what one wants to do."""
    lines = [f"{job:<9}  {'   '.join(_listed(e) for e in of_job)}" for job, of_job in JOBS.items() if of_job]
    return "\n".join([TITLE, *lines, FIRST_TIME])


def _listed(entry: Entry) -> str:
    return f"{entry.name} {'|'.join(entry.parts)}" if entry.parts else entry.name


def root() -> Root:
    """Return the command `swiftclaw`."""
    return Root(
        name=NAMES[0],
        params=list(global_options(hidden=False)),
        help=TITLE,
        context_settings={"help_option_names": HELP_NAMES, "max_content_width": 110},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (`sys.argv` unless given) and return its exit code."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # a stream that cannot stays as it is
    try:
        code = _complete() if COMPLETE in os.environ else _run(typed)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read the answer has seen enough
        return 0


def _run(typed: Sequence[str]) -> int:
    try:
        # not click's own main(): it answers a closed pipe with exit 1, and errors in its own words
        with root().make_context(_name(), list(typed)) as context:
            code = context.command.invoke(context)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except SwiftclawError as error:
        _say(typed, error)
        return error.exit_code
    except click.UsageError as error:
        _say(typed, _usage(error))
        return InvalidInput.exit_code
    except click.ClickException as error:
        _say(typed, InvalidInput(error.format_message()))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED


def _complete() -> int:
    """Answer a shell that completes a command line."""
    from click.shell_completion import shell_complete  # noqa: PLC0415 - only a shell that completes needs it

    return shell_complete(root(), {}, _name(), COMPLETE, os.environ[COMPLETE])


def _usage(error: click.UsageError) -> InvalidInput:
    """Return a usage error of click's as ours."""
    hint = None
    if error.ctx is not None:
        hint = f"{error.ctx.get_usage()}\nMore: {error.ctx.command_path} --help"
    return InvalidInput(error.format_message(), hint=hint)


def _say(typed: Sequence[str], error: SwiftclawError) -> None:
    """Write an error as the command line asks, even when it could not be read to its end."""
    options = typed[: typed.index("--")] if "--" in typed else typed
    colors = [b for a, b in zip(options, [*options[1:], ""], strict=True) if a == "--color"]
    given = {"json": "--json" in options, "color": colors[-1] if colors else None}
    Output.of(given, os.environ).error(code=error.code, message=error.message, hint=error.hint, field=error.field)


def _name() -> str:
    called = Path(sys.argv[0]).name
    return called if called in NAMES else NAMES[0]
