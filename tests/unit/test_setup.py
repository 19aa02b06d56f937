"""What `make` does before anything else: choose a Python, make .venv, and leave it alone while nothing changed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scripts import setup


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that has the ingredients and a .venv whose Python runs."""
    for name in setup.INGREDIENTS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"contents of {name}")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / ".venv" / "stamp").write_text(setup.fingerprint(tmp_path))
    return tmp_path


def fake_python(folder: Path, name: str, version: str) -> Path:
    """Write a program that answers as an interpreter of this version does."""
    folder.mkdir(exist_ok=True)
    python = folder / name
    python.write_text(f"#!/bin/sh\necho '{version}'\necho '{python}'\n")
    python.chmod(0o755)
    return python


def only_these_pythons(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> str:
    """Return a PATH of these folders; the Python that runs the tests does not count."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    return os.pathsep.join(map(str, folders))


def test_a_venv_made_from_the_same_ingredients_is_up_to_date(checkout: Path) -> None:
    assert setup.is_up_to_date(checkout)


@pytest.mark.parametrize("ingredient", setup.INGREDIENTS)
def test_a_changed_ingredient_makes_the_venv_out_of_date(checkout: Path, ingredient: str) -> None:
    (checkout / ingredient).write_text("changed")
    assert not setup.is_up_to_date(checkout)


def test_a_checkout_that_was_moved_makes_the_venv_out_of_date(checkout: Path) -> None:
    moved = checkout.rename(checkout.with_name("moved"))
    assert not setup.is_up_to_date(moved)


def test_a_venv_whose_python_is_gone_is_out_of_date(checkout: Path) -> None:
    (checkout / ".venv" / "bin" / "python").unlink()
    assert not setup.is_up_to_date(checkout)


def test_the_newest_suitable_python_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_python(tmp_path / "a", "python3", "3 11")
    newest = fake_python(tmp_path / "b", "python3.13", "3 13")
    fake_python(tmp_path / "c", "python3", "3 14")
    path = only_these_pythons(monkeypatch, tmp_path / "a", tmp_path / "b", tmp_path / "c")
    assert newest == setup.newest_python(path)


def test_a_python_that_does_not_run_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = fake_python(tmp_path / "shims", "python3.12", "3 12")
    broken.write_text("#!/bin/sh\nexit 127\n")
    works = fake_python(tmp_path / "bin", "python3.12", "3 12")
    assert works == setup.newest_python(only_these_pythons(monkeypatch, tmp_path / "shims", tmp_path / "bin"))


def test_without_a_suitable_python_one_sentence_says_what_was_found_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_python(tmp_path / "old", "python3", "3 9")
    with pytest.raises(setup.CannotSetUp) as raised:
        setup.newest_python(only_these_pythons(monkeypatch, tmp_path / "old"))
    assert str(raised.value) == (
        "SwiftClaw local needs Python 3.11 to 3.13; on this PATH: 3.9. "
        "Install one (Debian, Ubuntu: apt install python3 python3-venv), then type the same again."
    )


def test_a_python_inside_a_venv_answers_with_the_one_it_was_made_from(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    answer = setup._ask(tmp_path / "venv" / "bin" / "python")
    assert answer is not None
    assert not answer[1].is_relative_to(tmp_path)


def test_the_ways_are_tried_in_turn_and_the_first_that_works_is_kept(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def fails(root: Path, python: Path) -> None:
        tried.append("fails")
        raise subprocess.CalledProcessError(1, "uv")

    def works(root: Path, python: Path) -> None:
        tried.append("works")

    monkeypatch.setattr(setup, "ways", lambda root: {"first": fails, "second": works, "third": fails})
    (checkout / ".venv" / "stamp").unlink()
    setup.prepare(checkout)
    assert tried == ["fails", "works"]
    assert setup.is_up_to_date(checkout)


def test_when_no_way_works_one_sentence_says_what_to_install(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(root: Path, python: Path) -> None:
        raise OSError("no pip")

    monkeypatch.setattr(setup, "ways", lambda root: {"only": fails})
    (checkout / ".venv" / "stamp").unlink()
    with pytest.raises(setup.CannotSetUp, match="apt install python3-pip python3-venv"):
        setup.prepare(checkout)
    assert not setup.is_up_to_date(checkout)


def test_uv_comes_first_where_it_is_installed_and_is_fetched_where_not(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_python(tmp_path / "bin", "uv", "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert list(setup.ways(checkout)) == ["uv", "a uv of our own", "venv and pip"]
    monkeypatch.setenv("PATH", "/nowhere")
    assert list(setup.ways(checkout)) == ["a uv of our own", "venv and pip"]


def test_no_other_virtual_environment_and_no_download_of_pythons_reaches_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "true")
    seen = setup.environment()
    assert "VIRTUAL_ENV" not in seen
    assert (seen["UV_PYTHON_DOWNLOADS"], seen["UV_SYSTEM_CERTS"], seen["PIP_REQUIRE_VIRTUALENV"]) == ("never", "1", "0")


def test_the_pythons_looked_for_are_those_of_pyproject() -> None:
    written = tomllib.loads((setup.ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert f">={setup.OLDEST[0]}.{setup.OLDEST[1]},<{setup.NEWEST[0]}.{setup.NEWEST[1] + 1}" == written


def test_the_script_needs_nothing_but_the_standard_library() -> None:
    tree = ast.parse(Path(setup.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names
