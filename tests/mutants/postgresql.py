"""The guards of the store on PostgreSQL, where several dispatchers are at work."""

from __future__ import annotations

from typing import Final

from tests.mutants.guard import Edit, Guard

_LEASES: Final = ("tests/storage/test_leases.py",)
_RECORD: Final = "tests/storage/test_record.py"


def _without(condition: str, *, after: str) -> Edit:
    """Return the edit that takes a condition out of PostgreSQL's statements, which stands behind these words once."""
    return Edit("storage/postgres_statements.py", after + condition, after)


def _instead(written: str, *, of: str) -> Edit:
    """Return the edit that puts something else into PostgreSQL's statements."""
    return Edit("storage/postgres_statements.py", of, written)


POSTGRESQL: Final = (
    Guard(
        "PostgreSQL, what only waited in a process that died is not counted as cut off again",
        (_instead("interruptions + 1 AS counted", of="greatest(interruptions, 1) AS counted"),),
        ("tests/storage/test_recovery.py",),
        db="postgresql",
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
                "                tell(results)\n                await self._commit(connection)\n",
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
)
