"""The table of all guards: where each stands in the code, and the edit that takes it out.

An edit that no longer fits the code is a failure, so that this table follows the code.
"""

from __future__ import annotations

from typing import Final

from tests.mutants.door import DOOR
from tests.mutants.engine import ENGINE
from tests.mutants.features import FEATURES
from tests.mutants.guard import Guard
from tests.mutants.plays import PLAYS
from tests.mutants.postgresql import POSTGRESQL
from tests.mutants.telling import TELLING

GUARDS: Final[tuple[Guard, ...]] = (*ENGINE, *POSTGRESQL, *FEATURES, *PLAYS, *DOOR, *TELLING)
