"""pytest's way in: fixtures, options, the marker, and the timeline in a failure's report.

Every pytest run of everybody who has installed us loads this file: it imports nothing but pytest, and the rest where a
fixture needs it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from swiftclaw_local.testing import Aswiftclaw, Connection, Receiver, Server, Swiftclaw

TITLE: Final = "SwiftClaw deliveries"
_START: Final = "swiftclaw serve --ephemeral --clock manual"
_USED: Final = pytest.StashKey["Swiftclaw"]()
_MARKER: Final = (
    'swiftclaw(clock="manual", secret=None, seed=None): the fixture swiftclaw for this test: its clock (manual, real, or xN), '
    "the secret of its webhooks, and a seed that makes ids and times the same in every run"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options."""
    group = parser.getgroup("swiftclaw", "SwiftClaw local, a fake that sends webhooks")
    group.addoption(
        "--swiftclaw-url",
        metavar="URL",
        help=f"Server for the fixture swiftclaw_external, started by: {_START}",
    )
    group.addoption(
        "--swiftclaw-log",
        choices=("failed", "all", "none"),
        default="failed",
        help="Tests whose report shows what happened to each delivery (default: failed).",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


# --- fixtures ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def swiftclaw_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A SwiftClaw in a child process, one for the session, or for each worker of pytest-xdist."""
    from swiftclaw_local.testing.server import Server  # noqa: PLC0415 - see above

    server = Server(tmp_path_factory.mktemp("swiftclaw"))
    yield server
    server.stop()


@pytest.fixture
def swiftclaw(request: pytest.FixtureRequest, swiftclaw_server: Server) -> Iterator[Swiftclaw]:
    """A SwiftClaw that has nothing yet: no webhooks, no deliveries, and a clock that stands still until you move it."""
    if not swiftclaw_server.running:
        pytest.fail(f"The SwiftClaw of the tests has died. Its log:\n{swiftclaw_server.last_words()}", pytrace=False)
    yield from _cleared(request, swiftclaw_server.connection, secret=swiftclaw_server.secret)


@pytest.fixture
def swiftclaw_external(request: pytest.FixtureRequest) -> Iterator[Swiftclaw]:
    """The SwiftClaw at --swiftclaw-url, cleared for the test. It must be one that keeps nothing anyway."""
    from swiftclaw_local.testing.connection import Connection  # noqa: PLC0415 - see above

    url = request.config.getoption("--swiftclaw-url")
    if not url:
        pytest.fail(
            f"swiftclaw_external needs a server. Start one: {_START}\nThen: pytest --swiftclaw-url URL", pytrace=False
        )
    if os.environ.get("PYTEST_XDIST_WORKER"):
        pytest.fail(
            "One server cannot be cleared by several workers at once: use swiftclaw, or run with -n0.", pytrace=False
        )
    connection = Connection(url)
    try:
        _check_keeps_nothing(connection)
        yield from _cleared(request, connection, secret="scsec_test")  # noqa: S106 - of made-up events
    finally:
        connection.close()


@pytest.fixture
def aswiftclaw(swiftclaw: Swiftclaw) -> Aswiftclaw:
    """The same SwiftClaw as `swiftclaw`, for async tests: its verbs are coroutines."""
    from swiftclaw_local.testing.aswiftclaw import Aswiftclaw  # noqa: PLC0415 - see above

    return Aswiftclaw(swiftclaw)


@pytest.fixture
def swiftclaw_receiver() -> Iterator[Receiver]:
    """A receiver that answers 200, or as it is told: respond(500, 503, 200)."""
    from swiftclaw_local.testing.receiver import Receiver  # noqa: PLC0415 - see above

    receiver = Receiver()
    yield receiver
    receiver.close()


def _check_keeps_nothing(connection: Connection) -> None:
    """Fail the test when the server has data that clearing it would lose."""
    status = connection.get("/_local/status")
    if not status["ephemeral"]:
        kept = f"The server at {connection.url} keeps {status['data']}, which a test would clear."
        pytest.fail(f"{kept} Start another: {_START}", pytrace=False)


def _cleared(request: pytest.FixtureRequest, connection: Connection, *, secret: str) -> Iterator[Swiftclaw]:
    """Yield a SwiftClaw as the test's marker asks for it."""
    from swiftclaw_local.testing.swiftclaw import Swiftclaw  # noqa: PLC0415 - see above

    asked = _asked(request.node)
    swiftclaw = Swiftclaw(connection, secret=asked["secret"] or secret)
    clock = asked["clock"] or "manual"
    swiftclaw.start_over(clock=clock, seed=asked["seed"])
    request.node.stash[_USED] = swiftclaw
    yield swiftclaw
    if clock != "manual":  # nothing more may be sent to the receiver of a test that is over
        swiftclaw.start_over()


def _asked(item: pytest.Item) -> dict[str, Any]:
    """Return what the marker asks for; the closest one wins. Fails the test when it asks for something else."""
    asked: dict[str, Any] = {"clock": None, "secret": None, "seed": None}
    marker = item.get_closest_marker("swiftclaw")
    if marker is not None:
        unknown = [*map(repr, marker.args), *(marker.kwargs.keys() - asked.keys())]
        if unknown:
            pytest.fail(
                f"The marker swiftclaw takes clock=, secret= and seed=, not {', '.join(sorted(unknown))}.",
                pytrace=False,
            )
        asked.update(marker.kwargs)
    return asked


# --- the report -------------------------------------------------------------------------------------------------


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add the timelines to the report of a test that failed, or of every test; pytest-xdist carries them along."""
    outcome: Any = yield
    swiftclaw = item.stash.get(_USED, None)
    if swiftclaw is None:
        return
    report: pytest.TestReport = outcome.get_result()
    wanted = item.config.getoption("--swiftclaw-log")
    if (
        wanted != "none"
        and report.when != "teardown"
        and (report.failed or (wanted == "all" and report.when == "call"))
    ):
        report.sections.append((TITLE, _timelines(swiftclaw)))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """With --swiftclaw-log=all, show the timelines of the tests that passed, too, unless -rP does."""
    options = terminalreporter.config.option
    if options.swiftclaw_log != "all" or "P" in options.reportchars or "A" in options.reportchars:
        return
    for report in terminalreporter.stats.get("passed", []):
        for title, text in report.sections:
            if title == TITLE:
                terminalreporter.write_sep("-", f"{TITLE}: {report.nodeid}")
                terminalreporter.write_line(text)


def _timelines(swiftclaw: Swiftclaw) -> str:
    """Return the timelines, or why there are none: a report must come out in any case."""
    from swiftclaw_local.errors import SwiftclawError  # noqa: PLC0415 - see above

    try:
        return swiftclaw.timelines()
    except SwiftclawError as error:
        return f"(they cannot be read: {error.message})"
