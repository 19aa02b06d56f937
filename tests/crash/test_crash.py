"""Short runs of the suites; `make crash` runs them at full length."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash import suites
from tests.crash.__main__ import told


@pytest.mark.parametrize("suite", [suite for suite, _ in suites.ALL], ids=lambda suite: suite.__name__)
def test_nothing_is_lost_doubled_or_stuck(tmp_path: Path, suite: suites.Suite) -> None:
    wrong, happened = suite(tmp_path, rounds=2, seed=1)
    print(told(suite, wrong, happened))
    assert wrong == dict.fromkeys(wrong, 0)
    assert happened["acknowledged"] > 10
