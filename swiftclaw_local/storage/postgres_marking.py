"""Claims, and how attempts end, on PostgreSQL: each of them one statement, fenced by the lease token.

The table of what is found and what is written is that of `storage.marking`. Nothing that a claim said before is trusted
here: other dispatchers are at work, and a lease may have been taken over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, assert_never

from swiftclaw_local.errors import UnknownDelivery
from swiftclaw_local.ids import IdFactory
from swiftclaw_local.storage import postgres_statements as sql
from swiftclaw_local.storage.marking import MOST_INTERRUPTIONS
from swiftclaw_local.storage.postgres_adding import LeaseTerms
from swiftclaw_local.storage.postgres_writer import Connection
from swiftclaw_local.storage.records import Claim, Mark, MarkDead, MarkRetry, MarkSucceeded, Recorded
from swiftclaw_local.storage.secretbox import SecretBox
from swiftclaw_local.storage.states import State

# Leases that ran out, taken back in one statement; there may be more, for the next one.
MOST_REAPED: Final = 200
_MOST_SECRETS: Final = 4096


class PostgresMarking:
    """Claims, gives back, records and reaps."""

    def __init__(self, ids: IdFactory, box: SecretBox, *, terms: LeaseTerms) -> None:
        self._ids = ids
        self._box = box
        self._terms = terms
        self._secrets: dict[tuple[str, bytes], str] = {}

    async def claim_due(
        self,
        connection: Connection,
        *,
        now: datetime,
        limit: int,
        per_webhook: int,
        busy: Mapping[str, int],
        begin_by: float,
    ) -> list[Claim]:
        """See `Store.claim_due`."""
        values = {
            "now": now,
            "limit": limit,
            "per_webhook": per_webhook,
            "busy": list(busy),
            "loads": list(busy.values()),
            "owner": self._terms.owner,
            "lease": self._terms.seconds,
        }
        cursor = await connection.execute(sql.CLAIM, values)
        return [self._claim(row, begin_by) for row in await cursor.fetchall()]

    def _claim(self, row: tuple[Any, ...], begin_by: float) -> Claim:
        delivery_id, token, webhook_id, agent, url, sealed, event_id, event_type, body, *rest = row
        trigger, scheduled, number, retries_used, due_at, interruptions = rest
        return Claim(
            delivery_id=delivery_id,
            lease_token=token,
            webhook_id=webhook_id,
            agent=agent,
            url=url,
            secret=self.secret(webhook_id, sealed),
            event_id=event_id,
            event_type=event_type,
            body=body,
            trigger=trigger,
            scheduled=scheduled,
            attempt_number=number,
            retries_used=retries_used,
            due_at=due_at,
            begin_by=begin_by,
            interruptions=interruptions,
        )

    def secret(self, webhook_id: str, sealed: bytes) -> str:
        """Return a secret in plain text. Raises: WrongKey."""
        plain = self._secrets.get((webhook_id, sealed))
        if plain is None:
            if len(self._secrets) >= _MOST_SECRETS:
                self._secrets = {}
            plain = self._secrets[webhook_id, sealed] = self._box.open(sealed, owner=webhook_id).decode()
        return plain

    async def give_back(self, connection: Connection, *, claims: Sequence[Claim], now: datetime) -> None:
        """See `Store.give_back`."""
        rows = [(claim.delivery_id, claim.lease_token, claim.interruptions) for claim in claims]
        await connection.execute(sql.GIVE_BACK, (now, *_columns(rows)))

    async def begin_again(self, connection: Connection, *, claim: Claim) -> bool:
        """See `Store.begin_again`."""
        values = (claim.interruptions + 1, claim.delivery_id, claim.lease_token, claim.url)
        cursor = await connection.execute(sql.BEGIN_AGAIN, values)
        box = await cursor.fetchone()
        return box is not None and self.secret(claim.webhook_id, box[0]) == claim.secret

    async def record(self, connection: Connection, marks: list[Mark]) -> list[Recorded | UnknownDelivery]:
        """See `Store.record`."""
        rows = [self._row(mark) for mark in marks]
        first = {row[:2]: row for row in reversed(rows)}  # the same mark twice in one group is written once
        cursor = await connection.execute(sql.RECORD, _columns(list(first.values())))
        written = {(row[0], row[1]): row for row in await cursor.fetchall()}
        recorded: list[Recorded | UnknownDelivery] = []
        for row in rows:
            found = written.pop(row[:2], None) if first[row[:2]] is row else None
            if found is None:
                recorded.append(await self._record_late(connection, row))
            else:
                recorded.append(Recorded(row[2], found[2], row[3], State(found[3])))
        return recorded

    async def _record_late(self, connection: Connection, row: tuple[Any, ...]) -> Recorded | UnknownDelivery:
        """Answer for a mark whose token is not in flight: it was written before, or its lease was lost."""
        found = await (await connection.execute(sql.RECORDED_ATTEMPT, row[:2])).fetchone()
        if found is not None:
            attempt_id, number, outcome, state = found
            return Recorded(attempt_id, number, outcome, State(state), superseded=outcome == "superseded")
        late = await (await connection.execute(sql.SUPERSEDED, _columns([row]))).fetchone()
        if late is None:
            return UnknownDelivery(f'There is no delivery "{row[0]}".')
        return Recorded(row[2], late[0], "superseded", State(late[1]), superseded=True)

    def _row(self, mark: Mark) -> tuple[Any, ...]:
        """Return the values of RECORD for one mark."""
        made = mark.attempt
        attempt_id = self._ids.new("att", made.ended_at)
        return (
            made.delivery_id,
            made.lease_token,
            attempt_id,
            *_edge(mark),
            made.started_at,
            made.ended_at,
            made.duration_ms,
            made.url,
            made.request_head,
            made.signature,
            made.status,
            made.error_class,
            made.error_detail,
            made.response_head,
            made.response_body,
            made.response_size,
            made.truncated,
            made.fault,
        )

    async def reap(self, connection: Connection, *, now: datetime) -> int:
        """See `Store.reap`."""
        ids = [self._ids.new("att", now) for _ in range(MOST_REAPED)]
        cursor = await connection.execute(sql.REAP, {"now": now, "ids": ids, "most": MOST_INTERRUPTIONS})
        return cursor.rowcount


def _edge(mark: Mark) -> tuple[str, str, bool, datetime | None, str | None]:
    """Return outcome, state, whether a retry is used up, the new due time, and the reason."""
    match mark:
        case MarkSucceeded():
            return "succeeded", State.SUCCEEDED.value, False, None, None
        case MarkRetry(due_at=due_at, uses_retry=uses_retry):
            return "retry" if uses_retry else "again", State.PENDING.value, uses_retry, due_at, None
        case MarkDead(reason=reason):
            return "dead", State.DEAD.value, False, None, reason
        case _:
            assert_never(mark)


def _columns(rows: list[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
