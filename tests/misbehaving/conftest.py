"""Prints the table of receivers that misbehave after its tests, when they are run with -s."""

from __future__ import annotations

from typing import Final

import pytest

from tests.misbehaving.rows import Seen

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
