"""The two processes of `swiftclaw dev`: a server, and the user's command in a process group of its own.

Neither outlives us: the server ends with the pipe that we hold, and a small shell that waits on another such pipe ends the
command's group even when we are killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from time import sleep
from typing import IO, Any, Final

from swiftclaw_local.cli.listening import Place, listens
from swiftclaw_local.errors import Conflict, InvalidInput, SetupError, WaitTimeout

# How long the command may take to end when it is asked to, before it is made to (seconds).
GRACE_S: Final = 5.0
LOOK_S: Final = 0.05
_GUARD: Final = 'read -r _; kill -TERM "-$1" 2>/dev/null; sleep 5; kill -KILL "-$1" 2>/dev/null'


class Server:
    """`swiftclaw serve` in a process of its own; what it logs goes to a file that only its end shows."""

    def __init__(self, flags: Sequence[str], *, environment: Mapping[str, str]) -> None:
        self._log: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by `stop`
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "swiftclaw_local", "serve", "--json", "--until-eof", "--log-level", "error", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=dict(environment),
            start_new_session=True,  # ^C is ours to see first
        )

    def started(self) -> dict[str, Any]:
        """Wait until it answers, and return what it says of itself. Raises: SetupError with what it said instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            found: dict[str, Any] = json.loads(line)
            return found
        self._process.wait()
        self._log.seek(0)
        raise _as_error(self._log.read())

    def stop(self) -> None:
        """End it in order, and wait for that."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(GRACE_S * 3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


class Application:
    """The user's command. Its standard input is empty where a terminal's keys are ours."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], may_read: bool) -> None:
        self.text = shlex.join(command)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - what the user typed is what is to run
                list(command),
                env=dict(environment),
                stdin=None if may_read else subprocess.DEVNULL,
                process_group=0,
            )
        except FileNotFoundError:
            raise InvalidInput(
                f'There is no command "{command[0]}".', hint="Write it after --, as you type it in this folder."
            ) from None
        except OSError as error:
            raise InvalidInput(f'"{command[0]}" cannot be started: {error.strerror}.') from None
        self._guard = subprocess.Popen(  # noqa: S603 - the text is ours
            ["/bin/sh", "-c", _GUARD, "sh", str(self._process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def exit_code(self) -> int | None:
        """How it ended, as a shell says it (128 + the signal); None while it runs."""
        code = self._process.poll()
        return code if code is None or code >= 0 else 128 - code

    def wait_for(self, place: Place, *, seconds: float) -> float:
        """Wait until something listens there, and return about how many seconds that took; or until the command ended.

        Raises: WaitTimeout.
        """
        looks = 0
        while self.exit_code is None and not listens(place):
            if looks * LOOK_S >= seconds:
                raise WaitTimeout(
                    f"Nothing listens on port {place.port} after {seconds:g}s; your command runs ({self.text}).",
                    hint="Does it listen elsewhere? Give its URL: --url http://localhost:3000/…   Is it slow? --wait-port 60s",
                )
            sleep(LOOK_S)
            looks += 1
        return looks * LOOK_S

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it and all that it started, and return its exit code."""
        for each in (how, signal.SIGTERM, signal.SIGKILL):
            if not self._signal(each):
                break
            if self._ended_within(GRACE_S if each is not signal.SIGKILL else 1.0):
                break
        self._guard.kill()  # it has nothing left to do
        self._guard.wait()
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._process.wait()
        return self.exit_code or 0

    def _signal(self, which: signal.Signals) -> bool:
        """Send a signal to the whole group; return whether anything of it is left."""
        try:
            os.killpg(self._process.pid, which)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _ended_within(self, seconds: float) -> bool:
        """Wait until nothing of the group is left."""
        for _ in range(round(seconds / LOOK_S)):
            self._process.poll()  # a child that ended and was not waited for is still of the group
            if not _alive(self._process.pid):
                return True
            sleep(LOOK_S)
        return False


def check_free(place: Place, url: str) -> None:
    """Check that nothing listens where the command is to listen. Raises: Conflict."""
    if listens(place):
        raise Conflict(
            f"Something listens on port {place.port} already, before your command was started.",
            hint=f"Stop it; or leave it running and register it: swiftclaw webhooks create my-agent --url {url}",
            field="--url",
        )


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _as_error(said: str) -> SetupError:
    """Return what a server that did not start wrote to its standard error, as an error."""
    for line in said.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            told = json.loads(line)["error"]
            return SetupError(str(told["message"]), hint=told.get("hint"))
    last = said.strip().splitlines()[-1:] or ["it said nothing"]
    return SetupError(f"The server did not start: {last[0][:200]}")
