"""A server in a child process: in memory, with a clock that stands still, on a free port; gone when its starter is gone.

It runs apart so that nothing a test patches, and no module of the tested program, reaches it. This module does not load it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Timer
from typing import Any, Final

from swiftclaw_local.errors import SetupError
from swiftclaw_local.testing.connection import Connection

SECRET: Final = "scsec_test"  # noqa: S105 - of made-up events
START_S: Final = 60.0
_STOP_S: Final = 10.0
_LOG_SHOWN: Final = 20  # lines
_COMMAND: Final = (
    *("-P", "-m", "swiftclaw_local", "--json", "serve", "--until-eof"),  # -P: a folder's own storage.py is not ours
    *("--port", "0", "--ephemeral", "--clock", "manual", "--secret", SECRET),
    *("--log-format", "json", "--log-level", "warning"),
)


class Server:
    """A running server at `url`. `secret` is the one of webhooks that name no other."""

    secret = SECRET

    def __init__(self, folder: Path) -> None:
        """Start it and return when it answers; its log goes to `server.log` in the folder. Raises: SetupError."""
        self.log = folder / "server.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - this Python
                [sys.executable, *_COMMAND],
                cwd=folder,  # where no swiftclaw.toml lies
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # ^C is for the tests, which stop it when they have said what they have to say
            )
        try:
            self.url: str = self._banner()["url"]
        except BaseException:
            self._process.kill()
            self._end()
            raise
        self.connection = Connection(self.url)

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def last_words(self) -> str:
        """Return the last lines of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_SHOWN:]) or "(its log is empty)"

    def stop(self) -> None:
        """Stop it, and return when it is gone."""
        self.connection.close()
        self._process.terminate()
        self._end()

    def _banner(self) -> dict[str, Any]:
        """Return what it says when it is up. Raises: SetupError when it does not come up."""
        assert self._process.stdout is not None
        patience = Timer(START_S, self._process.kill)
        patience.start()
        try:
            line = self._process.stdout.readline()
        finally:
            patience.cancel()
        try:
            banner: dict[str, Any] = json.loads(line)
        except ValueError:
            raise SetupError(
                f"The server of the tests did not start. Its log, {self.log}:\n{self.last_words()}"
            ) from None
        return banner

    def _end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def _environment() -> dict[str, str]:
    """Return the environment of the child: nothing in it changes the server, or turns its warnings into errors."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SWIFTCLAW_") and name != "PYTHONWARNINGS"
    }
    if kept.get("PYTHONPATH"):  # it runs in another folder
        kept["PYTHONPATH"] = os.pathsep.join(os.path.abspath(part) for part in kept["PYTHONPATH"].split(os.pathsep))
    return kept
