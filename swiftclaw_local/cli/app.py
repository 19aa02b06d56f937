"""What a command is given: how to answer, how to ask, and the server to speak to, as the global options say.

It knows no command.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final

import click

from swiftclaw_local.cli.address import Address, find_server
from swiftclaw_local.cli.client import Client
from swiftclaw_local.cli.output import Output
from swiftclaw_local.cli.shape import GIVEN
from swiftclaw_local.durations import parse_duration
from swiftclaw_local.errors import InvalidDuration, InvalidInput

TOKEN_VARIABLE: Final = "SWIFTCLAW_TOKEN"  # noqa: S105 - the variable's name


class App:
    """One run of a command. `given` are the global options that were typed; the others are unset."""

    def __init__(self, given: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> None:
        self._given = given
        self.environment = os.environ if environment is None else environment
        self.verbose = bool(given.get("verbose"))
        self.may_ask = not given.get("no_input") and sys.stdin is not None and sys.stdin.isatty()
        self.output = Output.of(given, self.environment)

    @cached_property
    def timeout_s(self) -> float | None:
        """The seconds of `--timeout`, None when it was not given. Raises: InvalidDuration."""
        text = self._given.get("timeout")
        if text is None:
            return None
        seconds = parse_duration(text, field="--timeout").total_seconds()
        if not seconds:
            raise InvalidDuration(f"--timeout {text} leaves no time for an answer.", hint="Write 5s.")
        return seconds

    @cached_property
    def address(self) -> Address:
        """The server this run speaks to, whether it runs or not. Raises: InvalidUrl."""
        return find_server(self._given.get("api_url"), self.environment)

    @cached_property
    def client(self) -> Client:
        """The connection to the server, opened by the first request."""
        return self.connect(timeout_s=self.timeout_s)

    def connect(self, *, timeout_s: float | None) -> Client:
        """Return a connection of its own, with another patience; whoever asks for it closes it."""
        return Client(
            self.address,
            timeout_s=timeout_s,
            token=self.environment.get(TOKEN_VARIABLE),
            trace=self.output.note if self.verbose else None,
        )

    def close(self) -> None:
        """Let go of the connection, if there is one."""
        if "client" in self.__dict__:
            self.client.close()

    def confirm(self, question: str, *, instead: str) -> bool:
        """Ask a yes-or-no question; `instead` is what to type where nobody can answer.

        Raises: InvalidInput when nobody can be asked.
        """
        if not self.may_ask:
            raise InvalidInput(f"{question} Nobody can answer here.", hint=f"If you are sure: {instead}")
        answer = click.prompt(f"{question} [y/N]", default="n", show_default=False, err=True)
        return str(answer).strip().lower() in ("y", "yes")


def given_options(context: click.Context) -> Mapping[str, Any]:
    """Return the global options that were typed, by name."""
    given: Mapping[str, Any] = context.meta.get(GIVEN, {})
    return given


def pass_app(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command's function the App as its first argument; what it returns is the exit code (None is 0)."""

    @functools.wraps(function)
    def run(*args: Any, **values: Any) -> Any:
        app = App(given_options(click.get_current_context()))
        try:
            return function(app, *args, **values)
        finally:
            app.close()

    return run
