"""The API in this process, with a manual clock and a scripted receiver unless a test asks for something else.

And for the commands: a server in a child process, and a receiver as the page describes one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from swiftclaw_local.platform import Platform
from swiftclaw_local.server.app import make_app
from swiftclaw_local.settings import Settings
from tests.acceptance.api import Api
from tests.acceptance.running import SECRET, PageReceiver, RunningServer, receiving, serving
from tests.engine.scripted import ScriptedReceiver

OpenApi = Callable[[Settings], Awaitable[Api]]


@pytest_asyncio.fixture
async def open_api() -> AsyncIterator[OpenApi]:
    """Start APIs with any settings; all are stopped at the end."""
    running: list[Api] = []

    async def start(settings: Settings) -> Api:
        receiver = ScriptedReceiver()
        platform = await Platform.open(settings, sender=receiver)
        await platform.start()
        server = TestServer(make_app(platform))
        await server.start_server(auto_decompress=False)
        running.append(Api(TestClient(server), platform, receiver))
        return running[-1]

    yield start
    for api in running:
        api.receiver.release()
        await api.client.close()
        await api.platform.stop()


@pytest_asyncio.fixture
async def api(open_api: OpenApi) -> Api:
    return await open_api(Settings(ephemeral=True, clock="manual", seed=7))


@pytest.fixture(scope="session")
def started_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server in memory, with a manual clock and a seed: started once, as a start takes a second."""
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, "--ephemeral", "--clock", "manual", "--seed", "1", "--secret", SECRET) as server:
        yield server


@pytest.fixture
def server(started_server: RunningServer, tmp_path: Path) -> RunningServer:
    """The server as after its start; its commands stand in the test's own folder."""
    assert started_server.api("POST", "/_local/reset", {"seed": 1})[0] == 204
    return replace(started_server, folder=tmp_path)


@pytest.fixture
def receiver() -> Iterator[PageReceiver]:
    with receiving(SECRET) as receiver:
        yield receiver
