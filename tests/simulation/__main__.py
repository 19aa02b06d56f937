"""`python -m tests.simulation --seeds 1-300`: runs seeds and says which broke a promise, and how to see it again."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from tests.postgres_server import running_server
from tests.simulation.cluster import Cluster
from tests.simulation.run import Result, simulate, simulate_shared

Simulate = Callable[[int], Result]


def main() -> int:
    """Run the seeds; return 1 when one of them broke a promise."""
    asked = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    asked.add_argument("--seeds", default="1-300", help="as 1-300 or 17")
    asked.add_argument(
        "--db",
        choices=["sqlite", "postgresql"],
        default="sqlite",
        help="one process on SQLite, or several dispatchers on PostgreSQL",
    )
    asked.add_argument("--server", help="a PostgreSQL that runs already, as postgresql://user@host:port")
    asked.add_argument("--jobs", type=int, default=1, help="processes at once")
    asked.add_argument("--first", action="store_true", help="stop at the first seed that broke a promise")
    given = asked.parse_args()
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    started, figures, broken = time.perf_counter(), Counter[str](), 0
    with simulation_on(given.db, server=given.server) as run:
        for result in _results(run, seeds, jobs=given.jobs):
            figures += result.figures
            if result.violations:
                broken += 1
                print(told(result, db=given.db, whole=len(seeds) == 1), flush=True)
                if given.first:
                    break
        if len(seeds) == 1 and not broken:
            print(run(seeds[0]).trace)
    took = time.perf_counter() - started
    shown = ", ".join(f"{count:,} {name}" for name, count in figures.items())
    print(f"{shown} of virtual time in {took:.1f} s: {broken} broke a promise")
    return 1 if broken else 0


@contextmanager
def simulation_on(db: str, *, server: str | None = None) -> Iterator[Simulate]:
    """Give what simulates a seed on a database, with a server of its own where one is needed and none is given."""
    if db == "sqlite":
        yield simulate
    elif server is not None:
        yield partial(simulate_shared, cluster=Cluster(server).prepared())
    else:
        with running_server() as own:
            yield partial(simulate_shared, cluster=Cluster(own.url("").rstrip("/")).prepared())


def told(result: Result, *, db: str = "sqlite", whole: bool = False) -> str:
    """Return what a broken seed says, with its whole history when asked."""
    lines = [result.trace] if whole else []
    lines += [f"seed {result.seed}: {violation}" for violation in result.violations[:10]]
    return "\n".join([*lines, f"see it again: make simulate SEEDS={result.seed} DB={db}"])


def _results(run: Simulate, seeds: Iterable[int], *, jobs: int) -> Iterator[Result]:
    if jobs == 1:
        yield from map(run, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(run, seeds, chunksize=4)


if __name__ == "__main__":
    sys.exit(main())
