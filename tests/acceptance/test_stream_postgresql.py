"""The event stream where several dispatchers share a database: what any of them writes down is told by all, and at once."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from swiftclaw_local.platform import platform
from swiftclaw_local.server import stream as hub
from swiftclaw_local.settings import DatabaseUrl, Settings
from tests.acceptance.api import Api
from tests.acceptance.conftest import OpenApi
from tests.acceptance.streaming import attempts_told, streaming
from tests.postgres_server import PostgresServer

NewApi = Callable[[], Awaitable[Api]]


@pytest.fixture
def url(postgres: PostgresServer, request: pytest.FixtureRequest) -> str:
    name = f"stream_{os.getpid()}_{abs(hash(request.node.name)) % 10**9}"
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return postgres.url(name)


@pytest.fixture
def new_api(open_api: OpenApi, url: str, monkeypatch: pytest.MonkeyPatch) -> NewApi:
    """Start a server on the same database, one more with every call; each with the same key."""
    monkeypatch.setenv("SWIFTCLAW_KEY", "5" * 64)
    return lambda: open_api(Settings(db=DatabaseUrl(url)))


async def test_what_another_dispatcher_sends_is_told_at_once(new_api: NewApi, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((hub, "UNASKED_S"), (platform, "HEARTBEAT_S")):
        monkeypatch.setattr(module, name, 60)  # nothing is seen but by being told to look
    here, there = await new_api(), await new_api()
    await here.webhook()
    there.receiver.respond(500)
    async with streaming(here, "?types=attempt") as reading:
        await reading.next("open")
        deliveries = [await there.emitted() for _ in range(5)]
        told = await attempts_told(reading, 5)
    assert {one["delivery"] for one in told} == {delivery["id"] for delivery in deliveries}


async def test_what_is_committed_late_is_told_all_the_same(new_api: NewApi, url: str) -> None:
    api = await new_api()
    await api.webhook()
    async with streaming(api, "?types=attempt") as reading, await psycopg.AsyncConnection.connect(url) as other:
        await reading.next("open")
        await api.emitted()
        first = await reading.next("attempt")
        # another dispatcher has taken the next number, and is slow to commit
        taken = await other.execute("SELECT nextval(pg_get_serial_sequence('attempt', 'seq'))")
        (number,) = await taken.fetchone() or (0,)
        await api.emitted()
        second = await reading.next("attempt")
        await other.execute("CREATE TEMP TABLE late AS SELECT * FROM attempt LIMIT 1")
        await other.execute("UPDATE late SET seq = %s, id = 'att_late', lease_token = 99", (number,))
        await other.execute("INSERT INTO attempt SELECT * FROM late")
        await other.commit()
        late = await reading.next("attempt")
        third = await api.emitted()
        after = await reading.next("attempt")
    assert (late["attempt"], after["delivery"]) == ("att_late", third["id"])
    # until the late one was there, the position stayed before it, so that who came back would not have missed it
    positions = [int(one["id"].partition("-")[0]) - number for one in (first, second, late, after)]
    assert positions == [-1, -1, 0, 2]
