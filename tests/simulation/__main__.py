"""`python -m tests.simulation --seeds 1-300`: runs seeds and says which broke a promise, and how to see it again."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator

from tests.simulation.run import Result, simulate


def main() -> int:
    """Run the seeds; return 1 when one of them broke a promise."""
    asked = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    asked.add_argument("--seeds", default="1-300", help="as 1-300 or 17")
    asked.add_argument("--db", choices=["sqlite"], default="sqlite")
    asked.add_argument("--jobs", type=int, default=1, help="processes at once")
    asked.add_argument("--first", action="store_true", help="stop at the first seed that broke a promise")
    given = asked.parse_args()
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    started, figures, broken = time.perf_counter(), Counter[str](), 0
    for result in _results(seeds, jobs=given.jobs):
        figures += result.figures
        if result.violations:
            broken += 1
            print(told(result, whole=len(seeds) == 1), flush=True)
            if given.first:
                break
    if len(seeds) == 1 and not broken:
        print(simulate(seeds[0]).trace)
    took = time.perf_counter() - started
    shown = ", ".join(f"{count:,} {name}" for name, count in figures.items())
    print(f"{shown} of virtual time in {took:.1f} s: {broken} broke a promise")
    return 1 if broken else 0


def told(result: Result, *, whole: bool = False) -> str:
    """Return what a broken seed says, with its whole history when asked."""
    lines = [result.trace] if whole else []
    lines += [f"seed {result.seed}: {violation}" for violation in result.violations[:10]]
    return "\n".join([*lines, f"see it again: make simulate SEEDS={result.seed}"])


def _results(seeds: Iterable[int], *, jobs: int) -> Iterator[Result]:
    if jobs == 1:
        yield from map(simulate, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(simulate, seeds, chunksize=4)


if __name__ == "__main__":
    sys.exit(main())
