"""Prepare .venv with exactly what is locked, and this project in it, editable: `python3 scripts/setup.py`.

Owns .venv and .tools. Uses the standard library only, runs on Pythons older than the project's own (to find a newer
one), and does nothing when .venv is up to date. It must not decide which versions are installed: the lock does.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = "requirements-dev.lock"
OWN_UV = ".tools/bin/uv"
# What .venv is made of: when one of these changes, it is made anew.
INGREDIENTS = ("pyproject.toml", "requirements.lock", LOCK, "scripts/setup.py")
OLDEST, NEWEST = (3, 11), (3, 13)  # as requires-python in pyproject.toml, which older Pythons cannot read
NAMES = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)] + ["python3", "python"]
# A virtual environment's Python answers with the one it was made from: .venv may be active, and is about to be emptied.
ASK = "import sys; print(*sys.version_info[:2]); print(getattr(sys, '_base_executable', sys.executable))"


class CannotSetUp(Exception):
    """One sentence for the person at the terminal."""


def main() -> int:
    """Bring .venv up to date and return the exit code."""
    try:
        (ROOT / ".tools").mkdir(exist_ok=True)
        with (ROOT / ".tools" / "lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # two terminals may run make at the same time
            if not is_up_to_date(ROOT):
                prepare(ROOT)
    except CannotSetUp as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def is_up_to_date(root: Path) -> bool:
    """Tell whether .venv works and was made from the ingredients as they are now."""
    stamp = root / ".venv" / "stamp"
    return stamp.is_file() and stamp.read_text() == fingerprint(root) and _ask(root / ".venv/bin/python") is not None


def fingerprint(root: Path) -> str:
    """Return what tells one .venv from another: the ingredients' contents, and where the checkout lies."""
    digest = hashlib.sha256(str(root).encode())
    for name in INGREDIENTS:
        digest.update(hashlib.sha256((root / name).read_bytes()).digest())
    return digest.hexdigest()


def prepare(root: Path) -> None:
    """Make .venv anew, by the first way that works. Raises: CannotSetUp."""
    python = newest_python(os.environ.get("PATH", ""))
    print("setup: preparing .venv; this happens once, and after changes of what is locked.", file=sys.stderr)
    for name, way in ways(root).items():
        try:
            way(root, python)
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"setup: {name} did not work ({error}).", file=sys.stderr)
        else:
            (root / ".venv" / "stamp").write_text(fingerprint(root))
            print(f"setup: .venv is ready ({python}, by {name}).", file=sys.stderr)
            return
    raise CannotSetUp(
        "Could not install what SwiftClaw local needs. If pip or venv is missing, install them (Debian, Ubuntu: "
        "apt install python3-pip python3-venv) or uv; else see the messages above. Then type the same again."
    )


def ways(root: Path) -> dict[str, Callable[[Path, Path], None]]:
    """Return the ways to make .venv, the fastest first."""
    known: dict[str, Callable[[Path, Path], None]] = {
        "uv": _by_uv,
        "a uv of our own": _by_own_uv,
        "venv and pip": _by_pip,
    }
    if shutil.which("uv") is None:
        del known["uv"]
    return known


def find_uv(root: Path) -> str | None:
    """Return the uv to run: the person's own, or the one that an earlier set-up fetched."""
    return shutil.which("uv") or shutil.which(str(root / OWN_UV))


def newest_python(path: str) -> Path:
    """Return the newest Python on `path` (as in $PATH) that the project runs on. Raises: CannotSetUp."""
    found = [answer for answer in map(_ask, _candidates(path)) if answer]
    fit = [answer for answer in found if OLDEST <= answer[0] <= NEWEST]
    if not fit:
        seen = ", ".join(sorted({f"{major}.{minor}" for (major, minor), _ in found})) or "none"
        raise CannotSetUp(
            f"SwiftClaw local needs Python 3.{OLDEST[1]} to 3.{NEWEST[1]}; on this PATH: {seen}. "
            "Install one (Debian, Ubuntu: apt install python3 python3-venv), then type the same again."
        )
    return max(fit, key=lambda answer: answer[0])[1]


def environment() -> dict[str, str]:
    """Return the environment for uv and pip: no other virtual environment, no habit of this person's in the way."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX")
    }
    return kept | {
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_SYSTEM_CERTS": "1",  # where a company's proxy signs with its own certificate authority
        "PIP_USER": "0",
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }


def _candidates(path: str) -> Iterator[Path]:
    """Yield every file that may be a Python; a name may stand in several folders, and the first need not work."""
    yield Path(sys.executable)
    for name in NAMES:
        for folder in path.split(os.pathsep):
            if folder and (Path(folder) / name).is_file():
                yield Path(folder) / name


def _ask(python: Path) -> tuple[tuple[int, int], Path] | None:
    """Return an interpreter's version and true place, or None when it does not run."""
    try:
        answer = subprocess.run([python, "-c", ASK], capture_output=True, text=True, check=True, timeout=30)
        version, place = answer.stdout.splitlines()
        major, minor = version.split()
        return (int(major), int(minor)), Path(place)
    except (subprocess.SubprocessError, OSError, ValueError):
        return None


def _by_uv(root: Path, python: Path) -> None:
    _sync(root, python, uv="uv")


def _by_own_uv(root: Path, python: Path) -> None:
    if not (root / OWN_UV).is_file():
        _run(root, str(python), "-m", "pip", "install", "-qq", "--upgrade", "--target", ".tools", "uv")
    _sync(root, python, uv=str(root / OWN_UV))


def _sync(root: Path, python: Path, *, uv: str) -> None:
    _empty(root / ".venv")
    _run(root, uv, "venv", "--quiet", "--python", str(python), ".venv")
    target = ("--python", ".venv/bin/python")
    _run(root, uv, "pip", "sync", "--quiet", *target, "--require-hashes", "--compile-bytecode", LOCK)
    _run(root, uv, "pip", "install", "--quiet", *target, "--no-deps", "--no-build-isolation", "--editable", ".")


def _by_pip(root: Path, python: Path) -> None:
    _empty(root / ".venv")
    _run(root, str(python), "-m", "venv", ".venv")
    pip = (".venv/bin/python", "-m", "pip", "install", "-qq")
    _run(root, *pip, "--require-hashes", "--requirement", LOCK)
    _run(root, *pip, "--no-deps", "--no-build-isolation", "--editable", ".")


def _empty(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _run(root: Path, *command: str) -> None:
    subprocess.run(command, cwd=root, env=environment(), check=True)


if __name__ == "__main__":
    sys.exit(main())
