"""Connections are kept while they are fit and young, and given out again newest first."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from swiftclaw_local.dispatcher import pool as module
from swiftclaw_local.dispatcher.pool import Pool
from swiftclaw_local.dispatcher.wire import Wire

HERE = ("http", "127.0.0.1", 80)
THERE = ("http", "127.0.0.1", 81)


class FakeWire:
    """A connection that is fit as it is told, and tells when it is closed."""

    def __init__(self, *, keeps: bool = True, stays: bool = True) -> None:
        self.keeps = keeps
        self.stays = stays
        self.closed = asyncio.Event()

    def keep(self) -> bool:
        return self.keeps

    def take(self) -> bool:
        return self.stays

    def abort(self) -> None:
        self.closed.set()


def put(pool: Pool, origin: tuple[str, str, int], **fitness: bool) -> Any:
    wire = FakeWire(**fitness)
    pool.put(origin, cast(Wire, wire))
    return wire


async def test_the_newest_fit_connection_to_the_same_place_is_taken() -> None:
    pool = Pool()
    oldest, died = put(pool, HERE), put(pool, HERE, stays=False)
    put(pool, THERE)
    assert pool.take(HERE) is oldest
    assert died.closed.is_set()
    assert pool.take(HERE) is None
    pool.close()


async def test_what_is_not_fit_is_closed_at_once() -> None:
    pool = Pool()
    assert put(pool, HERE, keeps=False).closed.is_set()
    assert pool.take(HERE) is None


async def test_where_a_connection_died_none_is_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, now = Pool(), [1000.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    before = put(pool, HERE)
    pool.distrust(HERE)
    assert before.closed.is_set()
    assert put(pool, HERE).closed.is_set()
    assert not put(pool, THERE).closed.is_set()
    now[0] += module.DISTRUST_S
    assert not put(pool, HERE).closed.is_set()
    pool.close()


async def test_a_connection_is_closed_after_it_lay_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.01)
    pool = Pool()
    first = put(pool, HERE)
    await asyncio.wait_for(first.closed.wait(), 5)
    assert pool.take(HERE) is None
    second = put(pool, HERE)
    await asyncio.wait_for(second.closed.wait(), 5)


async def test_closing_closes_all_that_lie_idle() -> None:
    pool = Pool()
    wires = [put(pool, HERE), put(pool, THERE)]
    pool.close()
    assert [wire.closed.is_set() for wire in wires] == [True, True]
