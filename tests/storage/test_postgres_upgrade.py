"""An older PostgreSQL database is upgraded by whoever opens it first, in one transaction: as a whole or not at all."""

# Blocking calls are fine here: nothing else runs on a test's loop.
# ruff: noqa: ASYNC240

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from swiftclaw_local.storage import migrate, postgres_schema
from swiftclaw_local.storage.migrate import revision_of
from swiftclaw_local.storage.tables import SCHEMA_VERSION
from tests.postgres_server import PostgresServer
from tests.storage.databases import PostgresDatabase
from tests.storage.values import webhook

OLD, NEW = revision_of(SCHEMA_VERSION), revision_of(SCHEMA_VERSION + 1)
NEXT = f"""
from alembic import op
import sqlalchemy as sa

revision = "{NEW}"
down_revision = "{OLD}"

def upgrade() -> None:
    op.add_column("webhook", sa.Column("colour", sa.String(), nullable=True))
    op.execute("UPDATE webhook SET colour = 'blue'")
"""  # noqa: S608 - our own words
COLOURED = (
    "SELECT count(*) FROM information_schema.columns WHERE table_schema = current_schema() AND column_name = 'colour'"
)
VERSION = "SELECT version_num FROM alembic_version"


@pytest.fixture
async def older(postgres: PostgresServer, tmp_path: Path) -> PostgresDatabase:
    """A database of the present version with a webhook in it."""
    PostgresDatabase.server = postgres
    database = PostgresDatabase(tmp_path)
    store = database.store()
    await store.open()
    await store.add_webhook(webhook(), secret="s")
    await store.close()
    return database


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A code that is one version ahead; returns the script that leads there, to be written."""
    scripts = tmp_path / "next" / "migrations"
    shutil.copytree(Path(migrate.__file__).parent / "migrations", scripts)
    monkeypatch.setattr(migrate, "_SCRIPTS", scripts)
    monkeypatch.setattr(postgres_schema, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    return scripts / "versions" / f"{NEW}_colour.py"


async def test_an_older_database_is_upgraded_once_by_many_that_open_it_together(
    older: PostgresDatabase, next_version: Path
) -> None:
    next_version.write_text(NEXT)
    stores = [older.store() for _ in range(3)]
    await asyncio.gather(*(store.open() for store in stores))
    assert await stores[2].secret_of("webhook-123") == "s"
    await asyncio.gather(*(store.close() for store in stores))
    assert older.rows("SELECT id, colour FROM webhook") == [("webhook-123", "blue")]
    assert older.rows(VERSION) == [(NEW,)]


async def test_an_upgrade_that_fails_in_the_middle_changes_nothing(older: PostgresDatabase, next_version: Path) -> None:
    next_version.write_text(NEXT + "    raise RuntimeError('half way')\n")
    with pytest.raises(RuntimeError, match="half way"):
        await older.store().open()
    assert (older.rows(COLOURED), older.rows(VERSION)) == ([(0,)], [(OLD,)])
