"""The console on PostgreSQL: every action of the other files once more, and with other dispatchers beside it every page and the live list.

What they send is seen as soon as what this server sends itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.running import PageReceiver, RunningServer, environment, serving
from tests.browser.conftest import SECRET
from tests.browser.figures import Figures
from tests.browser.furnished import SEEN, emit, furnish, replay
from tests.browser.test_actions import *  # noqa: F403 - the same tests, on another database; their agents have names of their own
from tests.browser.test_deliveries import *  # noqa: F403 - as above
from tests.browser.watching import assert_seen_at_once
from tests.browser.window import OpenWindow
from tests.postgres_server import PostgresServer


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    """The URL of a database of this file's own."""
    name = f"browser_{os.getpid()}"
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return postgres.url(name)


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server on PostgreSQL; it takes the place of the one on SQLite."""
    with serving(tmp_path_factory.mktemp("served"), "--db", database, "--secret", SECRET) as running:
        yield running


@pytest.fixture
def other(server: RunningServer, database: str) -> Iterator[RunningServer]:
    """Two dispatchers beside it, with its key: one that only delivers, and one that is called over HTTP."""
    server.api("POST", "/_local/clock/resume")
    with worker(server.folder, database), serving(server.folder, "--db", database, "--secret", SECRET) as running:
        yield running


@contextmanager
def worker(folder: Path, database: str) -> Iterator[None]:
    """Run a dispatcher without an API until the block ends."""
    with (folder / "worker.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "swiftclaw_local", "serve", "--worker-only", "--db", database, "--secret", SECRET],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        assert any(line.startswith("Delivering") for line in process.stdout)
        yield
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()


def test_every_page_renders_with_data_beside_other_dispatchers(
    window: OpenWindow, server: RunningServer, receiver: PageReceiver, other: RunningServer
) -> None:
    names = furnish(server, receiver)
    for path in SEEN:
        page = window(path.format(**names))
        assert page.locator("h1").count() == 1
        assert len(page.inner_text("main")) > 100
        page.context.close()
    page = window(f"/deliveries/{names['delivery_id']}")
    assert page.locator("table.sends-of tbody tr").count() >= 1


def test_what_another_dispatcher_sends_is_on_screen_as_soon(
    window: OpenWindow, server: RunningServer, receiver: PageReceiver, other: RunningServer, figures: Figures
) -> None:
    server.api("POST", "/v1/agents/elsewhere/webhooks", {"url": receiver.url})
    what = "emit at another dispatcher to row on screen, PostgreSQL"
    assert_seen_at_once(window("/"), other, "elsewhere", figures, what=what)


def test_a_delivery_that_another_dispatcher_makes_through_is_followed(
    window: OpenWindow, server: RunningServer, receiver: PageReceiver, other: RunningServer
) -> None:
    server.api("POST", "/v1/agents/followed/webhooks", {"url": receiver.url})
    receiver.answers[:] = [500]
    name = emit(server, "agent.failed", agent="followed")["deliveries"][0]["id"]
    page = window(f"/deliveries/{name}")
    page.wait_for_selector('#dot[data-is="live"]')
    receiver.answers[:] = [200]
    assert other.api("POST", f"/v1/deliveries/{name}/replay", {"now": True})[0] == 202
    page.wait_for_selector(".what.delivered")


def test_a_replay_that_another_dispatcher_began_is_followed_to_its_end(
    window: OpenWindow, server: RunningServer, receiver: PageReceiver, other: RunningServer
) -> None:
    server.api("POST", "/v1/agents/replayed/webhooks", {"url": receiver.url})
    receiver.answers[:] = [400]
    for _ in range(3):
        emit(server, "agent.failed", agent="replayed")
    receiver.answers[:] = [200]
    page = window(f"/replays/{replay(other, {'agent': 'replayed', 'state': 'failed'})}")
    page.wait_for_selector('#replay[data-state="done"]')
    assert "3 fixed" in page.inner_text("main")


def test_a_clock_that_others_share_is_not_frozen_and_the_page_says_so(
    window: OpenWindow, server: RunningServer, other: RunningServer
) -> None:
    page = window("/clock")
    page.get_by_role("button", name="Freeze", exact=True).first.click()
    page.wait_for_selector("h1:has-text('dispatcher')")
    window.faults.clear()  # the browser notes the 409
    assert server.api("GET", "/_local/clock")[1]["mode"] == "real"


def test_a_server_that_goes_away_leaves_the_others_telling(
    window: OpenWindow, server: RunningServer, receiver: PageReceiver, database: str
) -> None:
    server.api("POST", "/v1/agents/leaving/webhooks", {"url": receiver.url})
    page = window("/")
    page.wait_for_selector('#dot[data-is="live"]')
    with ExitStack() as stack:
        gone = stack.enter_context(serving(server.folder, "--db", database, "--secret", SECRET))
        first = emit(gone, "agent.completed", agent="leaving")["deliveries"][0]["id"]
        page.wait_for_selector(f'[data-delivery="{first}"]')
    second = emit(server, "agent.completed", agent="leaving")["deliveries"][0]["id"]
    page.wait_for_selector(f'[data-delivery="{second}"]')
