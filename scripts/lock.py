"""Make the lock files out of pyproject.toml, and check that they still fit: `make lock`, `python -m scripts.lock --check`.

The locks are universal requirements files with hashes and without any index's address, so they install everywhere and
from any mirror. Checking needs no network: it must not resolve anything.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from scripts.setup import ROOT, environment, find_uv


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a lock holds: the product's dependencies, a group of pyproject.toml, or both."""

    product: bool = True
    group: str | None = None


PRODUCT: Final = "requirements.lock"
LOCKS: Final = {
    PRODUCT: Wanted(),
    "requirements-dev.lock": Wanted(group="dev"),
    # in an environment of its own: a receiver never sees our code, so the versions need not be the product's
    "requirements-frameworks.lock": Wanted(product=False, group="frameworks"),
    # in a folder of its own, behind what developers have
    "requirements-browser.lock": Wanted(product=False, group="browser"),
}
# a package.json, with its lock beside it: what npm installs for the same environment
NODE: Final = Path("tests/frameworks")
HEADER: Final = "# Made by `make lock` from pyproject.toml. Do not edit. Fits: "


def main(arguments: list[str]) -> int:
    """Compile the locks (further arguments, as --upgrade, go to uv), or with --check only compare; return the exit code."""
    if "--check" not in arguments:
        for name in LOCKS:
            compile_lock(ROOT, name, arguments)
        compile_node_lock(ROOT, arguments)
    complaints = [complaint for name in LOCKS for complaint in misfits(ROOT, name)] + node_misfits(ROOT)
    print("\n".join(complaints) or "The locks fit pyproject.toml.")
    return 1 if complaints else 0


def compile_lock(root: Path, name: str, arguments: list[str]) -> None:
    """Write one lock: what it holds already stays, unless pyproject.toml or an argument says otherwise."""
    uv = find_uv(root)
    if uv is None:
        raise SystemExit("error: make lock needs uv. Install it: python3 -m pip install --target .tools uv")
    command = [uv, "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--python-version", "3.11"]
    command += ["--no-header", "--no-emit-index-url", "--no-emit-find-links", "--output-file", name]
    subprocess.run([*command, *_sources(name), *arguments], cwd=root, env=environment(), check=True)
    lock = root / name
    lock.write_text(f"{HEADER}{wanted_digest(root, name)}\n{lock.read_text()}")


def _sources(name: str) -> list[str]:
    """Return what tells uv what a lock holds; developers get the product's versions and more."""
    wanted = LOCKS[name]
    group = [] if wanted.group is None else ["--group", wanted.group]
    if not wanted.product:
        return group
    return [*group, *([] if name == PRODUCT else ["--constraint", PRODUCT]), "pyproject.toml"]


def compile_node_lock(root: Path, arguments: list[str]) -> None:
    """Write the lock of the Node packages, without the addresses that npm adds to it."""
    if shutil.which("npm") is None:
        raise SystemExit(
            "error: make lock needs npm. Install it (Debian, Ubuntu: apt install npm), then type: make lock"
        )
    lock = root / NODE / "package-lock.json"
    if "--upgrade" in arguments:
        lock.unlink(missing_ok=True)
    quiet = ("--no-audit", "--no-fund", "--loglevel=error")
    subprocess.run(["npm", "install", "--package-lock-only", "--ignore-scripts", *quiet], cwd=root / NODE, check=True)
    written = json.loads(lock.read_text())
    for package in written["packages"].values():
        package.pop("resolved", None)
        package.pop("funding", None)
    lock.write_text(json.dumps(written, indent=2) + "\n")


def node_misfits(root: Path) -> list[str]:
    """Return what is wrong with the lock of the Node packages, one sentence each."""
    asked = json.loads((root / NODE / "package.json").read_text())["dependencies"]
    locked = json.loads((root / NODE / "package-lock.json").read_text())["packages"][""]["dependencies"]
    return [] if asked == locked else [f"{NODE}/package-lock.json was made for another package.json. Type: make lock"]


def misfits(root: Path, name: str) -> list[str]:
    """Return what is wrong with a lock, one sentence each; none when it fits pyproject.toml."""
    written = (root / name).read_text()
    pins = locked_versions(written)
    found = []
    if not written.startswith(f"{HEADER}{wanted_digest(root, name)}\n"):
        found.append(f"{name} was made for another pyproject.toml. Type: make lock")
    shared = locked_versions((root / PRODUCT).read_text()) if LOCKS[name].product else {}
    for package, product in shared.items():
        if pins.get(package) != product:
            found.append(f"{name} does not have {package} {product}, as {PRODUCT} has. Type: make lock")
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
    project, asked = _project(root), LOCKS[name]
    product = project["project"]["dependencies"] if asked.product else []
    return [*product, *(project["dependency-groups"][asked.group] if asked.group else [])]


def wanted_digest(root: Path, name: str) -> str:
    """Return 16 hex digits that change whenever another lock would be asked for."""
    question = [_project(root)["project"]["requires-python"], sorted(wanted(root, name))]
    return hashlib.sha256(json.dumps(question).encode()).hexdigest()[:16]


def _project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
