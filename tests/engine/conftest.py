"""A whole platform in memory with a manual clock and a scripted receiver in place of the network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio

from swiftclaw_local.platform import Platform
from swiftclaw_local.settings import Settings
from tests.engine.scripted import ScriptedReceiver
from tests.engine.stage import SECRET, Stage
from tests.receivers import always_ok, raw_receiver

OpenPlatform = Callable[..., Awaitable[Platform]]


@pytest_asyncio.fixture
async def receiver() -> ScriptedReceiver:
    return ScriptedReceiver()


@pytest_asyncio.fixture
async def open_platform(receiver: ScriptedReceiver) -> AsyncIterator[OpenPlatform]:
    """Start platforms with any settings; all that still run are stopped at the end."""
    running: list[Platform] = []

    async def start(settings: Settings | None = None) -> Platform:
        platform = await Platform.open(settings or Settings(ephemeral=True, clock="manual", seed=7), sender=receiver)
        running.append(platform)
        await platform.start()
        return platform

    yield start
    receiver.release()
    for platform in running:
        if platform.ready() is None:
            await platform.stop()
        await platform._store.close()  # of one whose engine ended by itself


@pytest_asyncio.fixture
async def platform(open_platform: OpenPlatform) -> Platform:
    return await open_platform()


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    async with raw_receiver(always_ok) as receiver:
        platform = await Platform.open(Settings(ephemeral=True, clock="manual", seed=7, secret=SECRET))
        await platform.start()
        try:
            await platform.webhooks.create("my-agent", url=receiver.url)
            yield Stage(platform, receiver)
        finally:
            await platform.stop()
