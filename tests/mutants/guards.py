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
    db: str = "sqlite"  # what the simulation runs on


_LEASES: Final = ("tests/storage/test_leases.py",)
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


def _without(condition: str, *, after: str) -> Edit:
    """Return the edit that takes a condition out of PostgreSQL's statements, which stands behind these words once."""
    return Edit("storage/postgres_statements.py", after + condition, after)


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
        "no more is sent than may wait to be written down",
        (
            Edit(
                "dispatcher/engine.py",
                "if self._store_fails or len(self._records) >= MOST_UNRECORDED:",
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
                "if self._store_fails or len(self._records) >= MOST_UNRECORDED:",
                "if len(self._records) >= MOST_UNRECORDED:",
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
                "            if length is not None:\n                raise",
                "            if length is None:\n                raise",
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
        "PostgreSQL, the fence: a record names its lease token",
        (
            _without(" AND d.lease_token = m.token", after="ON d.id = m.delivery_id AND d.state = 'in_flight'"),
            _without(" AND d.lease_token = m.token", after="WHERE d.id = m.delivery_id AND d.state = 'in_flight'"),
        ),
        (_RECORD, *_LEASES),
        db="postgresql",
    ),
    Guard(
        "PostgreSQL, the state guard: only what is in flight is recorded",
        (
            _without(" AND d.state = 'in_flight'", after="ON d.id = m.delivery_id"),
            _without(" AND d.state = 'in_flight'", after="WHERE d.id = m.delivery_id"),
        ),
        (_RECORD, *_LEASES),
        db="postgresql",
    ),
    Guard(
        "PostgreSQL, a stale reap changes nothing: the row is locked, or looked at again",
        (
            _without(" FOR UPDATE SKIP LOCKED", after="ORDER BY leased_until LIMIT cardinality(%(ids)b::text[])"),
            _without(
                " AND d.state = 'in_flight' AND d.lease_token = x.lease_token", after="FROM ended x WHERE d.id = x.id"
            ),
        ),
        _LEASES,
        db="postgresql",
    ),
    Guard(
        "PostgreSQL, claiming is one step, not a read and then a claim",
        (
            _without(" FOR UPDATE SKIP LOCKED", after="ORDER BY d.due_at, d.id LIMIT greatest(free.most, 0)"),
            _without(" AND d.state = 'pending'", after="WHERE d.id = ANY (ARRAY(SELECT id FROM due))"),
        ),
        _LEASES,
        db="postgresql",
    ),
    Guard(
        "PostgreSQL, acknowledged only after the COMMIT",
        (
            Edit(
                "storage/postgres_writer.py",
                "                await self._commit(connection)\n",
                "                for future, result in results:\n"
                "                    _resolve(future, result)\n"
                "                await self._commit(connection)\n",
            ),
        ),
        ("tests/storage/test_groups.py", *_LEASES),
        db="postgresql",
    ),
    Guard(
        "PostgreSQL, a record is safe to repeat",
        (
            Edit(
                "storage/postgres_marking.py",
                "        if found is not None:\n            attempt_id",
                "        if found is not None and not row:\n            attempt_id",
            ),
        ),
        (_RECORD, *_LEASES),
        db="postgresql",
    ),
    Guard(
        "PostgreSQL, every dispatcher reaps",
        (Edit("platform/platform.py", "reaped = await self._store.reap(now=self.clock.now())", "reaped = 0"),),
        db="postgresql",
    ),
    Guard(
        "PostgreSQL, a lease outlasts the attempt",
        (
            Edit(
                "platform/platform.py",
                "lasts_s=settings.send_timeout.total_seconds() + LEASE_SLACK_S",
                "lasts_s=settings.send_timeout.total_seconds() - LEASE_SLACK_S",
            ),
        ),
        db="postgresql",
    ),
    Guard(
        "PostgreSQL, the trust window: an attempt begins early in its lease or not at all",
        (
            Edit(
                "storage/postgres.py",
                "self._lease.monotonic() + self._lease.begin_within_s",
                "self._lease.monotonic() + 3600",
            ),
        ),
        _LEASES,
        db="postgresql",
    ),
    Guard(
        "PostgreSQL, giving back is fenced by the lease token",
        (
            Edit(
                "storage/postgres_statements.py",
                "WHERE d.id = g.id AND d.state = 'in_flight' AND d.lease_token = g.lease AND",
                "WHERE d.id = g.id AND g.lease > 0 AND",
            ),
        ),
        ("tests/storage/test_claims.py", *_LEASES),
        db="postgresql",
    ),
    Guard(
        "PostgreSQL, who cancels looks at whether it did",
        (Edit("storage/changes.py", "    if canceled.rowcount == 0:", "    if canceled.rowcount < 0:"),),
        _LEASES,
        db="postgresql",
    ),
    Guard(
        "PostgreSQL, of two replays at once the second is told",
        (
            Edit(
                "storage/changes.py",
                '        " ON CONFLICT (replay_of) WHERE replay_of IS NOT NULL AND ended_at IS NULL DO NOTHING",\n',
                "",
            ),
        ),
        _LEASES,
        db="postgresql",
    ),
    Guard(
        "PostgreSQL, a deleted webhook is answered for when the others have let go of it",
        (
            Edit(
                "storage/postgres.py",
                "        await self._others_let_go(webhook_id)\n        return canceled",
                "        return canceled",
            ),
        ),
        _LEASES,
        db="postgresql",
    ),
    Guard(
        "PostgreSQL, a connection that lay idle is asked before it is used",
        (
            Edit(
                "storage/postgres.py", "if self._plain is None or not answers(self._plain):", "if self._plain is None:"
            ),
        ),
        _LEASES,
        db="postgresql",
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
)
