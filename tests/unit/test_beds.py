"""What is prepared beside .venv is prepared anew when a lock changes, and says what is missing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts import bed, browser
from scripts.bed import Bed


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    monkeypatch.setattr(bed, "ROOT", tmp_path)
    (tmp_path / "the.lock").write_text("one==1")
    folder = tmp_path / ".things"

    def install() -> None:
        if (tmp_path / "broken").exists():
            raise subprocess.CalledProcessError(1, "install")
        (folder / "proof").touch()

    return Bed(folder, ingredients=("the.lock",), proof=folder / "proof", needs="Things need luck.", install=install)


def test_a_bed_is_made_once_and_again_when_its_lock_changed(made: Bed, tmp_path: Path) -> None:
    assert (made.is_up_to_date(), made.prepare(), made.is_up_to_date()) == (False, 0, True)
    (tmp_path / "the.lock").write_text("one==2")
    assert made.is_up_to_date() is False
    assert (made.prepare(), made.is_up_to_date()) == (0, True)
    made.proof.unlink()
    assert made.is_up_to_date() is False


def test_a_bed_that_cannot_be_made_says_what_it_needs(
    made: Bed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken").touch()
    assert (made.prepare(), made.is_up_to_date()) == (1, False)
    assert "Things need luck." in capsys.readouterr().err


def test_the_browser_is_the_one_that_is_named_or_else_the_machines_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, named = tmp_path / "chromium", tmp_path / "mine"
    for path in (own, named):
        path.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(browser.SETTING, raising=False)
    assert browser.find_chromium() == str(own)
    monkeypatch.setenv(browser.SETTING, str(named))
    assert browser.find_chromium() == str(named)


def test_a_missing_browser_is_answered_with_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(browser.SETTING, raising=False)
    assert browser.main() == 1
    assert "apt-get install -y chromium" in capsys.readouterr().err
    monkeypatch.setenv(browser.SETTING, "/no")
    assert browser.main() == 1
    assert capsys.readouterr().err == 'error: CHROMIUM is "/no", which is no program.\n'
