"""What a seed asks for: the clock, the receivers, how much happens, and how often something goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Literal

from swiftclaw_local.events.catalog import EVENT_TYPE_NAMES
from swiftclaw_local.scheduler.policy import PAGE_SCHEDULE, Schedule
from tests.simulation.receiver import MOODS

Clock = Literal["real", "x60", "manual"]
AGENTS = ("agent-one", "agent-two")


@dataclass(frozen=True, slots=True)
class PlannedHook:
    """A webhook to be registered at the beginning."""

    agent: str
    url: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One seed's world. Rates are chances: per commit, per timer, per action."""

    seed: int
    clock: Clock
    schedule: Schedule
    per_webhook: int
    hooks: tuple[PlannedHook, ...]
    emitters: int
    events_each: int
    actions: int
    busy_s: float
    deaths: int
    death_rate: float
    failure_rate: float
    lost_answer_rate: float
    outages: int
    lost_timer_rate: float
    wall_jumps: int
    dispatchers: int = 1
    freezes: int = 0
    freeze_rate: float = 0.0
    loss_rate: float = 0.0
    silence_rate: float = 0.0
    database_ahead_s: float = 0.0


def scenario_of(seed: int) -> Scenario:
    """Return the world of a seed."""
    random = Random(f"{seed} scenario")
    clock: Clock = random.choices(("real", "x60", "manual"), (6, 2, 2))[0]
    short = tuple(timedelta(seconds=random.choice([0.05, 0.4, 1, 3])) * (k + 1) for k in range(random.randint(1, 5)))
    hooks = tuple(
        PlannedHook(
            agent=random.choice(AGENTS),
            url=f"http://127.0.0.1:{9000 + number}/{random.choice(list(MOODS))}-{number}",
            types=tuple(t for t in EVENT_TYPE_NAMES if random.random() < 0.7) or EVENT_TYPE_NAMES[:1],
        )
        for number in range(random.randint(1, 4))
    )
    calm = random.random() < 0.15
    return Scenario(
        seed=seed,
        clock=clock,
        schedule=short if clock == "real" else PAGE_SCHEDULE,
        per_webhook=random.choice([1, 2, 10]),
        hooks=hooks,
        emitters=random.randint(1, 4),
        events_each=random.randint(2, 8),
        actions=random.randint(0, 12),
        busy_s=random.choice([1.0, 8.0, 20.0]),
        deaths=0 if calm else random.randint(0, 4),
        death_rate=random.choice([0.0, 0.01, 0.05]),
        failure_rate=0.0 if calm else random.choice([0.0, 0.02, 0.1]),
        lost_answer_rate=0.0 if calm else random.choice([0.0, 0.1, 0.4]),
        outages=0 if calm else random.choice([0, 0, 1, 2]),
        lost_timer_rate=random.choice([0.0, 0.0, 0.3]),
        wall_jumps=0 if calm or clock != "real" else random.choice([0, 0, 1, 3]),
    )


def shared_scenario_of(seed: int) -> Scenario:
    """Return the world of a seed with several dispatchers on one database. Their clock is the real one."""
    random = Random(f"{seed} shared scenario")
    short = tuple(timedelta(seconds=random.choice([0.05, 0.4, 1, 3])) * (k + 1) for k in range(random.randint(1, 5)))
    calm = random.random() < 0.15
    return replace(
        scenario_of(seed),
        clock="real",
        schedule=short,
        wall_jumps=0,
        busy_s=random.choice([4.0, 20.0, 60.0]),
        dispatchers=random.choice([2, 2, 3]),
        deaths=0 if calm else random.randint(0, 3),
        death_rate=random.choice([0.0, 0.005, 0.02]),
        failure_rate=0.0 if calm else random.choice([0.0, 0.0, 0.02]),
        lost_answer_rate=0.0 if calm else random.choice([0.0, 0.02, 0.1]),
        loss_rate=0.0 if calm else random.choice([0.0, 0.001, 0.005]),
        silence_rate=0.0 if calm else random.choice([0.0, 0.0, 0.001]),
        freezes=0 if calm else random.randint(0, 4),
        freeze_rate=random.choice([0.0, 0.002, 0.01]),
        outages=0 if calm else random.choice([0, 0, 1]),
        database_ahead_s=random.choice([0.0, 3600.0, -3600.0]),
    )
