"""The table of the suites: over which databases each runs, how long in full, and how long in `make test`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from tests.crash import clocks, edits, freezes, kills, migrations, outages, points, replays
from tests.crash.databases import Database
from tests.crash.judge import Figures

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"
BOTH: Final = (SQLITE, POSTGRESQL)


class Run(Protocol):
    """So many rounds on an empty database, in a fresh folder."""

    def __call__(self, folder: Path, database: Database, *, rounds: int, seed: int) -> Figures: ...


@dataclass(frozen=True, slots=True)
class Suite:
    """`quick`: the rounds in `make test`, by database; a database that is missing there is only in `make crash`.

    `quickly` is what runs there, where that is not the same: of less work, or of shorter waits.
    """

    name: str
    run: Run
    rounds: int
    databases: tuple[str, ...] = BOTH
    seeds: int = 1
    quick: tuple[tuple[str, int], ...] = ()
    quickly: Run | None = None


SUITES: Final = (
    Suite("killed", kills.killed, 200, databases=(SQLITE,), seeds=3, quick=((SQLITE, 2),)),
    Suite("one_killed", kills.killed, 100, databases=(POSTGRESQL,)),
    Suite("stopped", kills.stopped, 100, quick=((SQLITE, 1),)),
    Suite("untouched", kills.untouched, 200, quick=((POSTGRESQL, 1),)),
    Suite("frozen", freezes.frozen, 30, databases=(POSTGRESQL,)),
    Suite("unfenced", freezes.unfenced, 1, databases=(POSTGRESQL,)),
    Suite("restarted", outages.restarted, 20, databases=(POSTGRESQL,), quick=((POSTGRESQL, 1),)),
    Suite("starved", outages.starved, 20, quick=((SQLITE, 1),)),
    Suite("jumped", clocks.jumped, 3),
    Suite("advanced", clocks.advanced, 3, quick=((SQLITE, 1),), quickly=partial(clocks.advanced, timeout_s=0.3)),
    Suite("edited", edits.edited, 60, quick=((SQLITE, 1),)),
    Suite(
        "replayed",
        replays.replayed,
        10,
        quick=((SQLITE, 1),),
        quickly=partial(replays.replayed, a_round=80),
    ),
    Suite("replayed_together", replays.replayed_together, 10),
    Suite("migrated", migrations.migrated, 30, quick=((SQLITE, 1),), quickly=partial(migrations.migrated, rows=1000)),
    Suite("committed_half_way", migrations.committed_half_way, 1, quick=((POSTGRESQL, 1),)),
    Suite("died_at_points", points.died_at_points, 2),
)
