"""Where servers that keep nothing put their data: what one leaves that was killed, the next one removes."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from swiftclaw_local.storage import ephemeral
from swiftclaw_local.storage.ephemeral import new_private_folder, remove


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of the memory's."""
    monkeypatch.setattr(ephemeral, "_MEMORY", tmp_path)
    return tmp_path


def folder_with_lock(memory: Path, written: str) -> Path:
    folder = memory / "swiftclaw-earlier"
    folder.mkdir()
    (folder / "swiftclaw.db").touch()
    (folder / "swiftclaw.db.lock").write_text(written)
    return folder


def test_it_is_new_and_private_and_goes_with_all_in_it() -> None:
    first, second = new_private_folder(), new_private_folder()
    assert (first != second, first.stat().st_mode & 0o777) == (True, 0o700)
    (first / "swiftclaw.db").touch()
    remove(first)
    assert (first.exists(), second.exists()) == (False, True)


def test_what_a_killed_server_left_is_removed(memory: Path) -> None:
    left = folder_with_lock(memory, "4711\n")
    new_private_folder()
    assert not left.exists()


def test_what_a_running_server_uses_stays(memory: Path) -> None:
    used = folder_with_lock(memory, "4711\n")
    with (used / "swiftclaw.db.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        new_private_folder()
    assert used.exists()


def test_what_a_starting_server_is_about_to_lock_stays(memory: Path) -> None:
    starting = folder_with_lock(memory, "")
    new_private_folder()
    assert starting.exists()


def test_what_is_no_servers_stays(memory: Path) -> None:
    other = memory / "swiftclaw-postgres-1"
    other.mkdir()
    new_private_folder()
    assert other.exists()


def test_what_another_user_has_stays(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = folder_with_lock(memory, "4711\n")
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    new_private_folder()
    assert foreign.exists()
