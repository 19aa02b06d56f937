"""The wheel and the sdist hold all that is needed, and the wheel made from the sdist is the same."""

from __future__ import annotations

import os
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
        "requirements-browser.lock",
        "scripts/run.py",
        "docs/quickstart.md",
        "examples/ci.sh",
    ],
)
def test_the_sdist_holds_what_a_checkout_needs(unpacked: Path, name: str) -> None:
    assert (unpacked / name).is_file()


def test_pytest_finds_the_plugin_of_an_installed_wheel_and_warns_of_nothing(wheel: Path, tmp_path: Path) -> None:
    """As installed, pytest rewrites our modules, which it does not in a checkout."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")  # noqa: S202 - a wheel of our own
    (tmp_path / "test_it.py").write_text(
        "def test_it(swiftclaw, swiftclaw_receiver):\n"
        "    import swiftclaw_local\n"
        f"    assert swiftclaw_local.__file__.startswith({str(tmp_path)!r})\n"
        "    swiftclaw.webhook(swiftclaw_receiver.url)\n"
        "    swiftclaw.emit('agent.failed').assert_delivered(sends=1)\n"
    )
    alone = ("-p", "no:schemathesis", "-p", "no:asyncio", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-W", "error", *alone, "test_it.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, "1 passed" in ran.stdout, "warning" in ran.stdout) == (0, True, False), (
        ran.stdout + ran.stderr
    )
