"""Prepare .frameworks: what receivers are tested in, at the locked versions: `python -m scripts.frameworks`.

Owns .frameworks: a Python environment, with Go in it, and the Node packages. It must not touch .venv: the frameworks' versions are not the product's.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from typing import Final

from scripts.lock import NODE
from scripts.setup import ROOT, environment, find_uv

FOLDER: Final = ROOT / ".frameworks"
PYTHON: Final = FOLDER / "python" / "bin" / "python"
GO: Final = FOLDER / "python" / "bin" / "go"
NODE_MODULES: Final = FOLDER / "node" / "node_modules"
LOCK: Final = "requirements-frameworks.lock"
PACKAGES: Final = ("package.json", "package-lock.json")
INGREDIENTS: Final = (LOCK, *(f"{NODE}/{name}" for name in PACKAGES), "scripts/frameworks.py")


def main() -> int:
    """Bring .frameworks up to date and return the exit code."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # two terminals may run make at the same time
        if is_up_to_date():
            return 0
        print(
            "frameworks: preparing .frameworks; this happens once, and after changes of what is locked.",
            file=sys.stderr,
        )
        try:
            install()
        except (subprocess.CalledProcessError, OSError) as error:
            print(
                f"error: Could not install the frameworks ({error}). They need npm, and Linux or macOS.",
                file=sys.stderr,
            )
            return 1
        (FOLDER / "stamp").write_text(fingerprint())
    return 0


def is_up_to_date() -> bool:
    """Tell whether .frameworks was made from the locks as they are now."""
    stamp = FOLDER / "stamp"
    return stamp.is_file() and stamp.read_text() == fingerprint() and PYTHON.exists()


def fingerprint() -> str:
    """Return what tells one .frameworks from another: the ingredients' contents, and where the checkout lies."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in INGREDIENTS:
        digest.update(hashlib.sha256((ROOT / name).read_bytes()).digest())
    return digest.hexdigest()


def install() -> None:
    """Install both, anew. Raises: CalledProcessError, OSError."""
    for folder in (PYTHON.parent.parent, NODE_MODULES.parent):
        shutil.rmtree(folder, ignore_errors=True)
    _install_python()
    NODE_MODULES.parent.mkdir()
    for name in PACKAGES:
        shutil.copy(ROOT / NODE / name, NODE_MODULES.parent)
    quiet = ("--no-audit", "--no-fund", "--loglevel=error")
    subprocess.run(["npm", "ci", "--ignore-scripts", *quiet], cwd=NODE_MODULES.parent, check=True)


def _install_python() -> None:
    uv = find_uv(ROOT)
    if uv is None:
        _run(sys.executable, "-m", "venv", str(FOLDER / "python"))
        _run(str(PYTHON), "-m", "pip", "install", "-qq", "--require-hashes", "--requirement", LOCK)
        return
    _run(uv, "venv", "--quiet", "--python", sys.executable, str(FOLDER / "python"))
    _run(uv, "pip", "sync", "--quiet", "--python", str(PYTHON), "--require-hashes", "--compile-bytecode", LOCK)


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, env=environment(), check=True)


if __name__ == "__main__":
    sys.exit(main())
