"""A folder at the top of the checkout that is made from locks, once, and again when a lock changes; it holds what some tests need.

It must not touch .venv: what a bed holds has versions of its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.setup import ROOT, environment


@dataclass(frozen=True, slots=True)
class Bed:
    """`ingredients` are the files it is made of; `proof` is there when it was made; `needs` is said when it cannot be."""

    folder: Path
    ingredients: tuple[str, ...]
    proof: Path
    needs: str
    install: Callable[[], None]  # all of it, anew; raises CalledProcessError, OSError

    def prepare(self) -> int:
        """Bring the folder up to date and return the exit code."""
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # two terminals may run make at the same time
            if self.is_up_to_date():
                return 0
            name = self.folder.name
            print(
                f"{name[1:]}: preparing {name}; this happens once, and after changes of what is locked.",
                file=sys.stderr,
            )
            try:
                self.install()
            except (subprocess.CalledProcessError, OSError) as error:
                print(f"error: Could not make {name} ({error}). {self.needs}", file=sys.stderr)
                return 1
            (self.folder / "stamp").write_text(self.fingerprint())
        return 0

    def is_up_to_date(self) -> bool:
        """Tell whether the folder was made from the locks as they are now."""
        stamp = self.folder / "stamp"
        return stamp.is_file() and stamp.read_text() == self.fingerprint() and self.proof.exists()

    def fingerprint(self) -> str:
        """Return what tells one folder from another: the ingredients' contents, and where the checkout lies."""
        digest = hashlib.sha256(str(ROOT).encode())
        for name in self.ingredients:
            digest.update(hashlib.sha256((ROOT / name).read_bytes()).digest())
        return digest.hexdigest()


def run(*command: str) -> None:
    """Run a command as the set-up does. Raises: CalledProcessError, OSError."""
    subprocess.run(command, cwd=ROOT, env=environment(), check=True)
