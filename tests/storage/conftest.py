"""Every database in turn, with an open store on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from swiftclaw_local.storage.reads import Reads
from tests.storage.databases import DATABASES, Database, PostgresDatabase, ReadableStore


@pytest.fixture(params=list(DATABASES.values()), ids=list(DATABASES))
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    kind: type[Database] = request.param
    if kind is PostgresDatabase:
        PostgresDatabase.server = request.getfixturevalue("postgres")
    return kind(tmp_path)


@pytest_asyncio.fixture
async def store(database: Database) -> AsyncIterator[ReadableStore]:
    opened = database.store()
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def reads(store: ReadableStore) -> Reads:
    return store.reads()
