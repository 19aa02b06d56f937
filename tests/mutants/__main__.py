"""`python -m tests.mutants`: takes each guard out of a copy of the code and says what found it; 1 when nothing did."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.mutants.guard import Edit, Guard
from tests.mutants.guards import GUARDS
from tests.postgres_server import running_server

ROOT: Final = Path(__file__).resolve().parents[2]
_COPIED: Final = ("swiftclaw_local", "tests", "scripts", "docs", "pyproject.toml")
_SEEDS: Final = {"sqlite": "1-80", "postgresql": "1-20"}
# A mutant that runs into this hangs: that is found, too.
_LONGEST_S: Final = 240


def main() -> int:
    """Print the table guard -> found by."""
    asked = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    asked.add_argument("words", nargs="*", help="only guards with one of these words in their name")
    words = asked.parse_args().words
    missed = 0
    with tempfile.TemporaryDirectory() as folder, running_server() as postgres:
        server = postgres.url("").rstrip("/")
        copy = _copied(Path(folder))
        for db in _SEEDS:
            untouched = found_by(copy, None, db=db, server=server)
            if untouched is not None:
                print(f"the code as it is fails already: {untouched}")
                return 1
        for guard in (guard for guard in GUARDS if not words or any(word in guard.name for word in words)):
            found = without(guard, copy, server=server)
            missed += found is None
            print(f"{guard.name:81} {found or 'NOT FOUND'}", flush=True)
    print(f"{missed} guards could be taken out unnoticed")
    return 1 if missed else 0


def without(guard: Guard, copy: Path, *, server: str) -> str | None:
    """Return what finds that a guard is missing, or None."""
    kept = {edit.path: (copy / "swiftclaw_local" / edit.path).read_text() for edit in guard.edits}
    try:
        for edit in guard.edits:
            if not _applied(edit, copy):
                print(f"the edit no longer fits {edit.path}:")
                return None
        return found_by(copy, guard, db=guard.db, server=server)
    finally:
        for path, text in kept.items():
            (copy / "swiftclaw_local" / path).write_text(text)


def found_by(copy: Path, guard: Guard | None, *, db: str | None, server: str) -> str | None:
    """Return what fails in the copy: a seed of the simulation, or one of the guard's tests."""
    if db is not None:
        seeds = "1-10" if guard is None else _SEEDS[db]
        simulated = _run(copy, "tests.simulation", "--seeds", seeds, "--first", "--db", db, "--server", server)
        if simulated:
            seed = re.search(r"^(seed \d+: \w+)", simulated, re.MULTILINE)
            return f"simulation, {seed[1]}" if seed else f"simulation: {simulated.strip().splitlines()[-1][:80]}"
    if guard is None or not guard.tests:
        return None
    tested = _run(copy, "pytest", "-q", "-x", "-p", "no:cacheprovider", *guard.tests)
    named = re.search(r"^FAILED (\S+?)(?:\[.*)?(?: - .*)?$", tested, re.MULTILINE)
    return None if not tested else named[1] if named else "a test that does not even run"


def _applied(edit: Edit, copy: Path) -> bool:
    path = copy / "swiftclaw_local" / edit.path
    text = path.read_text()
    if text.count(edit.old) != 1:
        return False
    path.write_text(text.replace(edit.old, edit.new))
    return True


def _run(copy: Path, module: str, *arguments: str) -> str:
    """Run a module in the copy and return what it printed when it failed, else nothing."""
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ran = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "it hangs"
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


def _copied(folder: Path) -> Path:
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    return folder


if __name__ == "__main__":
    sys.exit(main())
