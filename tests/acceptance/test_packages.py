"""The wheel and the sdist hold all that is needed, and the wheel made from the sdist is the same."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from scripts.setup import ROOT

PACKAGE = "swiftclaw_local"


def build(source: Path, target: str, into: Path) -> Path:
    """Build one package with the locked build backend and return its file."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(into)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = into.iterdir()
    return built


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, unpacked."""
    sdist = build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return source


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    files = [path for path in (ROOT / PACKAGE).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sorted({path.relative_to(ROOT).as_posix() for path in files} - contents(wheel).keys()) == []
    assert {f"{PACKAGE}/py.typed", f"{PACKAGE}/starters/express_receiver.mjs"} <= contents(wheel).keys()


def test_the_wheel_made_from_the_sdist_is_the_same(wheel: Path, unpacked: Path, tmp_path: Path) -> None:
    one, other = contents(wheel), contents(build(unpacked, "wheel", tmp_path))
    assert [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)] == []


@pytest.mark.parametrize(
    "name",
    [
        "Makefile",
        "README.md",
        "LICENSE",
        "requirements.lock",
        "requirements-frameworks.lock",
        "scripts/run.py",
        "docs/quickstart.md",
    ],
)
def test_the_sdist_holds_what_a_checkout_needs(unpacked: Path, name: str) -> None:
    assert (unpacked / name).is_file()
