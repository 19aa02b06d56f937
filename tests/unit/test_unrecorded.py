"""Unrecorded: each attempt is told of when it is written down, however many are at once, and none is forgotten."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from swiftclaw_local.dispatcher.unrecorded import Record, Unrecorded
from swiftclaw_local.storage.records import Claim, Mark, Recorded


class Told:
    """What was told, by the name that stands in for a claim; `fails` are names at which telling breaks."""

    def __init__(self, *, fails: str = "", then_adds: str = "") -> None:
        self.names: list[str] = []
        self.added: list[Record] = []
        self.emptied = 0
        self.unrecorded = Unrecorded(self.ended, emptied=self.was_emptied)
        self._fails = fails
        self._then_adds = then_adds

    def ended(self, claim: Claim, mark: Mark, record: Record) -> None:
        assert record.done()
        self.names.append(str(claim))
        if str(claim) in self._fails:
            raise RuntimeError(f"a defect at {claim}")
        names, self._then_adds = self._then_adds, ""
        self.added += self.add(names)

    def was_emptied(self) -> None:
        assert len(self.unrecorded) == 0
        self.emptied += 1

    def add(self, names: str) -> list[Record]:
        records: list[Record] = [asyncio.get_running_loop().create_future() for _ in names]
        for name, record in zip(names, records, strict=True):
            self.unrecorded.add(cast(Claim, name), cast(Mark, None), record)
        return records


def written(record: Record) -> None:
    record.set_result(cast(Recorded, None))


async def turn() -> None:
    await asyncio.sleep(0)


async def test_those_that_are_done_at_once_are_told_of_in_one_turn_in_their_order() -> None:
    told = Told()
    records = told.add("abcde")
    for record in records[:3]:
        written(record)
    await turn()
    assert told.names == ["a", "b", "c"]
    assert (list(told.unrecorded), told.emptied) == (records[3:], 0)
    for record in records[3:]:
        written(record)
    await turn()
    assert told.names == ["a", "b", "c", "d", "e"]
    assert (len(told.unrecorded), told.emptied) == (0, 1)


async def test_those_that_come_later_are_told_of_too() -> None:
    told = Told()
    (first,) = told.add("a")
    written(first)
    (second,) = told.add("b")
    await turn()
    assert told.names == ["a"]
    written(second)
    await turn()
    (third,) = told.add("c")
    written(third)
    await turn()
    assert told.names == ["a", "b", "c"]


async def test_those_that_come_while_others_are_told_of_are_told_of_too() -> None:
    told = Told(then_adds="c")
    for record in told.add("ab"):
        written(record)
    await turn()
    assert (told.names, told.emptied) == (["a", "b"], 0)
    written(told.added[0])
    await turn()
    assert (told.names, told.emptied) == (["a", "b", "c"], 1)


async def test_who_waits_for_all_of_them_goes_on_after_they_were_told_of() -> None:
    told = Told()
    records = told.add("abc")
    waiting = asyncio.create_task(asyncio.wait([*told.unrecorded]))
    await turn()
    for record in records:
        written(record)
        await turn()
    await waiting
    assert told.names == ["a", "b", "c"]


async def test_one_that_could_not_be_written_is_told_of_as_well() -> None:
    told = Told()
    first, second = told.add("ab")
    first.set_exception(OSError("the disk is gone"))
    written(second)
    await turn()
    assert told.names == ["a", "b"]
    assert isinstance(first.exception(), OSError)


async def test_a_defect_in_the_telling_of_one_stops_none_of_the_others() -> None:
    handled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: handled.append(context))
    told = Told(fails="b")
    for record in told.add("abc"):
        written(record)
    await turn()
    assert told.names == ["a", "b", "c"]
    assert [str(context["exception"]) for context in handled] == ["a defect at b"]
