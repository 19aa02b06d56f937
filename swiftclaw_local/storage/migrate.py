"""Brings a database's tables to the version of this code: makes them, or upgrades them after keeping a copy.

Alembic is imported only when there is something to upgrade: it costs a fifth of a second at every start.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from swiftclaw_local.errors import DatabaseTooNew
from swiftclaw_local.storage.sqlite_file import APPLICATION_ID
from swiftclaw_local.storage.tables import FIRST_NUMBERS, METADATA, SCHEMA_VERSION
from swiftclaw_local.storage.views import create_statements

_SCRIPTS: Final = Path(__file__).parent / "migrations"


def revision_of(version: int) -> str:
    """Return a version as Alembic names it."""
    return f"{version:04}"


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the tables and views of a new database, in one transaction."""
    dialect = sqlite.dialect()
    connection.execute("BEGIN IMMEDIATE")
    for table in METADATA.sorted_tables:
        connection.execute(str(CreateTable(table).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(str(CreateIndex(index).compile(dialect=dialect)))
    for statement in create_statements():
        connection.execute(statement)
    connection.executemany("INSERT INTO counter (name, next) VALUES (?, ?)", FIRST_NUMBERS.items())
    connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    connection.execute("INSERT INTO alembic_version VALUES (?)", (revision_of(SCHEMA_VERSION),))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("COMMIT")


def check_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the tables. Raises: DatabaseTooNew."""
    version = int(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise DatabaseTooNew(
            f"{path} was written by a newer SwiftClaw local (tables {version}, this one knows {SCHEMA_VERSION}); it was not touched.",
            hint="Upgrade swiftclaw-local, or choose another file: --db PATH",
        )
    return version


def upgrade(connection: sqlite3.Connection, path: Path, *, version: int) -> Path:
    """Upgrade the tables from `version` and return where the copy of the database before it was kept."""
    kept = path.with_name(f"{path.name}.v{version}.bak")
    with sqlite3.connect(kept) as copy:
        connection.backup(copy)
    copy.close()
    kept.chmod(0o600)
    engine = sqlalchemy.create_engine("sqlite://", creator=lambda: connection, poolclass=sqlalchemy.StaticPool)
    with engine.connect() as handed:
        run_scripts(handed, to=revision_of(SCHEMA_VERSION))
    return kept


def run_scripts(connection: Any, *, to: str) -> None:
    """Run Alembic's scripts over an SQLAlchemy connection up to a revision."""
    from alembic import command  # noqa: PLC0415 - see the module's docstring
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
