"""Make the lock files out of pyproject.toml, and check that they still fit: `make lock`, `python -m scripts.lock --check`.

The locks are universal requirements files with hashes and without any index's address, so they install everywhere and
from any mirror. Checking needs no network: it must not resolve anything.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from scripts.setup import ROOT, environment, find_uv

# what uv is told besides pyproject.toml; developers get the product's versions and more
LOCKS: Final = {
    "requirements.lock": (),
    "requirements-dev.lock": ("--group", "dev", "--constraint", "requirements.lock"),
}
HEADER: Final = "# Made by `make lock` from pyproject.toml. Do not edit. Fits: "


def main(arguments: list[str]) -> int:
    """Compile the locks (further arguments, as --upgrade, go to uv), or with --check only compare; return the exit code."""
    if "--check" not in arguments:
        for name in LOCKS:
            compile_lock(ROOT, name, arguments)
    complaints = [complaint for name in LOCKS for complaint in misfits(ROOT, name)]
    print("\n".join(complaints) or "The locks fit pyproject.toml.")
    return 1 if complaints else 0


def compile_lock(root: Path, name: str, arguments: list[str]) -> None:
    """Write one lock: what it holds already stays, unless pyproject.toml or an argument says otherwise."""
    uv = find_uv(root)
    if uv is None:
        raise SystemExit("error: make lock needs uv. Install it: python3 -m pip install --target .tools uv")
    command = [uv, "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--python-version", "3.11"]
    command += ["--no-header", "--no-emit-index-url", "--no-emit-find-links", "--output-file", name]
    subprocess.run([*command, *LOCKS[name], *arguments, "pyproject.toml"], cwd=root, env=environment(), check=True)
    lock = root / name
    lock.write_text(f"{HEADER}{wanted_digest(root, name)}\n{lock.read_text()}")


def misfits(root: Path, name: str) -> list[str]:
    """Return what is wrong with a lock, one sentence each; none when it fits pyproject.toml."""
    written = (root / name).read_text()
    pins = locked_versions(written)
    found = []
    if not written.startswith(f"{HEADER}{wanted_digest(root, name)}\n"):
        found.append(f"{name} was made for another pyproject.toml. Type: make lock")
    for package, product in locked_versions((root / "requirements.lock").read_text()).items():
        if pins.get(package) != product:
            found.append(f"{name} does not have {package} {product}, as requirements.lock has. Type: make lock")
    for requirement in map(Requirement, wanted(root, name)):
        version = pins.get(canonicalize_name(requirement.name))
        if version is None:
            found.append(f"{name} has no {requirement.name}, which pyproject.toml asks for. Type: make lock")
        elif version not in requirement.specifier:
            found.append(
                f"{name} has {requirement.name} {version}, but pyproject.toml asks for {requirement.specifier}. Type: make lock"
            )
    return found


def locked_versions(written: str) -> dict[str, Version]:
    """Return the versions that a lock's text pins, by canonical name."""
    pins: dict[str, Version] = {}
    for line in written.splitlines():
        if line[:1].isalnum():
            name, _, rest = line.partition("==")
            pins[canonicalize_name(name)] = Version(rest.split()[0])
    return pins


def wanted(root: Path, name: str) -> list[str]:
    """Return the requirements in pyproject.toml that belong to a lock."""
    project = _project(root)
    groups = project["dependency-groups"]["dev"] if LOCKS[name] else []
    return [*project["project"]["dependencies"], *groups]


def wanted_digest(root: Path, name: str) -> str:
    """Return 16 hex digits that change whenever another lock would be asked for."""
    question = [_project(root)["project"]["requires-python"], sorted(wanted(root, name))]
    return hashlib.sha256(json.dumps(question).encode()).hexdigest()[:16]


def _project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
