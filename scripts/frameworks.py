"""Prepare .frameworks: what receivers are tested in, at the locked versions: `python -m scripts.frameworks`.

Owns .frameworks: a Python environment, with Go in it, and the Node packages. It must not touch .venv: the frameworks' versions are not the product's.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import Final

from scripts.bed import Bed, run
from scripts.lock import NODE
from scripts.setup import ROOT, find_uv

FOLDER: Final = ROOT / ".frameworks"
PYTHON: Final = FOLDER / "python" / "bin" / "python"
GO: Final = FOLDER / "python" / "bin" / "go"
NODE_MODULES: Final = FOLDER / "node" / "node_modules"
LOCK: Final = "requirements-frameworks.lock"
PACKAGES: Final = ("package.json", "package-lock.json")


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
        run(sys.executable, "-m", "venv", str(FOLDER / "python"))
        run(str(PYTHON), "-m", "pip", "install", "-qq", "--require-hashes", "--requirement", LOCK)
        return
    run(uv, "venv", "--quiet", "--python", sys.executable, str(FOLDER / "python"))
    run(uv, "pip", "sync", "--quiet", "--python", str(PYTHON), "--require-hashes", "--compile-bytecode", LOCK)


BED: Final = Bed(
    FOLDER,
    ingredients=(LOCK, *(f"{NODE}/{name}" for name in PACKAGES), "scripts/frameworks.py", "scripts/bed.py"),
    proof=PYTHON,
    needs="The frameworks need npm, and Linux or macOS.",
    install=install,
)

if __name__ == "__main__":
    sys.exit(BED.prepare())
