"""Opening a SQLite file: ours is taken for one process; anything else is refused and stays as it was."""

# Blocking calls are fine here: nothing else runs on a test's loop.
# ruff: noqa: ASYNC220, ASYNC221, ASYNC240

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from swiftclaw_local.errors import DamagedDatabase, DatabaseInUse, ForeignDatabase, SetupError, SwiftclawError, WrongKey
from swiftclaw_local.ids import IdFactory
from swiftclaw_local.storage import sqlite_file
from swiftclaw_local.storage.sqlite import KEY_FILE, SqliteStore
from swiftclaw_local.storage.sqlite_file import APPLICATION_ID, Checkpoints
from tests.storage.values import webhook

SECRET = "scsec_opening"


def store(path: Path, *, key: bytes | None = None) -> SqliteStore:
    return SqliteStore(path, ids=IdFactory(1), key=key)


async def refused(path: Path, why: type[SwiftclawError], *, key: bytes | None = None) -> SwiftclawError:
    """Open, expect a refusal, and check that neither the file nor its log changed."""
    files = [path, path.with_name(f"{path.name}-wal"), path.with_name(KEY_FILE)]
    before = [file.read_bytes() if file.exists() else None for file in files]
    with pytest.raises(why) as caught:
        await store(path, key=key).open()
    assert before == [file.read_bytes() if file.exists() else None for file in files]
    return caught.value


@pytest.fixture
async def kept(tmp_path: Path) -> Path:
    """A database of ours with a webhook in it, closed."""
    path = tmp_path / "data" / "swiftclaw.db"
    opened = store(path)
    await opened.open()
    await opened.add_webhook(webhook(), secret=SECRET)
    await opened.close()
    return path


async def test_what_was_written_is_there_when_opened_again(kept: Path) -> None:
    again = store(kept)
    await again.open()
    assert await again.secret_of("webhook-123") == SECRET
    await again.close()


async def test_closing_before_opening_and_closing_twice_does_nothing(tmp_path: Path) -> None:
    never = store(tmp_path / "never.db")
    await never.close()
    await never.open()
    await never.close()
    await never.close()


async def test_a_store_can_be_opened_again_after_it_was_closed(kept: Path) -> None:
    opened = store(kept)
    for _ in range(2):
        await opened.open()
        assert await opened.secret_of("webhook-123") == SECRET
        await opened.close()


async def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    opened = store(path)
    await opened.open()
    await opened.close()
    assert int.from_bytes(path.read_bytes()[68:72]) == APPLICATION_ID


async def test_a_text_file_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("Remember the milk.\n" * 1000)
    error = await refused(path, ForeignDatabase)
    assert error.message == f"{path} is not a SQLite database; it was not touched."


async def test_a_database_of_another_program_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE contacts (name TEXT)")
    error = await refused(path, ForeignDatabase)
    assert error.message == f"{path} is a database of another program; it was not touched."


@pytest.mark.parametrize("where", [4096 * 3, -4096 * 2], ids=["near the beginning", "near the end"])
async def test_a_damaged_file_is_refused_untouched(kept: Path, where: int) -> None:
    whole = bytearray(kept.read_bytes())
    at = where % len(whole)
    whole[at : at + 4096] = b"\x5a" * 4096
    kept.write_bytes(whole)
    error = await refused(kept, DamagedDatabase)
    assert "is damaged" in error.message


@pytest.mark.parametrize("small", [True, False])
async def test_a_file_cut_short_is_refused_untouched(kept: Path, small: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not small:
        monkeypatch.setattr(sqlite_file, "CHECKED_WHOLE_BYTES", 0)
    kept.write_bytes(kept.read_bytes()[: 4096 * 5])
    await refused(kept, DamagedDatabase)


async def test_a_database_used_by_another_process_is_refused_with_its_pid(kept: Path) -> None:
    code = (
        "import asyncio, pathlib, sys; from swiftclaw_local.storage.sqlite import SqliteStore; from swiftclaw_local.ids import IdFactory\n"
        f"s = SqliteStore(pathlib.Path({str(kept)!r}), ids=IdFactory())\n"
        "asyncio.run(s.open()); print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        error = await refused(kept, DatabaseInUse)
        other.communicate()
    assert error.extra == {"pid": str(other.pid)}
    assert error.message == f"Another SwiftClaw local (pid {other.pid}) uses {kept}."


async def test_a_database_is_free_again_when_its_process_was_killed(kept: Path) -> None:
    code = (
        "import asyncio, os, pathlib; from swiftclaw_local.storage.sqlite import SqliteStore; from swiftclaw_local.ids import IdFactory\n"
        f"asyncio.run(SqliteStore(pathlib.Path({str(kept)!r}), ids=IdFactory()).open()); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    again = store(kept)
    await again.open()
    await again.close()


async def test_two_stores_of_one_process_do_not_share_a_file(kept: Path) -> None:
    first = store(kept)
    await first.open()
    with pytest.raises(DatabaseInUse):
        await store(kept).open()
    await first.close()


async def test_another_key_is_refused(kept: Path) -> None:
    error = await refused(kept, WrongKey, key=b"k" * 32)
    assert error.message == "The key does not open the secrets in this database."


async def test_a_missing_key_is_refused_and_no_new_one_is_made(kept: Path) -> None:
    kept.with_name(KEY_FILE).unlink()
    error = await refused(kept, WrongKey)
    assert "is missing" in error.message


async def test_a_key_file_that_holds_no_key_is_refused(kept: Path) -> None:
    kept.with_name(KEY_FILE).write_text("not hex\n")
    error = await refused(kept, WrongKey)
    assert error.message == f"The key file {kept.with_name(KEY_FILE)} does not hold a key."


async def test_folder_and_files_are_the_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        path = tmp_path / "data" / "swiftclaw.db"
        opened = store(path)
        await opened.open()
        await opened.add_webhook(webhook(), secret=SECRET)
    finally:
        os.umask(before)
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir() if file.name != ".gitignore"}
    names = [path.name + suffix for suffix in ("", "-wal", "-shm", ".lock")]
    assert modes == dict.fromkeys([*names, KEY_FILE], 0o600)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    await opened.close()


async def test_a_folder_made_for_the_data_is_kept_out_of_git(kept: Path) -> None:
    assert (kept.parent / ".gitignore").read_text() == "*\n"


async def test_a_place_that_cannot_be_written_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="cannot be made: Not a directory"):
        await store(tmp_path / "file" / "deeper" / "swiftclaw.db").open()


async def test_a_directory_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "swiftclaw.db"
    path.mkdir()
    with pytest.raises(SetupError, match="cannot be opened: Is a directory"):
        await store(path).open()


async def test_closing_writes_the_log_over_into_the_file(kept: Path) -> None:
    again = store(kept)
    await again.open()
    await again.add_webhook(webhook(), secret=SECRET)
    assert kept.with_name(kept.name + "-wal").stat().st_size > 0
    await again.close()
    assert not kept.with_name(kept.name + "-wal").exists()


def test_checkpoints_end_although_nothing_was_written(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "any.db")
    checkpoints.start()
    checkpoints.stop()
