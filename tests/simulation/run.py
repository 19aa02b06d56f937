"""Runs the world of one seed to its end and says which promises were broken."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

from swiftclaw_local.errors import NotFound, StorageUnavailable
from tests.simulation.alone import Alone
from tests.simulation.cluster import Cluster
from tests.simulation.dispatchers import Dispatchers
from tests.simulation.loop import DeadlockError, VirtualLoop
from tests.simulation.people import Emitter, People, register
from tests.simulation.scenario import Scenario, scenario_of, shared_scenario_of
from tests.simulation.strands import DiedError
from tests.simulation.world import UnreachableError, World

_MEMORY: Final = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a seed. `trace` is the same, byte for byte, whenever the seed is run again."""

    seed: int
    violations: tuple[str, ...]
    trace: str
    figures: Counter[str]


def simulate(seed: int) -> Result:
    """Run the world of a seed: one process on SQLite."""
    loop = VirtualLoop(Random(f"{seed} loop"))
    with _folder() as folder:
        world = Alone(scenario_of(seed), loop, Path(folder))
        return _lived(world, loop)


def simulate_shared(seed: int, cluster: Cluster) -> Result:
    """Run the world of a seed: several dispatchers on one PostgreSQL."""
    loop = VirtualLoop(Random(f"{seed} loop"))
    with _folder() as folder, cluster.database(f"seed_{os.getpid()}_{seed}") as url:
        world = Dispatchers(shared_scenario_of(seed), loop, Path(folder), url=url)
        return _lived(world, loop)


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None)


def _lived(world: World, loop: VirtualLoop) -> Result:
    with world.in_place():
        _run(world, loop)
        world.close()
        loop.bury(unheard=DiedError)
    loop.close()
    outside = world.outside
    figures = Counter(
        seeds=1,
        events=len(outside.emits),
        requests=len(outside.posts),
        deaths=outside.deaths,
        freezes=sum(" freezes for " in line for line in world.trace),
        failures=sum(" disk: " in line or " wire: " in line for line in world.trace),
        interrupted=world.interrupted,
        seconds=round(loop.now),
    )
    told = "\n".join([str(world.scenario), *world.trace])
    return Result(world.scenario.seed, tuple(dict.fromkeys(outside.violations)), told, figures)


def _run(world: World, loop: VirtualLoop) -> None:
    try:
        loop.run_until_complete(_history(world, world.scenario))
    except DeadlockError:
        world.outside.violated("I9", "nothing happens any more")
    except Exception as error:  # whatever breaks the world is a finding of this seed
        world.outside.violated("defect", f"{type(error).__name__}: {error}")


async def _history(world: World, scenario: Scenario) -> None:
    living = asyncio.create_task(world.keep_alive())
    while not world.ready:  # noqa: ASYNC110 - waiting costs nothing here
        await asyncio.sleep(0.01)
    await register(world)
    world.armed = True
    people = People(world)
    background = [
        asyncio.create_task(work) for work in (people.kill(), people.set_wall_clock(), people.break_database())
    ]
    if scenario.clock == "manual":
        background.append(asyncio.create_task(people.move_clock()))
    if isinstance(world, Dispatchers):
        background.append(asyncio.create_task(people.freeze(world.freeze)))
    await asyncio.gather(*(Emitter(world, number).run() for number in range(scenario.emitters)), people.run())
    await asyncio.sleep(scenario.busy_s / 4)
    for task in background:
        task.cancel()
    for outcome in await asyncio.gather(*background, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome
    await _drain(world, people)
    world.look(settled=True)
    await world.stop()
    living.cancel()


async def _drain(world: World, people: People) -> None:
    """Let everything come to its end, on a machine without accidents."""
    world.armed = False
    world.outage_until = 0.0
    world.note("from here on all is well")
    await world.settle_down()
    for hook in world.outside.hooks.values():
        while hook.deleted > hook.delete_answered or not (hook.deleted or hook.enabled):
            with suppress(UnreachableError, StorageUnavailable, NotFound):
                await (people.delete(hook) if hook.deleted else people.switch(hook, enabled=True))
                continue
            hook.delete_answered = hook.deleted and world.is_gone(hook.id)
            await asyncio.sleep(0.1)
    if world.scenario.clock == "manual":
        await _run_until_idle(world)
    pace = 60 if world.scenario.clock == "x60" else 1
    patience = 900 + 2 * sum(world.scenario.schedule, timedelta()).total_seconds() / pace
    until = world.loop.now + patience
    while world.open_deliveries() and world.loop.now < until:  # noqa: ASYNC110 - as above
        await asyncio.sleep(1)


async def _run_until_idle(world: World) -> None:
    for _ in range(100):
        with suppress(UnreachableError, StorageUnavailable):
            await world.ask(lambda platform: platform.timeline.run_until_idle())
            return
        await asyncio.sleep(0.1)
