"""A browser for all tests, and a server for each file of them. Run by `make browser`, which prepares what they need."""

from __future__ import annotations

import os
import site
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.browser import MISSING, SITE, find_chromium
from tests.acceptance.running import PageReceiver, RunningServer, receiving, serving
from tests.browser.figures import Figures

if TYPE_CHECKING:
    from tests.browser.window import OpenWindow

RUN = os.environ.get("BROWSER") == "full"  # as `make browser` sets it
SECRET = "scsec_seen_in_a_browser"

site.addsitedir(str(SITE))  # Playwright lies behind what .venv has
if not RUN:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The machine's own Chromium, started once."""
    from playwright.sync_api import sync_playwright

    path = find_chromium()
    assert path is not None, MISSING
    with sync_playwright() as playwright:
        # as root, as in a container, it refuses to run with its sandbox; it only sees pages of ours
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def receiver() -> Iterator[PageReceiver]:
    """A receiver as the page describes one."""
    with receiving(SECRET, 200) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with everything in memory, on real time."""
    with serving(tmp_path_factory.mktemp("served"), "--ephemeral", "--secret", SECRET) as running:
        yield running


@pytest.fixture
def window(chromium: Any, server: RunningServer, request: pytest.FixtureRequest) -> Iterator[OpenWindow]:
    """Open windows on the server of this file; what they complain of at their end is a failure."""
    from tests.browser.window import OpenWindow

    with ExitStack() as stack:
        yield OpenWindow(chromium, server.url, stack, name=Path(request.node.nodeid).name.replace("::", "-"))


@pytest.fixture(scope="session")
def figures() -> Iterator[Figures]:
    """What was measured; printed at the end."""
    measured = Figures()
    yield measured
    measured.show()
