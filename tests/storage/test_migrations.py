"""The scripts make what the tables say; an upgrade keeps a copy, and happens as a whole or not at all."""

# Blocking calls are fine here: nothing else runs on a test's loop.
# ruff: noqa: ASYNC221, ASYNC240

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from swiftclaw_local.errors import DatabaseTooNew
from swiftclaw_local.ids import IdFactory
from swiftclaw_local.storage import migrate
from swiftclaw_local.storage.migrate import make_database, revision_of, run_scripts
from swiftclaw_local.storage.sqlite import SqliteStore
from swiftclaw_local.storage.tables import METADATA, SCHEMA_VERSION

KEY = bytes(32)
ROOT = Path(__file__).parents[2]
OLD, NEW = revision_of(SCHEMA_VERSION), revision_of(SCHEMA_VERSION + 1)
ADD_COLUMN = f"""
from alembic import op
import sqlalchemy as sa

revision = "{NEW}"
down_revision = "{OLD}"

def upgrade() -> None:
    op.add_column("webhook", sa.Column("colour", sa.String(), nullable=True))
    op.execute("UPDATE webhook SET colour = 'blue'")
    with op.batch_alter_table("delivery") as batch:
        batch.add_column(sa.Column("weight", sa.Integer(), nullable=True))
"""  # noqa: S608 - our own words

FIRST_ROWS = (
    "INSERT INTO webhook VALUES ('webhook-123', 'a', 'http://localhost/', '[]', x'00', '', 1, '2026-01-01', NULL)",
    "INSERT INTO event VALUES (1, 'evt_1', 'agent.failed', 'a', '2026-01-01', '2026-01-01', x'7b7d')",
    "INSERT INTO delivery (id, event_id, event_type, agent, webhook_id, state, trigger, scheduled, body_size, created_at, due_at,"
    " attempts, retries_used, interruptions, lease_token) VALUES ('dlv_1', 'evt_1', 'agent.failed', 'a', 'webhook-123', 'pending',"
    " 'event', 1, 2, '2026-01-01', '2026-01-01', 1, 1, 0, 1)",
    "INSERT INTO attempt VALUES (1, 'att_1', 'dlv_1', 1, 1, 0, 'a', 'webhook-123', 'evt_1', 'event', 'retry', 1, '2026-01-01',"
    " '2026-01-01', '2026-01-01', 5, 'http://localhost/', x'', '', 500, NULL, NULL, NULL, NULL, NULL, NULL)",
)


def schema(path: Path) -> set[tuple[str, str, str | None]]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    return {(kind, name, sql and " ".join(sql.split())) for kind, name, sql in rows}


def described(path: Path) -> set[tuple[str, str, tuple[str, ...]]]:
    """Return the schema without regard to where in a table's text a column stands: one that was added comes after the keys."""
    return {
        (kind, name, tuple(sorted(_parts(sql))) if kind == "table" else (sql or "",))
        for kind, name, sql in schema(path)
    }


def _parts(sql: str | None) -> list[str]:
    """Return the columns and constraints of a CREATE TABLE."""
    parts, depth = [""], 0
    for character in (sql or "").partition("(")[2].rpartition(")")[0]:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def columns(path: Path) -> list[tuple[object, ...]]:
    return rows(path, "SELECT m.name, c.cid, c.name FROM sqlite_master m, pragma_table_info(m.name) c ORDER BY 1, 2")


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def store(path: Path) -> SqliteStore:
    return SqliteStore(path, ids=IdFactory(1), key=KEY)


@pytest.fixture
def migrated(tmp_path: Path) -> Path:
    """A database made by the scripts alone."""
    path = tmp_path / "migrated.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        run_scripts(connection, to=revision_of(SCHEMA_VERSION))
    engine.dispose()
    return path


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A code that is one version ahead; returns the script that leads there, to be written."""
    scripts = tmp_path / "100% new" / "migrations"
    shutil.copytree(Path(migrate.__file__).parent / "migrations", scripts)
    monkeypatch.setattr(migrate, "_SCRIPTS", scripts)
    monkeypatch.setattr(migrate, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    return scripts / "versions" / f"{NEW}_colour.py"


@pytest.fixture
async def older(tmp_path: Path) -> Path:
    """A database of the present version with a webhook in it."""
    path = tmp_path / "swiftclaw.db"
    opened = store(path)
    await opened.open()
    await opened.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO webhook VALUES ('webhook-123', 'a', 'http://localhost/', '[]', x'00', '', 1, '2026-01-01', NULL)"
        )
    return path


def test_the_scripts_make_the_same_schema_as_the_tables(tmp_path: Path, migrated: Path) -> None:
    made = tmp_path / "made.db"
    make_database(made, key_check=b"")
    assert described(made) == described(migrated)
    assert columns(made) == columns(migrated)


def test_the_scripts_begin_with_the_same_numbers_as_the_tables(tmp_path: Path, migrated: Path) -> None:
    made = tmp_path / "made.db"
    make_database(made, key_check=b"")
    for sql in ("SELECT * FROM counter ORDER BY name", "SELECT * FROM alembic_version"):
        assert rows(made, sql) == rows(migrated, sql)


def test_alembic_sees_no_difference_between_the_scripts_and_the_tables(migrated: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_a_start_without_an_upgrade_does_not_import_alembic(older: Path) -> None:
    code = (
        "import asyncio, sys, pathlib; from swiftclaw_local.storage.sqlite import SqliteStore; from swiftclaw_local.ids import IdFactory\n"
        f"s = SqliteStore(pathlib.Path({str(older)!r}), ids=IdFactory(), key=bytes(32))\n"
        "async def run(): await s.open(); await s.close()\n"
        "asyncio.run(run()); print('alembic' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


def test_the_scripts_run_from_an_installed_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    installed = tmp_path / "site-packages"
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(installed)
    code = (
        "import sqlalchemy; from swiftclaw_local.storage import migrate\n"
        "engine = sqlalchemy.create_engine('sqlite:///migrated.db')\n"
        "with engine.begin() as c: migrate.run_scripts(c, to='head')\n"
        "print(migrate.__file__)"
    )
    environment = os.environ | {"PYTHONPATH": str(installed)}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    assert ran.stdout.startswith(str(installed))
    make_database(tmp_path / "made.db", key_check=b"")
    assert described(tmp_path / "migrated.db") == described(tmp_path / "made.db")


async def test_an_older_database_is_upgraded_after_a_copy_was_kept(older: Path, next_version: Path) -> None:
    next_version.write_text(ADD_COLUMN)
    before = schema(older)
    opened = store(older)
    await opened.open()
    assert (await opened.reads().webhook("webhook-123")).agent == "a"
    await opened.close()
    kept = older.with_name(f"swiftclaw.db.v{SCHEMA_VERSION}.bak")
    assert rows(older, "SELECT id, colour FROM webhook") == [("webhook-123", "blue")]
    assert rows(older, "SELECT version_num FROM alembic_version") == [(NEW,)]
    assert schema(kept) == before
    assert rows(kept, "SELECT id FROM webhook") == [("webhook-123",)]
    assert kept.stat().st_mode & 0o777 == 0o600


async def test_an_upgraded_database_is_not_upgraded_again(older: Path, next_version: Path) -> None:
    next_version.write_text(ADD_COLUMN)
    for _ in range(2):
        opened = store(older)
        await opened.open()
        await opened.close()
    assert rows(older, "SELECT version_num FROM alembic_version") == [(NEW,)]


async def test_an_upgrade_that_fails_in_the_middle_changes_nothing(older: Path, next_version: Path) -> None:
    next_version.write_text(ADD_COLUMN + "    raise RuntimeError('half way')\n")
    before = schema(older)
    with pytest.raises(RuntimeError, match="half way"):
        await store(older).open()
    assert schema(older) == before
    assert rows(older, "SELECT version_num FROM alembic_version") == [(OLD,)]


def test_an_upgrade_killed_in_the_middle_changes_nothing(older: Path, next_version: Path) -> None:
    next_version.write_text(ADD_COLUMN + f"    import os\n    os.kill(os.getpid(), {signal.SIGKILL})\n")
    before = schema(older)
    code = (
        "import asyncio, pathlib; from swiftclaw_local.storage import migrate\n"
        f"migrate._SCRIPTS = pathlib.Path({str(next_version.parent.parent)!r}); migrate.SCHEMA_VERSION = {SCHEMA_VERSION + 1}\n"
        "from swiftclaw_local.storage.sqlite import SqliteStore; from swiftclaw_local.ids import IdFactory\n"
        f"asyncio.run(SqliteStore(pathlib.Path({str(older)!r}), ids=IdFactory(), key=bytes(32)).open())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ran.returncode == -signal.SIGKILL
    assert schema(older) == before
    assert rows(older, "SELECT version_num FROM alembic_version") == [(OLD,)]


async def test_a_newer_database_is_refused_and_not_touched(older: Path) -> None:
    with closing(sqlite3.connect(older)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")
    before = (older.read_bytes(), sorted(os.listdir(older.parent)))
    with pytest.raises(DatabaseTooNew, match=f"tables 99, this one knows {SCHEMA_VERSION}"):
        await store(older).open()
    assert before == (older.read_bytes(), sorted(os.listdir(older.parent)))


async def test_a_new_database_that_could_not_be_made_leaves_nothing_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "swiftclaw.db"
    with monkeypatch.context() as broken:
        broken.setattr(migrate, "create_statements", lambda: ["CREATE NONSENSE"])
        with pytest.raises(sqlite3.OperationalError):
            await store(path).open()
    assert not path.exists()
    again = store(path)
    await again.open()
    await again.close()


async def test_a_new_database_killed_at_once_is_still_known_as_ours(tmp_path: Path) -> None:
    path = tmp_path / "swiftclaw.db"
    code = (
        "import asyncio, os, pathlib; from swiftclaw_local.storage.sqlite import SqliteStore; from swiftclaw_local.ids import IdFactory\n"
        f"asyncio.run(SqliteStore(pathlib.Path({str(path)!r}), ids=IdFactory(), key=bytes(32)).open())\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    again = store(path)
    await again.open()
    assert await again.reads().counts() == {"webhooks": 0, "events": 0, "attempts": 0}
    await again.close()


async def test_the_log_of_a_first_version_is_kept_and_tells_of_no_faults(tmp_path: Path) -> None:
    path = tmp_path / "first.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        run_scripts(connection, to="0001")
        for statement in FIRST_ROWS:
            connection.exec_driver_sql(statement)
        run_scripts(connection, to=revision_of(SCHEMA_VERSION))
    engine.dispose()
    assert rows(path, "SELECT attempt_id, status, fault FROM delivery_log") == [("att_1", 500, None)]
