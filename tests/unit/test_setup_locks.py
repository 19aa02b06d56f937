"""The lock files fit pyproject.toml, agree with each other, and name no index."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from scripts import lock
from scripts.setup import ROOT

DEVELOPMENT = "requirements-dev.lock"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("pyproject.toml", *lock.LOCKS):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))


@pytest.mark.parametrize("name", lock.LOCKS)
def test_the_lock_fits_pyproject(name: str) -> None:
    assert lock.misfits(ROOT, name) == []


@pytest.mark.parametrize("name", lock.LOCKS)
def test_the_lock_names_no_index_and_no_place_of_one_machine(name: str) -> None:
    written = (ROOT / name).read_text()
    assert re.findall(r"://|--(?:index|extra-index|find-links|trusted)\S*|\.(?:org|com|io)\b|^-[fi]\b", written) == []


def test_the_lock_for_node_fits_and_names_no_place_and_holds_a_hash_of_every_package() -> None:
    written = (ROOT / lock.NODE / "package-lock.json").read_text()
    packages = json.loads(written)["packages"]
    assert lock.node_misfits(ROOT) == []
    assert re.findall(r"://|\"resolved\"", written) == []
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []


def test_another_package_for_node_makes_its_lock_unfit(tmp_path: Path) -> None:
    shutil.copytree(ROOT / lock.NODE, tmp_path / lock.NODE, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    change(tmp_path / lock.NODE / "package.json", '"dependencies": {', '"dependencies": {\n    "made-up": "1.0.0",')
    assert lock.node_misfits(tmp_path) == [
        "tests/frameworks/package-lock.json was made for another package.json. Type: make lock"
    ]


@pytest.mark.parametrize("name", lock.LOCKS)
def test_every_pin_in_the_lock_has_a_hash(name: str) -> None:
    pins = re.findall(r"^[a-z0-9].*(?:\n .*)*", (ROOT / name).read_text(), re.MULTILINE)
    assert [pin.splitlines()[0] for pin in pins if "--hash=sha256:" not in pin] == []


def test_another_lower_bound_in_pyproject_makes_the_lock_unfit(checkout: Path) -> None:
    change(checkout / "pyproject.toml", '"click>=8.5"', '"click>=99"')
    assert lock.misfits(checkout, "requirements.lock") == [
        "requirements.lock was made for another pyproject.toml. Type: make lock",
        f"requirements.lock has click {lock.locked_versions((ROOT / 'requirements.lock').read_text())['click']}, "
        "but pyproject.toml asks for >=99. Type: make lock",
    ]


def test_a_new_development_tool_leaves_the_product_lock_fitting(checkout: Path) -> None:
    change(checkout / "pyproject.toml", "dev = [", 'dev = [\n  "made-up-tool",')
    assert lock.misfits(checkout, "requirements.lock") == []
    assert lock.misfits(checkout, DEVELOPMENT) == [
        f"{DEVELOPMENT} was made for another pyproject.toml. Type: make lock",
        f"{DEVELOPMENT} has no made-up-tool, which pyproject.toml asks for. Type: make lock",
    ]


def test_locks_that_disagree_are_found(checkout: Path) -> None:
    version = lock.locked_versions((ROOT / DEVELOPMENT).read_text())["alembic"]
    change(checkout / "requirements.lock", f"alembic=={version}", "alembic==99.0")
    assert lock.misfits(checkout, DEVELOPMENT) == [
        f"{DEVELOPMENT} does not have alembic 99.0, as requirements.lock has. Type: make lock"
    ]
