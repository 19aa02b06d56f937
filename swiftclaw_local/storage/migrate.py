"""Brings a database's tables to the version of this code: makes them, or upgrades them after keeping a copy.

Alembic is imported only when there is something to upgrade: it costs a fifth of a second at every start.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from swiftclaw_local.errors import DamagedDatabase, DatabaseTooNew
from swiftclaw_local.storage.sqlite_file import APPLICATION_ID, make_file, sync_folder
from swiftclaw_local.storage.tables import FIRST_NUMBERS, METADATA, SCHEMA_VERSION
from swiftclaw_local.storage.views import create_statements

_SCRIPTS: Final = Path(__file__).parent / "migrations"
# As Alembic makes it, so that a new database and an upgraded one do not differ.
_VERSION: Final = sqlalchemy.Table(
    "alembic_version",
    sqlalchemy.MetaData(),
    sqlalchemy.Column("version_num", sqlalchemy.String(32), nullable=False),
    sqlalchemy.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def revision_of(version: int) -> str:
    """Return a version as Alembic names it."""
    return f"{version:04}"


def make_database(path: Path, *, key_check: bytes) -> None:
    """Make a new database at `path`: all of it or nothing, whenever the process may die.

    So it is made under another name and moved. Made in place, one that dies early would leave a file that is not known as
    ours: what marks it would be in the log file beside it only.
    """
    unfinished = path.with_name(f"{path.name}.new")
    make_file(unfinished)
    connection = sqlite3.connect(unfinished, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("BEGIN IMMEDIATE")
        create_tables(connection)
        connection.execute("INSERT INTO key_check (id, sealed) VALUES (1, ?)", (key_check,))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    finally:
        connection.close()
    os.replace(unfinished, path)
    sync_folder(path.parent)


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the tables, the views and what they begin with, within the caller's transaction."""
    dialect = sqlite.dialect()
    for table in (*METADATA.sorted_tables, _VERSION):
        connection.execute(str(CreateTable(table).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(str(CreateIndex(index).compile(dialect=dialect)))
    for statement in create_statements():
        connection.execute(statement)
    connection.executemany("INSERT INTO counter (name, next) VALUES (?, ?)", FIRST_NUMBERS.items())
    connection.execute("INSERT INTO alembic_version VALUES (?)", (revision_of(SCHEMA_VERSION),))


def check_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the tables. Raises: DatabaseTooNew, DamagedDatabase when there is none."""
    try:
        version = int(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
    except (sqlite3.DatabaseError, TypeError, ValueError):
        raise DamagedDatabase(
            f"{path} does not tell the version of its tables; it was not touched.",
            hint=f"Choose another file: --db PATH, or move {path} away.",
        ) from None
    if version > SCHEMA_VERSION:
        raise DatabaseTooNew(
            f"{path} was written by a newer SwiftClaw local (tables {version}, this one knows {SCHEMA_VERSION}); it was not touched.",
            hint="Upgrade swiftclaw-local, or choose another file: --db PATH",
        )
    return version


def upgrade(connection: sqlite3.Connection, path: Path) -> Path | None:
    """Upgrade the tables if they are older, in one transaction; return where the copy of the database before it was kept."""
    version = check_version(connection, path)
    if version == SCHEMA_VERSION:
        return None
    kept = _keep_copy(connection, path.with_name(f"{path.name}.v{version}.bak"))
    connection.execute("PRAGMA foreign_keys = OFF")  # a table that is remade is dropped for a moment
    engine = sqlalchemy.create_engine("sqlite://", creator=lambda: connection, poolclass=sqlalchemy.StaticPool)
    with engine.begin() as handed:
        handed.exec_driver_sql("BEGIN IMMEDIATE")  # the driver begins nothing of itself before a CREATE or DROP
        run_scripts(handed, to=revision_of(SCHEMA_VERSION))
        if handed.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
            raise DamagedDatabase(f"{path} holds rows without the rows they belong to; it was not upgraded.")
    connection.execute("PRAGMA foreign_keys = ON")
    return kept


def _keep_copy(connection: sqlite3.Connection, kept: Path) -> Path:
    """Copy the database: complete under its name, or not at all."""
    unfinished = kept.with_name(f"{kept.name}.new")
    make_file(unfinished)
    copy = sqlite3.connect(unfinished)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    os.replace(unfinished, kept)
    sync_folder(kept.parent)
    return kept


def run_scripts(connection: Any, *, to: str) -> None:
    """Run Alembic's scripts over an SQLAlchemy connection up to a revision."""
    from alembic import command  # noqa: PLC0415 - see the module's docstring
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
