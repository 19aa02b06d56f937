"""The guards: where each stands in the code, and the edit that takes it out.

An edit that no longer fits the code is a failure, so that this table follows the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace `old`, which stands exactly once in the file, by `new`. The path is below `swiftclaw_local`."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Guard:
    """What protects a promise, the edits that take it out, and the tests to ask when the simulation finds nothing."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...] = ()


_RECORD: Final = "tests/storage/test_record.py"
_UNCOMMITTED: Final = """            for future, result in results:
                _resolve(future, result)
            connection.execute("COMMIT")"""
_SPLIT: Final = """            connection.execute("COMMIT")
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(sql.INSERT_DELIVERY, deliveries)
            return [*accepted]"""
_CLAIM_LATER: Final = """        claims = await running.writer.run(work)
        await running.writer.run(
            lambda connection: connection.executemany(
                "UPDATE delivery SET state = 'in_flight', lease_token = lease_token + 1, claimed_at = ? WHERE id = ?",
                [(claim.due_at.strftime("%Y-%m-%d %H:%M:%S.%f"), claim.delivery_id) for claim in claims],
            )
        )
        running.held"""

GUARDS: Final = (
    Guard(
        "the fence: a record names its lease token",
        (
            Edit(
                "storage/statements.py",
                '    delivery.c.lease_token == bindparam("token"),\n)\nGIVE_BACK',
                '    bindparam("token") >= _written_out(0),\n)\nGIVE_BACK',
            ),
        ),
        (_RECORD,),
    ),
    Guard(
        "the state guard: only what is in flight is recorded",
        (
            Edit(
                "storage/statements.py",
                '    _state_is(State.IN_FLIGHT),\n    delivery.c.lease_token == bindparam("token"),\n)\nGIVE_BACK',
                '    delivery.c.lease_token == bindparam("token"),\n)\nGIVE_BACK',
            ),
        ),
        (_RECORD,),
    ),
    Guard(
        "a record is safe to repeat",
        (
            Edit(
                "storage/marking.py",
                "            if written is not None:",
                "            if written is None and edge is None:",
            ),
        ),
        (_RECORD,),
    ),
    Guard(
        "claiming is one transaction, not a read and then a claim",
        (
            Edit(
                "storage/claiming.py",
                "    connection.executemany(sql.CLAIM, [(written, row[1]) for row in rows])\n",
                "",
            ),
            Edit(
                "storage/sqlite.py",
                "        claims = await running.writer.run(work)\n        running.held",
                _CLAIM_LATER,
            ),
        ),
        ("tests/storage/test_claims.py",),
    ),
    Guard(
        "acknowledged only after the COMMIT",
        (Edit("storage/group_commit.py", '            connection.execute("COMMIT")', _UNCOMMITTED),),
        ("tests/storage/test_groups.py",),
    ),
    Guard(
        "an event and its deliveries are one transaction",
        (
            Edit(
                "storage/adding.py",
                "            connection.executemany(sql.INSERT_DELIVERY, deliveries)\n            return [*accepted]",
                _SPLIT,
            ),
        ),
        ("tests/storage/test_events.py",),
    ),
    Guard(
        "a start gives back what a dead process had in flight",
        (Edit("storage/marking.py", "        for row in cut_off:", "        for row in cut_off[:0]:"),),
        ("tests/storage/test_recovery.py",),
    ),
    Guard(
        "an interruption uses up no retry",
        (
            Edit(
                "storage/statements.py",
                "        interruptions=delivery.c.interruptions + _written_out(1),",
                "        interruptions=delivery.c.interruptions + _written_out(1),\n"
                "        retries_used=delivery.c.retries_used + _written_out(1),",
            ),
        ),
        ("tests/storage/test_recovery.py",),
    ),
    Guard(
        "what is cut off five times in a row is ended",
        (Edit("storage/marking.py", "interruptions + 1 >= MOST_INTERRUPTIONS", "interruptions < 0"),),
        ("tests/storage/test_recovery.py", "tests/engine/test_restart.py"),
    ),
    Guard(
        "nothing is claimed before it is due",
        (
            Edit(
                "storage/claiming.py", "from datetime import datetime\n", "from datetime import datetime, timedelta\n"
            ),
            Edit("storage/claiming.py", "to_text(now)\n    free", "to_text(now + timedelta(seconds=1))\n    free"),
        ),
        ("tests/storage/test_claims.py",),
    ),
    Guard(
        "the heartbeat catches a lost wake",
        (Edit("platform/platform.py", "        self._engine.wake()\n        try:\n", "        try:\n"),),
        ("tests/engine/test_clock_modes.py",),
    ),
    Guard(
        "a wall clock that was set forward is followed",
        (Edit("platform/platform.py", "jump = self.clock.resync()", "jump = self.clock.lead() * 0"),),
        ("tests/unit/test_clock.py", "tests/engine/test_clock_modes.py"),
    ),
    Guard(
        "what could not be recorded is recorded later",
        (Edit("dispatcher/engine.py", "                await asyncio.sleep(STORE_RETRY_S)", "                raise"),),
        ("tests/engine/test_store_trouble.py",),
    ),
    Guard(
        "claims of a deleted webhook are taken back",
        (Edit("platform/webhooks.py", "canceled += await self._engine.take_back(webhook_id)", "canceled += 0"),),
        ("tests/engine/test_webhook_changes.py",),
    ),
    Guard(
        "an orderly stop gives back what was not sent",
        (Edit("dispatcher/engine.py", "        await self.take_back()\n", ""),),
        ("tests/engine/test_restart.py",),
    ),
    Guard(
        "an id with another content is refused",
        (Edit("storage/adding.py", "    if row != (event.type, event.agent, event.body):", "    if row is None:"),),
        ("tests/storage/test_events.py",),
    ),
    Guard(
        "one open replay per delivery",
        (Edit("storage/changes.py", "    if open_replay is not None:", "    if open_replay == ():"),),
        ("tests/storage/test_deliveries.py", "tests/engine/test_replay.py"),
    ),
    Guard(
        "a slot per attempt: no webhook has more in flight than it may",
        (Edit("dispatcher/lanes.py", "if lane.waiting and lane.in_flight < slots:", "if lane.waiting:"),),
        ("tests/unit/test_lanes.py",),
    ),
)
