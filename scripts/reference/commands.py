"""docs/reference/commands.md: every command with its arguments and options, walked from the command tree itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from scripts.reference.markdown import code, page, table
from swiftclaw_local.cli.helping import EXIT_CODES
from swiftclaw_local.cli.main import root
from swiftclaw_local.cli.registry import JOBS, Entry


def commands_page() -> str:
    """Return the page."""
    tree = root()
    context = click.Context(tree, info_name="swiftclaw")
    blocks = [
        "What each command takes. The same, shorter: `swiftclaw COMMAND --help`. Every command also answers in JSON: `--json`.",
        "## Options of every command",
        "They may stand before or after the command.",
        _options(tree, context),
    ]
    for job, entries in JOBS.items():
        blocks += [f"## {job}", *(block for entry in entries for block in _command_blocks(tree, context, entry))]
    blocks += ["## Exit codes", table(["code", "means"], [[str(code), told] for code, told in EXIT_CODES.items()])]
    return page("Commands", *blocks)


def _words(entry: Entry) -> list[list[str]]:
    """Return the words of an entry, or of a group's parts; a group that stands under two jobs lists other parts in each."""
    in_group = isinstance(entry.load(), click.Group)
    return [[entry.name, part] for part in entry.parts] if in_group else [[entry.name]]


def _command_blocks(tree: click.Group, context: click.Context, entry: Entry) -> Iterator[str]:
    for words in _words(entry):
        command, inside = found(tree, context, words)
        usage = " ".join(["swiftclaw", *words, *command.collect_usage_pieces(inside)])
        yield f"### {' '.join(words)}"
        yield f"```\n{usage}\n```"
        yield _help(command)
        yield _options(command, inside)


def found(tree: click.Group, context: click.Context, words: list[str]) -> tuple[click.Command, click.Context]:
    """Return a command and its context. Raises: LookupError when there is none of these words."""
    command: click.Command = tree
    for word in words:
        inner = command.get_command(context, word) if isinstance(command, click.Group) else None
        if inner is None:
            raise LookupError(f"swiftclaw has no command {' '.join(words)}")
        command, context = inner, click.Context(inner, info_name=word, parent=context)
    return command, context


def _help(command: click.Command) -> str:
    return inspect.cleandoc((command.help or "").replace("\b", ""))


def _options(command: click.Command, context: click.Context) -> str:
    records = [param.get_help_record(context) for param in command.params if isinstance(param, click.Option)]
    rows = [[code(record[0]), record[1]] for record in records if record is not None]
    return table(["option", "means"], rows) if rows else ""
