"""What the runs of pytest within these tests must not inherit from the run that they are part of."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not to be taken for a worker of pytest-xdist, as which the tests themselves may run."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
