"""`python -m tests.crash [SUITE...]`: the suites at full length, with their figures; 1 when one figure that must be 0 is not."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from tests.crash.databases import database
from tests.crash.judge import Figures
from tests.crash.suites import BOTH, SQLITE, SUITES, Suite
from tests.postgres_server import running_server


def main() -> int:
    """Run the suites asked for, over the databases asked for."""
    given = _asked()
    bad = 0
    for suite in SUITES:
        if given.suites and suite.name not in given.suites:
            continue
        for kind in (kind for kind in suite.databases if given.db in (None, kind)):
            for seed in range(given.seed, given.seed + (given.seeds or suite.seeds)):
                bad += run(suite, kind, rounds=given.rounds or suite.rounds, seed=seed)
    print(f"{bad} runs have a figure that must be 0 and is not")
    return 1 if bad else 0


def run(suite: Suite, kind: str, *, rounds: int, seed: int) -> bool:
    """Run one suite once, print its figures, and return whether one of them is wrong."""
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        nullcontext() if kind == SQLITE else running_server() as server,
        database(kind, Path(folder), server) as made,
    ):
        figures = suite.run(Path(folder), made, rounds=rounds, seed=seed)
    took = time.monotonic() - began
    print(f"{suite.name} on {kind}, {rounds} rounds, seed {seed}, {took:.0f} s: {told(figures)}", flush=True)
    return any(figures[0].values())


def told(figures: Figures) -> str:
    """Return the figures of a suite in words: what must be 0 first."""
    wrong, happened = figures
    nulls = ", ".join(f"{name} {count}" for name, count in wrong.items())
    return f"{nulls} ({', '.join(f'{count:,} {name}' for name, count in happened.items())})"


def _asked() -> argparse.Namespace:
    names = [suite.name for suite in SUITES]
    asked = argparse.ArgumentParser(prog="make crash", description=__doc__)
    asked.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(names)}; all unless some are named")
    asked.add_argument("--db", choices=BOTH, help="only over this database")
    asked.add_argument("--rounds", type=int, help="kills, stops, … of each run; else as each suite's table says")
    asked.add_argument("--seeds", type=int, help="runs of each suite, each with the next seed")
    asked.add_argument("--seed", type=int, default=1, help="the first seed")
    given = asked.parse_args()
    unknown = sorted(set(given.suites) - set(names))
    if unknown:
        asked.error(f"there is no suite {unknown[0]}; choose of {', '.join(names)}")
    return given


if __name__ == "__main__":
    sys.exit(main())
