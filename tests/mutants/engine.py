"""The guards of the engine, of its clock, and of the store on SQLite."""

from __future__ import annotations

from typing import Final

from tests.mutants.guard import Edit, Guard

_RECORD: Final = "tests/storage/test_record.py"
_COMMIT: Final = "            self._commit = self._thread.commit()\n"
_UNCOMMITTED: Final = f"            self._told(results)\n{_COMMIT}"
_SPLIT: Final = """            connection.execute("COMMIT")
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(sql.INSERT_DELIVERY, deliveries)
            return [*accepted]"""
_CLAIM: Final = """            running.held.lease(claims)
            return claims

        return await running.writer.run(work)
"""
_CLAIM_LATER: Final = """            running.held.lease(claims)
            return claims

        claims = await running.writer.run(work)
        await running.writer.run(
            lambda connection: connection.executemany(
                "UPDATE delivery SET state = 'in_flight', lease_token = lease_token + 1, claimed_at = ? WHERE id = ?",
                [(claim.due_at.strftime("%Y-%m-%d %H:%M:%S.%f"), claim.delivery_id) for claim in claims],
            )
        )
        return claims
"""

ENGINE: Final = (
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
            Edit("storage/sqlite.py", _CLAIM, _CLAIM_LATER),
        ),
        ("tests/storage/test_claims.py",),
    ),
    Guard(
        "acknowledged only after the COMMIT",
        (Edit("storage/group_commit.py", _COMMIT, _UNCOMMITTED),),
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
        ("tests/storage/test_sqlite_trouble.py",),
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
                '        interruptions=bindparam("new_interruptions"),',
                '        interruptions=bindparam("new_interruptions"),\n'
                "        retries_used=delivery.c.retries_used + _written_out(1),",
            ),
        ),
        ("tests/storage/test_recovery.py",),
    ),
    Guard(
        "what is cut off five times in a row is ended",
        (Edit("storage/marking.py", "counted >= MOST_INTERRUPTIONS", "counted < 0"),),
        ("tests/storage/test_recovery.py", "tests/engine/test_restart.py"),
    ),
    Guard(
        "what only waited in a process that died is not counted as cut off again",
        (Edit("storage/marking.py", "counted = max(interruptions, 1)", "counted = interruptions + 1"),),
        ("tests/storage/test_recovery.py", "tests/engine/test_restart.py"),
    ),
    Guard(
        "only what was committed is held as leased",
        (Edit("storage/sqlite.py", "            held.rolled_back()\n", ""),),
        ("tests/storage/test_sqlite_trouble.py",),
    ),
    Guard(
        "what was cut off is counted before it is sent again",
        (Edit("dispatcher/engine.py", "begun = not claim.interruptions or", "begun = claim.interruptions >= 0 or"),),
        ("tests/engine/test_restart.py",),
    ),
    Guard(
        "what was cut off is not sent again once its webhook is deleted, disabled or changed",
        (Edit("storage/claiming.py", "if webhook is None or not webhook.enabled:", "if webhook is None:"),),
        ("tests/storage/test_recovery.py",),
    ),
    Guard(
        "what must not be begun again is given back",
        (Edit("dispatcher/engine.py", "if not begun or (claim", "if (claim"),),
        ("tests/engine/test_restart.py",),
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
        "no more is sent than may wait to be written down",
        (
            Edit(
                "dispatcher/engine.py",
                "if self._store_fails or len(self._unrecorded) >= MOST_UNRECORDED:",
                "if self._store_fails:",
            ),
        ),
        ("tests/engine/test_store_trouble.py",),
    ),
    Guard(
        "while results cannot be written nothing else is sent",
        (
            Edit(
                "dispatcher/engine.py",
                "if self._store_fails or len(self._unrecorded) >= MOST_UNRECORDED:",
                "if len(self._unrecorded) >= MOST_UNRECORDED:",
            ),
        ),
        ("tests/engine/test_store_trouble.py",),
    ),
    Guard(
        "bytes that come unasked close the connection they come on",
        (Edit("dispatcher/wire.py", "        else:\n            self.abort()\n", "        else:\n            pass\n"),),
        ("tests/engine/test_sender.py", "tests/engine/test_sender_misbehaved.py"),
    ),
    Guard(
        "an answer with a length and chunks is none",
        (
            Edit(
                "dispatcher/answer.py",
                "        if length is not None:\n            raise",
                "        if length is None:\n            raise",
            ),
        ),
        ("tests/unit/test_answer.py",),
    ),
    Guard(
        "a slot per attempt: no webhook has more in flight than it may",
        (Edit("dispatcher/lanes.py", "if lane.waiting and lane.in_flight < slots:", "if lane.waiting:"),),
        ("tests/unit/test_lanes.py",),
    ),
    Guard(
        "a stop while the database is away ends in order",
        (
            Edit(
                "platform/platform.py",
                "except StorageUnavailable as error:  # the start before",
                "except EOFError as error:  #",
            ),
        ),
        ("tests/engine/test_store_trouble.py",),
    ),
    Guard(
        "a wall clock that flaps does not drive the clock ahead of it",
        (
            Edit(
                "scheduler/clock.py",
                "at=self.now() + max(-behind, timedelta())",
                "at=self.now() + max(jump, timedelta())",
            ),
        ),
        ("tests/unit/test_clock.py",),
    ),
    Guard(
        "while the wall clock is behind, the next start is told where the clock stood",
        (Edit("platform/platform.py", " or self.clock.set_back:", ":"),),
        ("tests/engine/test_clock_modes.py",),
    ),
    Guard(
        "a clock that was ahead when its process died starts no earlier",
        (Edit("platform/platform.py", "at=max(kept.at, newest or kept.at)", "at=kept.at"),),
        ("tests/engine/test_clock_modes.py",),
    ),
)
