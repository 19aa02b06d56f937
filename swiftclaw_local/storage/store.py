"""The verbs of the store, as a protocol: every database implements these, and one conformance suite runs over them all.

Each verb is one transaction, durable when it returns. `now` is the engine's time, aware UTC; the store never asks for it.
Any verb may raise StorageUnavailable or StorageFull; then nothing was written, unless a shared database went away in the
middle of the COMMIT. Calling again with the same event id or lease token is safe (promise I2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

from swiftclaw_local.storage.records import (
    Accepted,
    Alert,
    AlertEvent,
    Claim,
    KeptClock,
    Mark,
    Opened,
    Recorded,
    StoredEvent,
    Trigger,
    Webhook,
    WebhookChange,
)
from swiftclaw_local.storage.replay_records import Replayable, ReplayState, ReplayStep, ReplayWish

# What other dispatchers tell: something is due; webhooks changed; the log grew, told only to those who look on.
DUE: Final = "due"
WEBHOOKS: Final = "webhooks"
LOG: Final = "log"
LOOKED_ON_S: Final = 3.0


class Store(Protocol):
    """What the platform and the engine ask of a database."""

    @property
    def shared(self) -> bool:
        """Whether other dispatchers may be at work on it."""

    async def open(self) -> None:
        """Take the database for this process, and create or migrate its tables.

        Raises: DatabaseInUse, ForeignDatabase, DamagedDatabase, DatabaseTooNew, WrongKey.
        """

    async def recover(self, *, now: datetime) -> Opened:
        """Give back what a dead process had in flight, once, after opening.

        Every delivery in flight gets an attempt row `interrupted` and is pending again, due now; when its fifth attempt
        in a row was cut off it ends dead, reason interrupted_repeatedly. Interruptions use up no retry.
        """

    async def reap(self, *, now: datetime) -> int:
        """Give back, as `recover` does, what other dispatchers had in flight when their leases ran out; return the number.

        To be called every second. There is nothing to reap where there is one engine by an operating system's lock.
        """

    async def hold_clock(self, *, virtual: bool) -> None:
        """Take the right to run a real clock beside other dispatchers, or a virtual one alone. Raises: ClockShared."""

    def listen(self, heard: Callable[[str], None]) -> None:
        """Call `heard` with DUE, WEBHOOKS or LOG when other dispatchers tell so."""

    async def look_on(self) -> None:
        """Have other dispatchers tell LOG for the next `LOOKED_ON_S` seconds; there are none where one engine has it all."""

    async def close(self) -> None:
        """Write everything down and let go of the database."""

    # --- webhooks -----------------------------------------------------------------------------------------------

    async def add_webhook(self, webhook: Webhook, *, secret: str) -> Webhook:
        """Add a webhook; its `id` is replaced by the next of the counter (the first is webhook-123, decision D13)."""

    async def change_webhook(self, webhook_id: str, change: WebhookChange) -> Webhook:
        """Change the given fields. Raises: UnknownWebhook."""

    async def remove_webhook(self, webhook_id: str, *, now: datetime) -> int:
        """Mark a webhook deleted, cancel its pending deliveries (reason webhook_deleted) and return their number.

        Deliveries in flight go on to their end. Raises: UnknownWebhook.
        """

    async def secret_of(self, webhook_id: str) -> str:
        """Return the secret in plain text. Raises: UnknownWebhook."""

    # --- events and deliveries ----------------------------------------------------------------------------------

    def add_event(
        self,
        event: StoredEvent,
        *,
        now: datetime,
        only_webhook: str | None = None,
        lease_unless_full: frozenset[str] | None = None,
    ) -> Awaitable[Accepted]:
        """Add the event and one delivery per webhook that matches (decision D17), due at max(now, event.created_at).

        Disabled webhooks match too; their deliveries wait. With `only_webhook` only that one gets it, if it matches.
        With `lease_unless_full`, due deliveries of enabled webhooks not named in it are leased at once and returned as
        claims; None leases nothing. The same id with the same body, type and agent again: the event as it is, `known`,
        with its first deliveries, and nothing new.

        Raises: EventIdTaken.
        """

    async def add_delivery(
        self, event: StoredEvent, webhook_id: str, *, now: datetime, trigger: Trigger, scheduled: bool, lease: bool
    ) -> Accepted:
        """Add the event and one delivery of it to this webhook, whatever it subscribed to (for tests).

        Raises: UnknownWebhook, EventIdTaken.
        """

    async def replay(self, delivery_id: str, *, now: datetime, scheduled: bool, to_webhook: str | None = None) -> str:
        """Add a new pending delivery of the same event to the same webhook, or another, and return its id (decision D22).

        Raises: UnknownDelivery; DeliveryPending when it has not ended; ReplayOpen; WebhookDeleted.
        """

    async def bring_forward(self, delivery_id: str, *, now: datetime) -> None:
        """Make a pending delivery due now. Raises: UnknownDelivery, DeliveryEnded, DeliveryInFlight."""

    async def cancel(self, delivery_id: str, *, now: datetime) -> None:
        """End a pending delivery as canceled, reason `canceled`. Raises: UnknownDelivery, DeliveryEnded, DeliveryInFlight."""

    # --- the engine's lap ---------------------------------------------------------------------------------------

    async def claim_due(self, *, now: datetime, limit: int, per_webhook: int, busy: Mapping[str, int]) -> list[Claim]:
        """Take up to `limit` due deliveries of enabled webhooks, in order of (due_at, id).

        No webhook is given more than `per_webhook` minus its number in `busy`. Each comes back in_flight with its lease
        token raised by one, committed.
        """

    async def give_back(self, claims: Sequence[Claim], *, now: datetime) -> None:
        """Return claims that were not sent to pending, as they were; canceled when the webhook is deleted. Fenced by token."""

    async def begin_again(self, claim: Claim) -> bool:
        """Count, before a delivery that was cut off is sent, that its attempt begins.

        False when it must not be sent as it was claimed: its lease was lost, or its webhook deleted, disabled or changed
        since. It is to be given back then.

        A claim that only waited in a process that died is not told from one that was being sent. So the first interruption
        counts for either; from then on only what began. A delivery that never was sent is never given up for it. Safe to
        repeat.
        """

    def record(self, mark: Mark) -> asyncio.Future[Recorded]:
        """Write the attempt's row and follow the edge, together. Fenced by the lease token, safe to repeat.

        Not a coroutine: the write is asked for at once, and nobody has to wait for it to have it done.
        Called again for a token already recorded: the row as it is. With a lost lease: the row alone, `superseded`.
        """

    async def next_due_at(self, *, except_webhooks: frozenset[str] = frozenset()) -> datetime | None:
        """Return the earliest due time of pending deliveries of enabled webhooks, those named left out."""

    # --- alerts -------------------------------------------------------------------------------------------------

    async def add_alert(self, alert: Alert) -> Alert:
        """Add an alert; its `id` is replaced by the next of the counter (alert-1)."""

    async def remove_alert(self, alert_id: str) -> None:
        """Remove an alert; its history stays. Raises: UnknownAlert."""

    async def set_alert(self, alert_id: str, *, state: str, count: int, now: datetime) -> AlertEvent | None:
        """Change the alert's state and write it into the history; None when it was in that state already."""

    # --- replays of many ----------------------------------------------------------------------------------------

    async def add_replay(self, wish: ReplayWish, items: Sequence[Replayable], *, now: datetime) -> str:
        """Keep a replay of these deliveries, in this order, as running; return its id (rpl_1). Nothing is sent by this."""

    async def replay_next(self, replay_id: str, *, now: datetime, limit: int) -> ReplayStep | None:
        """Make the next `limit` deliveries of a running replay, and note each in its list, together; due at `now`.

        One whose attempt is in flight is left for later. What is still scheduled for the others is canceled, reason
        `replayed`. Skipped are those that were forgotten, whose webhook was deleted, which got through meanwhile, or
        which are being replayed already. None when it does not run, or another dispatcher sees to it.
        """

    async def set_replay(
        self,
        replay_id: str,
        *,
        state: ReplayState,
        now: datetime,
        reason: str | None = None,
        judged_after: int | None = None,
    ) -> None:
        """Change a replay's state; with `judged_after`, failures up to this number are accepted. Raises: UnknownReplay, ReplayEnded."""

    # --- the rest -----------------------------------------------------------------------------------------------

    async def keep_clock(self, clock: KeptClock) -> None:
        """Remember how the clock stands."""

    async def prune(self, *, before: datetime, limit: int) -> int:
        """Delete up to `limit` of the oldest events that were accepted before a time and whose deliveries all ended before it.

        Their deliveries and attempts go with them, and alerts' history of that time. Returns the number of events.
        """

    async def reset(self, *, keep_webhooks: bool) -> None:
        """Forget events, deliveries, attempts, alerts and the clock; and, unless kept, webhooks and counters."""
