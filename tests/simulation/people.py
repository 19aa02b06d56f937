"""Who uses the simulated process: emitters, and people who replay, cancel, rotate, disable, delete and move the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from random import Random
from typing import Final

from swiftclaw_local.errors import Conflict, EventIdTaken, NotFound, StorageUnavailable
from swiftclaw_local.events.catalog import EVENT_TYPE_NAMES
from swiftclaw_local.platform import Platform
from tests.simulation.outside import Emit, Hook
from tests.simulation.scenario import AGENTS
from tests.simulation.world import UnreachableError, World

# What may lawfully come back when somebody asks for something that others change at the same time.
_LOST_RACES: Final = (Conflict, NotFound, StorageUnavailable, UnreachableError)


async def register(world: World) -> None:
    """Register the webhooks that the seed asks for."""
    for number, planned in enumerate(world.scenario.hooks):
        secret = f"scsec_{number}"

        async def create(platform: Platform, planned=planned, secret=secret) -> Hook:  # type: ignore[no-untyped-def]  # bound now
            webhook, _ = await platform.webhooks.create(
                planned.agent, url=planned.url, events=list(planned.types), secret=secret
            )
            return Hook(webhook.id, planned.agent, planned.url, planned.types, [secret])

        hook = await world.ask(create)
        world.outside.hooks[hook.id] = hook


class Emitter:
    """Emits its events one after the other; what was not answered it mostly emits again, under the same id."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._number = number
        self._random = Random(f"{world.scenario.seed} emitter {number}")

    async def run(self) -> None:
        """Emit all."""
        scenario, random = self._world.scenario, self._random
        for count in range(scenario.events_each):
            await asyncio.sleep(random.uniform(0, scenario.busy_s / scenario.events_each))
            emit = Emit(
                id=f"evt_{self._number}_{count}",
                agent=random.choice(AGENTS),
                type=random.choice(EVENT_TYPE_NAMES),
                data={"count": count},
            )
            self._world.outside.emits[emit.id] = emit
            if random.random() < 0.15:
                emit.created = datetime.fromtimestamp(round(self._world.wall()) + random.randint(0, 5)).astimezone()
            await self._insist(emit)
            if random.random() < 0.15:
                await self._emit(emit)
            if random.random() < 0.1:
                await self._emit_other_content(emit)

    async def _insist(self, emit: Emit) -> None:
        for _ in range(8):
            await self._emit(emit)
            if emit.acknowledged and self._random.random() > 0.05:  # now and then the answer is lost on the way back
                return
            await asyncio.sleep(self._random.choice([0.0, 0.2, 1.0]))
            if self._random.random() < 0.1:
                return

    async def _emit(self, emit: Emit) -> None:
        emit.under_way = True
        await self._ask_to_emit(emit)
        emit.under_way = False

    async def _ask_to_emit(self, emit: Emit) -> None:
        world = self._world
        hooks = world.outside.hooks.values()
        owed = {hook.id for hook in hooks if hook.wants(emit) and not hook.deleted}
        try:
            accepted = await world.ask(
                lambda platform: platform.events.emit(
                    emit.agent, type=emit.type, data=emit.data, id=emit.id, created=emit.created
                )
            )
        except StorageUnavailable as error:
            emit.ambiguous |= world.refusals_may_be_wrong
            world.note(f"{emit.id} is refused: {error.code}")
            return
        except UnreachableError:
            emit.ambiguous = True
            world.note(f"{emit.id} gets no answer")
            return
        except EventIdTaken:
            world.outside.violated("I2", f"{emit.id} is refused as another event than itself")
            return
        if emit.body is None:
            emit.body = accepted.event.body
        if not accepted.known:
            emit.owed = frozenset(name for name in owed if not world.outside.hooks[name].deleted)
        if emit.body != accepted.event.body:
            world.outside.violated("I2", f"{emit.id} was answered with two bodies")
        world.note(f"{emit.id} is acknowledged: {' '.join(accepted.delivery_ids)}")

    async def _emit_other_content(self, emit: Emit) -> None:
        if not emit.acknowledged:
            return
        other = emit.data | {"other": True}
        try:
            await self._world.ask(
                lambda platform: platform.events.emit(emit.agent, type=emit.type, data=other, id=emit.id)
            )
        except EventIdTaken:
            return
        except (StorageUnavailable, UnreachableError):
            return
        self._world.outside.violated("I2", f"{emit.id} was taken with another content")


class People:
    """Do one thing after the other, as the seed says."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = Random(f"{world.scenario.seed} people")
        self._actions: list[Callable[[], Awaitable[None]]] = [
            self._replay,
            self._replay,
            self._replay_now,
            self._cancel,
            self._switch,
            self._rotate,
            self._delete,
            self._stop,
            self._test,
        ]

    async def run(self) -> None:
        """Do it all."""
        scenario = self._world.scenario
        for _ in range(scenario.actions):
            await asyncio.sleep(self._random.uniform(0, 1.5 * scenario.busy_s / scenario.actions))
            action = self._random.choice(self._actions)
            self._world.note(f"people: {action.__name__}")
            try:
                await action()
            except _LOST_RACES as error:
                self._world.note(f"people: {type(error).__name__}")
            self._world.look()

    async def move_clock(self) -> None:
        """Move a manual clock on, again and again."""
        moves: list[Callable[[Platform], Awaitable[object]]] = [
            lambda platform: platform.timeline.advance(timedelta(minutes=self._random.choice([1, 6, 90]))),
            lambda platform: platform.timeline.run_next(),
            lambda platform: platform.timeline.run_until_idle(),
        ]
        while True:
            await asyncio.sleep(self._random.uniform(0.1, 3))
            try:
                await self._world.ask(self._random.choice(moves))
            except _LOST_RACES as error:
                self._world.note(f"clock: {type(error).__name__}")

    async def set_wall_clock(self) -> None:
        """Set the machine's clock now and then."""
        scenario = self._world.scenario
        for _ in range(scenario.wall_jumps):
            await asyncio.sleep(self._random.uniform(0, scenario.busy_s))
            self._world.set_wall_clock(self._random.choice([6 * 3600, -3 * 86400, 30, -30]))

    async def break_database(self) -> None:
        """Have the database fail for a while."""
        scenario = self._world.scenario
        for _ in range(scenario.outages):
            await asyncio.sleep(self._random.uniform(0, scenario.busy_s))
            self._world.outage(self._random.choice([0.1, 0.6, 3.0]))

    async def freeze(self, freeze: Callable[[], None]) -> None:
        """Freeze a process now and then."""
        scenario = self._world.scenario
        for _ in range(scenario.freezes):
            await asyncio.sleep(self._random.uniform(0, scenario.busy_s))
            freeze()

    async def kill(self) -> None:
        """Kill the process at any moment."""
        world, scenario = self._world, self._world.scenario
        while world.outside.deaths < scenario.deaths:
            await asyncio.sleep(self._random.uniform(0, scenario.busy_s))
            if world.outside.deaths < scenario.deaths:
                world.die()

    # --- one thing each -----------------------------------------------------------------------------------------

    def _any_delivery(self, where: str) -> str:
        found = self._world.deliveries(where)
        if not found:
            raise UnreachableError
        return self._random.choice(found)

    def _any_hook(self) -> Hook:
        hooks = [hook for hook in self._world.outside.hooks.values() if not hook.deleted]
        if not hooks:
            raise UnreachableError
        return self._random.choice(hooks)

    async def _replay(self) -> None:
        original, retries = self._any_delivery("ended_at IS NOT NULL"), self._random.random() < 0.5
        asked = [
            self._world.ask(lambda platform: platform.deliveries.replay(original, with_retries=retries))
            for _ in range(self._random.choice([1, 2]))
        ]
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(answer, str):
                self._world.outside.replays[answer] = original
                self._world.note(f"{answer} replays {original}")
            elif not isinstance(answer, _LOST_RACES):
                raise answer

    async def _replay_now(self) -> None:
        name = self._any_delivery("state = 'pending'")
        self._world.outside.brought_forward.add(name)
        await self._world.ask(lambda platform: platform.deliveries.replay_now(name))

    async def _cancel(self) -> None:
        name = self._any_delivery("state = 'pending'")
        await self._world.ask(lambda platform: platform.deliveries.cancel(name))
        self._world.outside.canceled.add(name)

    async def _switch(self) -> None:
        hook = self._any_hook()
        await self.switch(hook, enabled=not hook.enabled)

    async def switch(self, hook: Hook, *, enabled: bool) -> None:
        """Enable or disable a webhook."""
        self._world.trouble(0.1)
        hook.enabled &= enabled  # without an answer it may be disabled
        await self._world.ask(lambda platform: platform.webhooks.change(hook.agent, hook.id, enabled=enabled))
        hook.enabled = enabled
        self._world.trouble(0.1)

    async def _rotate(self) -> None:
        hook = self._any_hook()
        secret = f"{hook.secrets[0]}_{len(hook.secrets)}"
        hook.secrets.append(secret)
        await self._world.ask(lambda platform: platform.webhooks.rotate_secret(hook.agent, hook.id, secret=secret))

    async def _delete(self) -> None:
        if self._random.random() < 0.5:
            await self.delete(self._any_hook())

    async def delete(self, hook: Hook) -> None:
        """Delete a webhook."""
        hook.deleted = True
        await self._world.ask(lambda platform: platform.webhooks.delete(hook.agent, hook.id))
        hook.delete_answered, hook.delete_answered_at = True, self._world.loop.now

    async def _stop(self) -> None:
        await self._world.stop()

    async def _test(self) -> None:
        hook = self._any_hook()
        retry = self._random.random() < 0.3
        await self._world.ask(lambda platform: platform.events.test(hook.agent, hook.id, retry=retry))
