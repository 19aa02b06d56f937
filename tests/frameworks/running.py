"""Starts a receiver's program in a folder of its own, waits until it listens, and ends it."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.frameworks import FOLDER, GO, NODE_MODULES, PYTHON
from tests.ports import free_port

BESIDE: Final = Path(__file__).parent / "beside"
NEXT: Final = "next/dist/bin/next"  # refuses a link for node_modules: its folder must lie below the real one's parent
PATH: Final = "/webhooks/swiftclaw"
SECRET: Final = "scsec_tested_in_real_frameworks"
FULL: Final = (
    os.environ.get("FRAMEWORKS") == "full"
)  # as `make frameworks` sets it; without, only what needs no framework but ours
STARTS_WITHIN_S: Final = 60.0
BUILDS_WITHIN_S: Final = 300.0  # the first time, Go compiles its own library


@dataclass(frozen=True, slots=True)
class Program:
    """A receiver's text, what its file is called, the files beside it, and what is started (the file, unless said)."""

    text: str
    file: str
    beside: tuple[str, ...] = ()
    starts: str = ""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A program that listens, and where it shows what it did."""

    url: str
    folder: Path

    def processed(self) -> list[str]:
        """Return the ids of the events it processed, in that order; an id stands there as often as it was."""
        done = self.folder / "processed"
        return done.read_text().split() if done.exists() else []

    @property
    def commands(self) -> tuple[str, ...]:
        """The flags that let `swiftclaw certify` see its effects, and break it."""
        folder = shlex.quote(str(self.folder))
        return (
            f"--effects-cmd=cat {folder}/processed 2>/dev/null | wc -l",
            f"--break-cmd=touch {folder}/broken",
            f"--fix-cmd=rm {folder}/broken",
        )

    def break_it(self) -> None:
        """Let its work fail from now on."""
        (self.folder / "broken").touch()

    def fix_it(self) -> None:
        """Let its work succeed again."""
        (self.folder / "broken").unlink()


@contextmanager
def running(program: Program, folder: Path) -> Iterator[Receiver]:
    """Run a program until the block ends. Its folder and its output are left for whoever looks into a failure."""
    file = folder / program.file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(program.text, encoding="utf-8")
    for name in program.beside:
        shutil.copy(BESIDE / name, file.parent / name)
    if NODE_MODULES.is_dir() and program.starts != NEXT:
        (folder / "node_modules").symlink_to(NODE_MODULES)
    port = free_port()
    variables = _environment() | {"PORT": str(port), "SWIFTCLAW_WEBHOOK_SECRET": SECRET, "EFFECTS": str(folder)}
    command = _command(folder, program, variables)
    output = folder / "output.txt"
    with output.open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _wait_until_it_listens(process, port, output)
        yield Receiver(f"http://127.0.0.1:{port}{PATH}", folder)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def _command(folder: Path, program: Program, variables: dict[str, str]) -> list[str]:
    """Return the command that starts a program; one in Go is compiled first."""
    name = program.starts or program.file
    if name == NEXT:
        return [_node(), str(NODE_MODULES / NEXT), "dev", "--hostname", "127.0.0.1", "--port", variables["PORT"]]
    match Path(name).suffix:
        case ".py":
            return [str(PYTHON) if FULL else sys.executable, name]
        case ".go":
            sources = [name, *(other for other in program.beside if other.endswith(".go"))]
            built = subprocess.run(
                [GO, "build", "-o", "receiver", *sources],
                cwd=folder,
                env=variables,
                capture_output=True,
                text=True,
                timeout=BUILDS_WITHIN_S,
                check=False,
            )
            assert built.returncode == 0, built.stderr
            return [str(folder / "receiver")]
        case _:
            return [_node(), name]


def _node() -> str:
    node = shutil.which("node")
    assert node, "Node.js is missing: install it, as `apt-get install nodejs`."
    return node


def _environment() -> dict[str, str]:
    """Return the environment of somebody who has set nothing for Python, Node, Go or us; Go's cache lies with the frameworks."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    go = {
        "GOCACHE": str(FOLDER / "go-cache"),
        "GOPATH": str(FOLDER / "go-path"),
        "GOTOOLCHAIN": "local",
        "GOPROXY": "off",
    }
    return kept | go | {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "NEXT_TELEMETRY_DISABLED": "1"}


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, output: Path) -> None:
    ends = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < ends:
        assert process.poll() is None, f"The program ended:\n{output.read_text()}"
        with socket.socket() as tried:
            tried.settimeout(1)
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"The program does not listen after {STARTS_WITHIN_S:.0f} s:\n{output.read_text()}")
