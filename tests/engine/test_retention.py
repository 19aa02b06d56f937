"""Old events go by themselves when the settings say so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from swiftclaw_local.platform import Platform
from swiftclaw_local.platform import platform as platform_module
from swiftclaw_local.settings import Settings
from tests.engine.conftest import OpenPlatform


async def kept(platform: Platform) -> int:
    """Return how many of five events are kept two days after they were delivered, once retention has run."""
    await platform.webhooks.create("my-agent", url="http://127.0.0.1:9/hook")
    for _ in range(5):
        await platform.events.emit("my-agent", type="agent.failed")
    await platform.timeline.advance(timedelta(days=2))
    for job in platform._heartbeat._scheduler.get_jobs():
        if job.id == "retention":
            await job.func()
    return (await platform.reads.counts())["events"]


@pytest.mark.parametrize(("retention", "left"), [(None, 5), (timedelta(days=3), 5), (timedelta(days=1), 0)])
async def test_events_older_than_the_retention_are_forgotten(
    open_platform: OpenPlatform, monkeypatch: pytest.MonkeyPatch, retention: timedelta | None, left: int
) -> None:
    monkeypatch.setattr(platform_module, "PRUNED_AT_ONCE", 2)
    settings = Settings(ephemeral=True, clock="manual", seed=7, retention=retention)
    assert await kept(await open_platform(settings)) == left
