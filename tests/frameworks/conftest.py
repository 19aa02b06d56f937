"""The page's samples in their frameworks, each started once for all tests that ask it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.frameworks.page import PROGRAMS
from tests.frameworks.running import Receiver, running


class Running:
    """The programs that were started."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._receivers: dict[str, Receiver] = {}

    def __getitem__(self, name: str) -> Receiver:
        if name not in self._receivers:
            folder = self._folder / f"program-{len(self._receivers)}"
            self._receivers[name] = self._stack.enter_context(running(PROGRAMS[name], folder))
        return self._receivers[name]


@pytest.fixture(scope="package")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The page's samples by the names of `page.PROGRAMS`."""
    with ExitStack() as stack:
        yield Running(tmp_path_factory.mktemp("page"), stack)
