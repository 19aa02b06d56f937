"""An orderly stop leaves nothing in flight, also of what is added at that moment."""

from __future__ import annotations

import asyncio

from swiftclaw_local.platform import Platform


async def test_a_stop_waits_for_what_is_being_added(platform: Platform) -> None:
    with platform._engine.adding:
        stopping = asyncio.create_task(platform._engine.stop())
        await asyncio.sleep(0.05)
        assert not stopping.done()
    await asyncio.wait_for(stopping, 5)
