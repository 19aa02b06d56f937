"""Emitting: an event gets its id, time and bytes, goes into the store, and is handed to the engine."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from swiftclaw_local.dispatcher.engine import Engine
from swiftclaw_local.dispatcher.fault_kinds import Fault
from swiftclaw_local.dispatcher.watch import Watch
from swiftclaw_local.errors import EventIdTaken, ServerStopping
from swiftclaw_local.events.catalog import EVENT_TYPE_NAMES, check_event_type, is_system, sample_data
from swiftclaw_local.events.event import new_body
from swiftclaw_local.events.sequences import Step, agent_run, deployment
from swiftclaw_local.ids import IdFactory, derived_id
from swiftclaw_local.platform.faults import Faults
from swiftclaw_local.platform.webhooks import Webhooks, check_agent
from swiftclaw_local.scheduler.clock import Clock
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import Accepted, StoredEvent
from swiftclaw_local.storage.store import Store


class Events:
    """What the platform announces."""

    def __init__(
        self,
        store: Store,
        reads: Reads,
        *,
        webhooks: Webhooks,
        engine: Engine,
        clock: Clock,
        ids: IdFactory,
        watch: Watch,
        faults: Faults,
    ) -> None:
        self._store = store
        self._reads = reads
        self._webhooks = webhooks
        self._engine = engine
        self._clock = clock
        self._ids = ids
        self._watch = watch
        self._faults = faults

    async def emit(
        self,
        agent: str,
        *,
        type: str,
        data: dict[str, Any] | None = None,
        exact: bool = False,
        id: str | None = None,
        created: datetime | None = None,
        webhook: str | None = None,
        allow_unknown_type: bool = False,
        fault: str | None = None,
    ) -> Accepted:
        """Make an event durable, with one delivery per webhook that wants it, and have it sent.

        `data` is laid over the sample of the type, key by key; with `exact` it is all the data. An event `created` in
        the future is delivered then. The same `id` with the same content again is the same event (decision D14). `fault`
        meets the first attempt of each of its deliveries.

        Raises: UnknownEventType, UnknownFaultKind, InvalidInput, InvalidJson, UnknownAgent, UnknownWebhook, EventIdTaken, ServerStopping.
        """
        check_agent(agent)
        if not allow_unknown_type:
            check_event_type(type)
        if webhook is not None:
            await self._webhooks.find(agent, webhook)
        shown = None if fault is None else self._faults.read_for_event(fault)
        now = self._clock.now()
        content = self._content(agent, type, data=data, exact=exact, id=id, now=now)
        event = self._event(agent, type, content, id=id, created=created, now=now)
        try:
            return await self._add(event, only_webhook=webhook, now=now, fault=shown)
        except EventIdTaken:
            if created is not None:
                raise
            # Without a time of its own, the same content announced again is the same event: compare under its time.
            known = await self._reads.event(event.id)
            again = self._event(agent, type, content, id=id, created=known.created_at, now=now)
            return await self._add(again, only_webhook=webhook, now=now, fault=shown)

    def draft(
        self,
        agent: str,
        *,
        type: str,
        data: dict[str, Any] | None = None,
        id: str | None = None,
        created: datetime | None = None,
    ) -> StoredEvent:
        """Return an event as it would be announced, with its exact bytes, and announce nothing. `data` is all of it; None: the sample.

        Raises: UnknownEventType, InvalidInput, InvalidJson.
        """
        check_agent(agent)
        check_event_type(type)
        now = self._clock.now()
        content = self._content(agent, type, data=data, exact=data is not None, id=None, now=now)
        return self._event(agent, type, content, id=id, created=created, now=now)

    async def announce_again(
        self, body: bytes, *, agent: str | None, created: datetime, keep_id: bool, webhook: str | None = None
    ) -> Accepted:
        """Announce what was announced once: the same bytes with `keep_id`, else the same type and data as a new event of now.

        `body` is the JSON of an event, `created` the time in it. With `keep_id` an event that is there already is `known`.

        Raises: EventIdTaken when another event has its id; ServerStopping.
        """
        now, event = self._clock.now(), json.loads(body)
        if keep_id:
            stored = StoredEvent(event["id"], event["type"], agent, created, body)
        else:
            stored = self._event(agent or "", event["type"], event["data"], id=None, created=None, now=now)
        return await self._add(stored, only_webhook=webhook, now=now)

    async def run_agent(self, agent: str, *, ending: str) -> list[Accepted]:
        """Emit `agent.invoked` now and its ending after the run's duration on the engine's clock. Raises: InvalidInput."""
        check_agent(agent)
        request_id = self._ids.new("req", self._clock.now())
        return await self._emit_steps(agent, agent_run(agent=agent, ending=ending, request_id=request_id))

    async def run_deployment(self, agent: str, *, ending: str) -> list[Accepted]:
        """Emit `deployment.started` now and its ending after the deployment's duration. Raises: InvalidInput."""
        check_agent(agent)
        deployment_id = self._ids.new("dpl", self._clock.now())
        return await self._emit_steps(agent, deployment(agent=agent, ending=ending, deployment_id=deployment_id))

    async def test(
        self,
        agent: str,
        webhook_id: str,
        *,
        type: str | None = None,
        data: dict[str, Any] | None = None,
        retry: bool = False,
    ) -> str:
        """Send one signed test to a webhook, whatever it subscribed to, and return the delivery's id (decision D18).

        Raises: UnknownAgent, UnknownWebhook, UnknownEventType, InvalidJson.
        """
        webhook = await self._webhooks.find(agent, webhook_id)
        first = webhook.events[0] if webhook.events else EVENT_TYPE_NAMES[0]
        name = first if type is None else check_event_type(type)
        now = self._clock.now()
        content = self._content(agent, name, data=data, exact=False, id=None, now=now)
        event = self._event(agent, name, content, id=None, created=None, now=now)
        with self._engine.adding:
            accepted = await self._store.add_delivery(
                event, webhook_id, now=now, trigger="test", scheduled=retry, lease=True
            )
            self._made(accepted)
            self._engine.hand_off(accepted.claims)
        return accepted.delivery_ids[0]

    async def _emit_steps(self, agent: str, steps: list[Step]) -> list[Accepted]:
        start = self._clock.now()
        events = [
            self._event(agent, step.type, step.data, id=None, created=start + step.after, now=start) for step in steps
        ]
        return [await self._add(event, only_webhook=None, now=start) for event in events]

    def _content(
        self,
        agent: str,
        type: str,
        *,
        data: dict[str, Any] | None,
        exact: bool,
        id: str | None,
        now: datetime,
    ) -> dict[str, Any]:
        if exact:
            return data or {}
        request_id = self._ids.new("req", now) if id is None else derived_id("req", id)
        return sample_data(type, agent=agent, request_id=request_id) | (data or {})

    def _event(
        self,
        agent: str,
        type: str,
        data: dict[str, Any],
        *,
        id: str | None,
        created: datetime | None,
        now: datetime,
    ) -> StoredEvent:
        event_id = self._ids.new("evt", now) if id is None else id
        created_at = now if created is None else created
        body = new_body(event_id, type, created_at=created_at, data=data)
        return StoredEvent(event_id, type, None if is_system(type) else agent, created_at, body)

    async def _add(
        self, event: StoredEvent, *, only_webhook: str | None, now: datetime, fault: Fault | None = None
    ) -> Accepted:
        if not self._engine.alive:
            raise ServerStopping
        with self._engine.adding:
            accepted = await self._store.add_event(
                event, now=now, only_webhook=only_webhook, lease_unless_full=self._engine.full()
            )
            if fault is not None:
                self._faults.arm_for_event(fault, event.id, deliveries=len(accepted.new))
            if self._watch.observed:
                self._made(accepted)
            self._engine.hand_off(accepted.claims)
        if len(accepted.claims) < len(accepted.delivery_ids):
            self._engine.wake()  # some are due later, held, or wait in the store for room
        return accepted

    def _made(self, accepted: Accepted) -> None:
        """Tell of the deliveries that were made with an event; of one that was known already none were."""
        if not accepted.known:
            for delivery_id in accepted.delivery_ids:
                self._watch.tell(delivery_id)
