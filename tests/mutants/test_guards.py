"""The table of guards follows the code. Whether each guard is missed when it is taken out: `make mutants`."""

from __future__ import annotations

import pytest

from tests.mutants.__main__ import ROOT
from tests.mutants.guard import Guard
from tests.mutants.guards import GUARDS


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_the_edit_that_takes_a_guard_out_still_fits_the_code(guard: Guard) -> None:
    texts = {edit.path: (ROOT / "swiftclaw_local" / edit.path).read_text() for edit in guard.edits}
    for edit in guard.edits:
        assert texts[edit.path].count(edit.old) == 1
        texts[edit.path] = texts[edit.path].replace(edit.old, edit.new)
    assert all((ROOT / name.split("::")[0]).is_file() for name in guard.tests)
