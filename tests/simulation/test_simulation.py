"""Seeds of the simulation as tests: no promise is broken, and a seed repeats itself. `make simulate` runs more of them.

One process on SQLite, and several dispatchers on one PostgreSQL.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tests.postgres_server import PostgresServer
from tests.simulation.__main__ import told
from tests.simulation.cluster import Cluster
from tests.simulation.run import simulate, simulate_shared

# As many as fit into the time that a test run may take, of which one process each dies on average; `make simulate-long` runs 5,000.
SEEDS: Final = range(21, 61)
REPEATED: Final = (3, 17, 48, 89, 136)
# Each costs a second, as the world stands still while PostgreSQL answers: a few in which much goes wrong.
SHARED: Final = (8, 12, 15, 16, 19)
SHARED_REPEATED: Final = 15
_ROOT: Final = Path(__file__).resolve().parents[2]
_PRINT: Final = (
    "import hashlib, sys; from tests.simulation.run import simulate;"
    "print(hashlib.sha256(simulate(int(sys.argv[1])).trace.encode()).hexdigest())"
)


def test_no_seed_breaks_a_promise() -> None:
    figures, broken = Counter[str](), []
    for seed in SEEDS:
        result = simulate(seed)
        figures += result.figures
        if result.violations:
            broken.append(told(result))
    print(", ".join(f"{count:,} {name}" for name, count in figures.items()))
    assert "\n".join(broken) == ""
    assert min(figures[name] for name in ("deaths", "failures", "requests")) >= len(SEEDS)


def test_a_seed_repeats_itself_byte_for_byte() -> None:
    first = [simulate(seed).trace for seed in REPEATED]
    assert [simulate(seed).trace for seed in REPEATED] == first


def test_a_seed_is_the_same_in_another_process_whatever_its_hashes_are() -> None:
    here = hashlib.sha256(simulate(REPEATED[0]).trace.encode()).hexdigest()
    for hash_seed in ("1", "2"):
        there = subprocess.run(
            [sys.executable, "-c", _PRINT, str(REPEATED[0])],
            cwd=_ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(_ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout.strip() == here


@pytest.fixture(scope="module")
def cluster(postgres: PostgresServer) -> Cluster:
    return Cluster(postgres.url("").rstrip("/")).prepared()


def test_no_seed_with_several_dispatchers_breaks_a_promise_and_one_repeats_itself(cluster: Cluster) -> None:
    figures, broken, traces = Counter[str](), [], {}
    for seed in SHARED:
        result = simulate_shared(seed, cluster)
        figures += result.figures
        traces[seed] = result.trace
        if result.violations:
            broken.append(told(result, db="postgresql"))
    print(", ".join(f"{count:,} {name}" for name, count in figures.items()))
    assert "\n".join(broken) == ""
    assert min(figures[name] for name in ("deaths", "freezes", "failures", "interrupted")) > 0
    assert simulate_shared(SHARED_REPEATED, cluster).trace == traces[SHARED_REPEATED]
