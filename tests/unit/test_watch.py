"""Waiting for a delivery to change."""

from __future__ import annotations

import asyncio

from swiftclaw_local.dispatcher.watch import Watch


async def test_whoever_waits_for_one_of_several_deliveries_is_told_once() -> None:
    watch = Watch()
    both, other = watch.next_change(["dlv_1", "dlv_2"]), watch.next_change(["dlv_3"])
    watch.tell("dlv_2")
    watch.tell("dlv_2")
    await both
    assert (both.done(), other.done()) == (True, False)
    watch.tell_all()
    assert other.done()


async def test_nothing_is_kept_for_those_who_stopped_waiting() -> None:
    watch = Watch()
    watch.next_change(["dlv_1", "dlv_2"]).cancel()
    done = watch.next_change(["dlv_2"])
    watch.tell("dlv_2")
    await done
    await asyncio.sleep(0)  # a future's callbacks run on the loop's next turn
    assert watch.waiting == 0
