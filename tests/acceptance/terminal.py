"""A person's terminal: runs what is typed on a pseudo-terminal, 120 columns wide, without colours, and returns what is shown."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from threading import Thread
from typing import Final

from scripts.setup import ROOT

PATIENCE_S: Final = 60.0
_COLUMNS: Final = 120
_COLORS: Final = re.compile(r"\x1b\[[0-9;]*m")


class Typed:
    """One command that runs on a terminal of its own."""

    def __init__(self, command: list[str], *, folder: Path, environment: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, _COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self._shown = b""

    def shown_until(self, text: str | None = None) -> str:
        """Return what is shown up to the end of the line with `text`; without it, all to the end."""
        while text is None or not re.search(rb"%b.*\n" % re.escape(text.encode()), self._shown):
            ready, _, _ = select.select([self._master], [], [], PATIENCE_S)
            assert ready, f"nothing more after {self.text!r}"
            piece = self._read()
            assert piece or text is None, f"ended without {text!r}: {self.text!r}"
            if not piece:
                break
            self._shown += piece
        return self.text

    @property
    def text(self) -> str:
        """What was shown so far, as lines of plain text."""
        return _COLORS.sub("", self._shown.decode().replace("\r\n", "\n"))

    def read_on(self) -> None:
        """Take what is shown from now on away, so that the program never waits for its reader."""

        def drain() -> None:
            while self._read():
                pass

        Thread(target=drain, daemon=True).start()

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal, as ^C does, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        """End the program if it still runs; in order, so that it can end what it started."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)
        os.close(self._master)

    def _read(self) -> bytes:
        try:
            return os.read(self._master, 65536)
        except OSError:  # the other end is closed
            return b""


class Terminal:
    """A folder to type in, where `. .venv/bin/activate` makes `swiftclaw` known as it does in a checkout."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SWIFTCLAW_", "COV"))}
        self.environment = inherited | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TERM": "xterm"} | environment
        programs = folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        (programs / "swiftclaw").write_text(f'#!/bin/sh\nexec {sys.executable} -m swiftclaw_local "$@"\n')
        (programs / "swiftclaw").chmod(0o755)
        (programs / "activate").write_text(f'PATH="{programs}:$PATH"\n')

    def start(self, *command: str) -> Typed:
        """Start a program and let it run."""
        return Typed(list(command), folder=self.folder, environment=self.environment)

    def type(self, line: str) -> str:
        """Type one line into a fresh shell and return what it shows."""
        typed = self.start("bash", "-c", f". .venv/bin/activate\n{line}")
        try:
            return typed.shown_until()
        finally:
            typed.close()

    def exit_code(self, line: str) -> int:
        """Type one line and return what it ends with."""
        typed = self.start("bash", "-c", f". .venv/bin/activate\n{line}")
        try:
            typed.shown_until()
            return typed.process.wait(PATIENCE_S)
        finally:
            typed.close()
