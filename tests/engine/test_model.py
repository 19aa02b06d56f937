"""Random histories against a model small enough to be right by inspection: what is sent, when, and how it ends.

The model knows one rule: an attempt fails or succeeds as the receiver is told to, and the next one is due a fixed time later.
MODEL_HISTORIES sets how many histories are tried; with MODEL_DB=postgresql they are tried there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from swiftclaw_local.errors import SwiftclawError
from swiftclaw_local.platform import Platform
from swiftclaw_local.scheduler.policy import PAGE_SCHEDULE
from swiftclaw_local.settings import DatabaseUrl, Settings
from swiftclaw_local.storage.states import State
from tests.engine.scripted import ScriptedReceiver
from tests.misbehaving.stage import QUIET
from tests.storage.databases import KEY, PostgresDatabase

HISTORIES: Final = int(os.environ.get("MODEL_HISTORIES", "50"))
AGENT: Final = "my-agent"
MOST: Final = 3
WAITS: Final = [timedelta(seconds=n) for n in (1, 59, 60, 61, 300, 900, 3600, 21_600)]
ANSWERS: Final = st.sampled_from([200, 204, 500, 503, 404, 429, 301, "reset", "timeout"])
T = TypeVar("T")


@pytest.fixture(scope="module", autouse=True)
def settings_of_the_platform(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Have the histories tried on the database that is asked for."""
    with pytest.MonkeyPatch.context() as patched:
        if os.environ.get("MODEL_DB") == "postgresql":
            PostgresDatabase.server = request.getfixturevalue("postgres")
            url = PostgresDatabase(tmp_path_factory.mktemp("model")).url
            patched.setenv("SWIFTCLAW_KEY", KEY.hex())
            patched.setattr(History, "settings", Settings(db=DatabaseUrl(url), clock="manual", seed=7))
        yield


@dataclass(slots=True)
class Expected:
    """A delivery as the model has it; `due_at` is None once it has ended."""

    webhook_id: str
    scheduled: bool
    due_at: datetime | None
    state: State = State.PENDING
    sends: list[datetime] = field(default_factory=list)

    def attempt(self, answer: int | str, now: datetime) -> None:
        """Make one attempt."""
        self.sends.append(now)
        retryable = isinstance(answer, str) or 500 <= answer <= 599
        retries = len(self.sends) - 1
        if isinstance(answer, int) and 200 <= answer <= 299:
            self.end(State.SUCCEEDED)
        elif retryable and self.scheduled and retries < len(PAGE_SCHEDULE):
            self.due_at = now + PAGE_SCHEDULE[retries]
        else:
            self.end(State.DEAD)

    def end(self, state: State) -> None:
        """Reach an end."""
        self.state, self.due_at = state, None


class History(RuleBasedStateMachine):
    """One history: the platform and the model are told the same, and compared after every step."""

    settings = Settings(ephemeral=True, clock="manual", seed=7)

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.receiver = ScriptedReceiver()
        self.answer: int | str = 200
        self.enabled: dict[str, bool] = {}
        self.model: dict[str, Expected] = {}
        self.platform: Platform = self.run(self._opened())

    async def _opened(self) -> Platform:
        platform = await Platform.open(self.settings, sender=self.receiver, log=QUIET)
        await platform.start()
        if not self.settings.ephemeral:
            await platform.reset()  # of what the history before left
        return platform

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one step of the platform to its end."""
        return self.loop.run_until_complete(asyncio.wait_for(work, 20))

    def teardown(self) -> None:
        """Stop the platform."""
        self.run(self.platform.stop())
        self.loop.close()

    def settle(self, until: datetime | None = None) -> None:
        """Have both do what is due by now, or by a later time, jumping from due time to due time."""
        now = self.platform.clock.now()
        goal = until or now
        self.run(self.platform.timeline.move_to(goal))
        while due := [d for d in self.model.values() if self.is_due(d, goal)]:
            delivery = min(due, key=lambda d: d.due_at or goal)
            delivery.attempt(self.answer, max(delivery.due_at or goal, now))

    def is_due(self, delivery: Expected, goal: datetime) -> bool:
        """Return whether the model sends it by then."""
        return delivery.due_at is not None and delivery.due_at <= goal and self.enabled[delivery.webhook_id]

    def add(self, delivery_id: str, webhook_id: str, *, scheduled: bool) -> None:
        """Add a delivery that is due now."""
        self.model[delivery_id] = Expected(webhook_id, scheduled, self.platform.clock.now())

    # --- what may happen ----------------------------------------------------------------------------------------

    @initialize(answer=st.sampled_from([500, "timeout"]))
    def begin(self, answer: int | str) -> None:
        self.answer_so(answer)
        self.create(enabled=True)

    @rule(answer=ANSWERS)
    def answer_so(self, answer: int | str) -> None:
        self.answer = answer
        self.receiver.respond(answer)

    @precondition(lambda self: len(self.enabled) < MOST)
    @rule(enabled=st.booleans())
    def create(self, enabled: bool) -> None:
        url = f"http://127.0.0.1:9/{len(self.enabled)}"
        webhook, _ = self.run(self.platform.webhooks.create(AGENT, url=url, enabled=enabled))
        self.enabled[webhook.id] = enabled

    @rule()
    def emit(self) -> None:
        accepted = self.run(self.platform.events.emit(AGENT, type="agent.failed"))
        assert len(accepted.delivery_ids) == len(self.enabled)
        for delivery_id in accepted.delivery_ids:
            delivery = self.run(self.platform.reads.delivery(delivery_id))
            self.add(delivery_id, delivery.webhook_id, scheduled=True)
        self.settle()

    @rule(by=st.sampled_from(WAITS))
    def advance(self, by: timedelta) -> None:
        self.settle(self.platform.clock.now() + by)

    @precondition(lambda self: any(d.due_at for d in self.model.values()))
    @rule(times=st.integers(1, 6))
    def go_on(self, times: int) -> None:
        """Move to the next due times of deliveries that are not held, one after the other."""
        for _ in range(times):
            due = [d.due_at for d in self.model.values() if d.due_at is not None and self.enabled[d.webhook_id]]
            if due:
                self.settle(min(due))
                self.both_have_the_same()

    @precondition(lambda self: self.enabled)
    @rule(data=st.data(), on=st.booleans(), url=st.booleans())
    def update(self, data: st.DataObject, on: bool, url: bool) -> None:
        webhook_id = data.draw(st.sampled_from(sorted(self.enabled)))
        moved = "http://127.0.0.1:9/moved" if url else None
        self.run(self.platform.webhooks.change(AGENT, webhook_id, enabled=on, url=moved))
        self.enabled[webhook_id] = on
        self.settle()

    @precondition(lambda self: self.enabled)
    @rule(data=st.data())
    def rotate(self, data: st.DataObject) -> None:
        self.run(self.platform.webhooks.rotate_secret(AGENT, data.draw(st.sampled_from(sorted(self.enabled)))))

    @precondition(lambda self: self.enabled)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        webhook_id = data.draw(st.sampled_from(sorted(self.enabled)))
        self.run(self.platform.webhooks.delete(AGENT, webhook_id))
        del self.enabled[webhook_id]
        for delivery in self.model.values():
            if delivery.webhook_id == webhook_id and delivery.due_at is not None:
                delivery.end(State.CANCELED)

    @precondition(lambda self: self.enabled)
    @rule(data=st.data(), retry=st.booleans())
    def test(self, data: st.DataObject, retry: bool) -> None:
        webhook_id = data.draw(st.sampled_from(sorted(self.enabled)))
        delivery_id = self.run(self.platform.events.test(AGENT, webhook_id, retry=retry))
        self.add(delivery_id, webhook_id, scheduled=retry)
        self.model[delivery_id].attempt(self.answer, self.platform.clock.now())  # at once, even while disabled
        self.settle()

    @precondition(lambda self: self.model)
    @rule(data=st.data(), retries=st.booleans())
    def replay(self, data: st.DataObject, retries: bool) -> None:
        old = data.draw(st.sampled_from(sorted(self.model)))
        try:
            new = self.run(self.platform.deliveries.replay(old, with_retries=retries))
        except SwiftclawError:
            return  # pending, replayed already, or its webhook is gone: the model need not know which
        assert self.model[old].due_at is None
        self.add(new, self.model[old].webhook_id, scheduled=retries)
        self.settle()

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        delivery_id = data.draw(st.sampled_from(sorted(self.model)))
        expected = self.model[delivery_id]
        try:
            self.run(self.platform.deliveries.cancel(delivery_id))
        except SwiftclawError:
            assert expected.due_at is None
            return
        assert expected.due_at is not None
        expected.end(State.CANCELED)

    # --- what must hold -----------------------------------------------------------------------------------------

    @invariant()
    def both_have_the_same(self) -> None:
        for delivery_id, expected in self.model.items():
            delivery = self.run(self.platform.reads.delivery(delivery_id))
            attempts = self.run(self.platform.reads.attempts(delivery_id))
            assert (delivery.state, [a.started_at for a in attempts]) == (expected.state, expected.sends)
            assert len(attempts) <= 1 + (len(PAGE_SCHEDULE) if expected.scheduled else 0)
            if expected.due_at is not None:
                assert delivery.due_at == expected.due_at
        assert len(self.receiver.received) == sum(len(d.sends) for d in self.model.values())


History.TestCase.settings = settings(
    max_examples=HISTORIES,
    stateful_step_count=15,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestHistories = History.TestCase
