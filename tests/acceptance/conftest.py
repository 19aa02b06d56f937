"""The API in this process, with a manual clock and a scripted receiver unless a test asks for something else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from swiftclaw_local.platform import Platform
from swiftclaw_local.server.app import make_app
from swiftclaw_local.settings import Settings
from tests.acceptance.api import Api
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
