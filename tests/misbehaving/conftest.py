"""Prints the table of receivers that misbehave after its tests, when they are run with -s.

With RECEIVERS_DB=postgresql the platforms that they misbehave to keep their data there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

import pytest

from swiftclaw_local.settings import DatabaseUrl
from tests.misbehaving import stage
from tests.misbehaving.rows import Seen
from tests.storage.databases import KEY, PostgresDatabase

Line = tuple[int, str, str, str, bool]
LINES: Final[pytest.StashKey[list[Line]]] = pytest.StashKey()


class Table:
    """What was played, expected and seen; printed at the end."""

    def __init__(self, lines: list[Line]) -> None:
        self._lines = lines

    def add(self, row: int, receiver: str, variant: str, *, expected: Seen, seen: Seen) -> None:
        """Add what was seen of a receiver."""
        self._lines.append((row, f"{receiver}: {variant}", str(expected), str(seen), expected == seen))

    def measured(self, row: int, what: str, *, limit: str, seen: str, within: bool) -> None:
        """Add a figure."""
        self._lines.append((row, what, limit, seen, within))


@pytest.fixture(scope="session", autouse=True)
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have each platform in a PostgreSQL schema of its own, when that is asked for."""
    with pytest.MonkeyPatch.context() as patched:
        if os.environ.get("RECEIVERS_DB") == "postgresql":
            PostgresDatabase.server = request.getfixturevalue("postgres")
            folder = tmp_path_factory.mktemp("receivers")
            patched.setenv("SWIFTCLAW_KEY", KEY.hex())
            patched.setattr(stage, "placed", lambda: {"db": DatabaseUrl(PostgresDatabase(folder).url)})
        yield


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Table:
    """The table of this run."""
    return Table(request.config.stash.setdefault(LINES, []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    lines = config.stash.get(LINES, [])
    if config.getoption("capture") != "no" or not lines:
        return
    terminalreporter.section("receivers that misbehave")
    for row, receiver, expected, seen, same in sorted(lines):
        mark = "" if same else "  <- not as expected"
        terminalreporter.write_line(f"{row:>3}  {receiver:<84.84}  {expected:<30}  {seen}{mark}")
