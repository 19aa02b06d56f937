"""`python -m tests.crash`: the suites at full length, with their figures; 1 when something was lost, doubled or stuck."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tests.crash import suites


def main() -> int:
    """Run every suite with every seed."""
    asked = argparse.ArgumentParser(prog="make crash", description=__doc__)
    asked.add_argument(
        "--rounds",
        type=int,
        default=200,
        help="kills of each run; half as many orderly stops, a tenth as many full disks",
    )
    asked.add_argument("--seeds", type=int, default=3)
    given = asked.parse_args()
    bad = 0
    for seed in range(1, given.seeds + 1):
        for suite, part in suites.ALL:
            rounds = round(given.rounds * part)
            with tempfile.TemporaryDirectory() as folder:
                wrong, happened = suite(Path(folder), rounds=rounds, seed=seed)
            bad += any(wrong.values())
            print(f"seed {seed}, {rounds} rounds: {told(suite, wrong, happened)}", flush=True)
    return 1 if bad else 0


def told(suite: suites.Suite, wrong: Mapping[str, int], happened: Counter[str]) -> str:
    """Return the figures of a suite as one line."""
    nulls = ", ".join(f"{name} {count}" for name, count in wrong.items())
    return f"{suite.__name__}: {nulls} ({', '.join(f'{count:,} {name}' for name, count in happened.items())})"


if __name__ == "__main__":
    sys.exit(main())
