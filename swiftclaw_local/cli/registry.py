"""The list of commands: where each lives and how the help lists it, so that only the one that runs is imported.

A test compares this list with the commands themselves. It imports none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final, NamedTuple

import click


class Entry(NamedTuple):
    """One command of the first level: `place` is `module:attribute`, `parts` the commands of a group in the help's order."""

    name: str
    place: str
    meaning: str
    parts: tuple[str, ...] = ()

    def load(self) -> click.Command:
        """Import the command's module and return the command."""
        module, _, attribute = self.place.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


_HERE: Final = "swiftclaw_local.cli."
_SHELLS: Final = ("bash", "zsh", "fish")
_WEBHOOKS: Final = ("create", "update", "list", "delete", "test", "logs", "secret", "show")
_DELIVERIES: Final = _HERE + "deliveries:deliveries"

# The jobs of the help page, in its order. A command is listed here when it exists, and not before.
JOBS: Final[dict[str, tuple[Entry, ...]]] = {
    "Start": (
        Entry("dev", _HERE + "dev:dev", "Run a server and your application beside it."),
        Entry("serve", _HERE + "serve:serve", "Run the server."),
        Entry("ready", _HERE + "server_commands:ready", "Say by the exit code whether a server is ready."),
        Entry("open", _HERE + "server_commands:open_server", "Open the server in the browser."),
        Entry("status", _HERE + "server_commands:status", "Show the whole server at a glance."),
        Entry("doctor", _HERE + "doctor:doctor", "Look for what is wrong with the set-up."),
        Entry("reset", _HERE + "server_commands:reset", "Forget everything, and start over."),
        Entry("prune", _HERE + "server_commands:prune", "Delete old events, with their deliveries and logs."),
    ),
    "Platform": (
        Entry(
            "webhooks",
            _HERE + "webhooks:webhooks",
            "Register and manage webhooks, as in the SwiftClaw docs.",
            _WEBHOOKS,
        ),
        Entry(
            "alerts",
            _HERE + "alerts:alerts",
            "Be told when webhooks fail too often, as in the SwiftClaw docs.",
            ("create", "list", "delete", "history"),
        ),
    ),
    "Send": (
        Entry("trigger", _HERE + "trigger:trigger", "Announce an event, and see what the receivers answer."),
        Entry(
            "events",
            _HERE + "events:events",
            "Look at the events that were announced.",
            ("list", "show", "body", "export"),
        ),
        Entry("play", _HERE + "play:play", "Play a whole story against a receiver: a bad deployment, an attacker."),
        Entry(
            "record",
            _HERE + "recordings:record",
            "Record what is announced into a file, to play it again.",
            ("start", "show", "save", "stop"),
        ),
        Entry("fault", _HERE + "faults:fault", "Misbehave toward receivers on purpose.", ("add", "list", "clear")),
    ),
    "Look": (
        Entry("listen", _HERE + "listen:listen", "Show what is sent, as it is sent."),
        Entry(
            "deliveries", _DELIVERIES, "Find deliveries, see what was sent.", ("list", "show", "diff", "wait", "curl")
        ),
    ),
    "Repair": (Entry("deliveries", _DELIVERIES, "Find deliveries, see what was sent.", ("replay", "cancel")),),
    "Time": (
        Entry(
            "clock",
            _HERE + "clock:clock",
            "Freeze time and move it: retries without waiting.",
            ("show", "freeze", "advance", "to", "next", "idle", "resume"),
        ),
    ),
    "Check": (
        Entry("certify", _HERE + "certify:certify", "Say whether a receiver is right, and how to mend it."),
        Entry("verify", _HERE + "verify:verify", "Check a signature, and say why it does not match."),
        Entry(
            "starter", _HERE + "starters:starter", "Print a receiver that is right, in the framework of your choice."
        ),
    ),
    "Help": (
        Entry("help", _HERE + "helping:help_command", "Show the help of a command, or of exit-codes."),
        Entry("completion", _HERE + "completion:completion", "Print the completion script of a shell.", _SHELLS),
    ),
}


def entries() -> dict[str, Entry]:
    """Return every command of the first level by its name; a group that stands under two jobs appears once."""
    return {entry.name: entry for job in JOBS.values() for entry in job}
