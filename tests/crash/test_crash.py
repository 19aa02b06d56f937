"""Short runs of the suites; `make crash` runs them at full length."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest

from swiftclaw_local.storage import postgres_statements
from tests.crash.__main__ import told
from tests.crash.databases import SqliteFile, database
from tests.crash.hooks import POINTS, unfenced
from tests.crash.points import died_at_points
from tests.crash.suites import SQLITE, SUITES, Suite

QUICK = [(suite, kind, rounds) for suite in SUITES for kind, rounds in suite.quick]


@pytest.mark.parametrize(("suite", "kind", "rounds"), QUICK, ids=[f"{suite.name}-{kind}" for suite, kind, _ in QUICK])
def test_nothing_is_lost_doubled_or_stuck(
    tmp_path: Path, request: pytest.FixtureRequest, suite: Suite, kind: str, rounds: int
) -> None:
    server = None if kind == SQLITE else request.getfixturevalue("postgres")
    with database(kind, tmp_path, server) as made:
        figures = (suite.quickly or suite.run)(tmp_path, made, rounds=rounds, seed=1)
    print(f"{suite.name} on {kind}: {told(figures)}")
    wrong, happened = figures
    assert wrong == dict.fromkeys(wrong, 0)
    assert sum(happened.values()) > 10


def test_a_server_dies_at_a_named_point_and_nothing_is_lost(tmp_path: Path) -> None:
    points = ("record.asked",)
    wrong, happened = died_at_points(tmp_path, SqliteFile(tmp_path), rounds=1, seed=1, points=points)
    print(f"{points}: {told((wrong, happened))}")
    assert wrong == dict.fromkeys(wrong, 0)
    assert happened["deaths at a point"] == 1


@pytest.mark.parametrize("point", POINTS)
def test_a_named_point_stands_in_the_code(point: str) -> None:
    for module, owner, name, _ in POINTS[point]:
        verb = getattr(getattr(import_module(module), owner), name)
        assert inspect.iscoroutinefunction(verb) or "Future" in inspect.signature(verb).return_annotation


def test_the_edit_that_takes_the_fence_out_still_fits_the_code() -> None:
    assert unfenced(postgres_statements.RECORD) != postgres_statements.RECORD


def test_the_shipped_code_carries_no_hook() -> None:
    package = Path(postgres_statements.__file__).parents[1]
    assert [path.name for path in package.rglob("*.py") if "CRASH_" in path.read_text(encoding="utf-8")] == []
