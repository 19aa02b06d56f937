"""Whole runs of pytest as our users have them: the guide's tests, reports, pytest-xdist, anyio, their own packages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from scripts.setup import ROOT
from swiftclaw_local.testing import Server
from tests.acceptance.running import serving

GUIDE: Final = ROOT / "docs" / "how-to" / "test-with-pytest.md"
# without two plugins that take a second to load, and with the option that pytest-asyncio warns of when it is not set
QUICK: Final = ("-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:cacheprovider", "-W", "error")
QUIET: Final = (*QUICK, "-o", "asyncio_default_fixture_loop_scope=function")
WITHOUT_ASYNCIO: Final = (*QUICK, "-p", "no:asyncio")
FAILING: Final = """
    def test_delivered(swiftclaw, swiftclaw_receiver):
        swiftclaw.webhook(swiftclaw_receiver.url)
        assert swiftclaw.emit("agent.completed").state == "delivered"

    def test_rejected(swiftclaw, swiftclaw_receiver):
        swiftclaw_receiver.respond(422, body="no")
        swiftclaw.webhook(swiftclaw_receiver.url)
        assert swiftclaw.emit("agent.failed").state == "delivered"
"""
REJECTED: Final = (
    "*- SwiftClaw deliveries -*",
    "delivery of evt_* agent.failed -> http://127.0.0.1:* failed",
    "*first send  422  * ms  no",
)


class Lent:
    """A plugin that lends the server of these tests to a run of pytest within them: starting one takes a second."""

    __name__ = "lent"

    def __init__(self, server: Server) -> None:
        self.server = server


@pytest.fixture
def lent(pytester: pytest.Pytester, swiftclaw_server: Server) -> Lent:
    pytester.makeconftest("""
        import pytest

        @pytest.fixture(scope="session")
        def swiftclaw_server(pytestconfig):
            return pytestconfig.pluginmanager.get_plugin("lent").server
    """)
    return Lent(swiftclaw_server)


def test_what_the_guide_shows_passes(pytester: pytest.Pytester, lent: Lent) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    pytester.makepyfile(**{f"test_block_{number}": block for number, block in enumerate(blocks)})
    result = pytester.runpytest_inprocess(*QUIET, plugins=[lent])
    result.assert_outcomes(passed=sum(block.count("def test_") for block in blocks))
    assert len(blocks) == 5


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        (None, ["agent.failed"]),
        ("--swiftclaw-log=all", ["agent.failed", "agent.completed"]),
        ("--swiftclaw-log=none", []),
    ],
)
def test_a_failure_shows_the_timelines_and_an_option_says_whose_else(
    pytester: pytest.Pytester, lent: Lent, option: str | None, shown: list[str]
) -> None:
    pytester.makepyfile(FAILING)
    result = pytester.runpytest_inprocess(*QUIET, *([option] if option else []), plugins=[lent])
    result.assert_outcomes(passed=1, failed=1)
    told = [type for type in ("agent.failed", "agent.completed") if f"{type} -> http" in result.stdout.str()]
    assert told == shown


def test_under_xdist_each_worker_has_its_own_and_reports_carry_the_timelines(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        FAILING
        + """
    def test_whose(swiftclaw_server):
        import os, pathlib
        pathlib.Path(os.environ["PYTEST_XDIST_WORKER"]).write_text(swiftclaw_server.url)
"""
    )
    result = pytester.runpytest_inprocess(*QUIET, "--dist=each", "--tx", "2*popen//chdir=.")
    result.assert_outcomes(passed=4, failed=2)
    result.stdout.fnmatch_lines([*REJECTED, *REJECTED])
    assert len({path.read_text() for path in pytester.path.glob("gw*")}) == 2


def test_anyio_runs_async_tests_on_asyncio_and_on_trio(pytester: pytest.Pytester, lent: Lent) -> None:
    pytester.makepyfile("""
        import pytest

        pytestmark = pytest.mark.anyio

        async def test_the_whole_trip(aswiftclaw, swiftclaw_receiver, anyio_backend_name):
            swiftclaw_receiver.respond(500, 503, 200)
            await aswiftclaw.webhook(swiftclaw_receiver.url)
            delivery = await aswiftclaw.emit("agent.failed", backend=anyio_backend_name)
            moved = await aswiftclaw.advance("1m")
            rest = await aswiftclaw.run_until_idle()
            assert (moved.sends, rest.sends, delivery.state) == (1, 1, "delivered")
            await aswiftclaw.fault("wrong_signature")
            replayed = await aswiftclaw.wait(await aswiftclaw.replay(delivery))
            assert await aswiftclaw.deliveries("agent.failed") == [delivery, replayed]
            await aswiftclaw.assert_delivered("agent.failed", times=2)
            with pytest.raises(AssertionError, match="expected that nothing is sent"):
                await aswiftclaw.assert_nothing_sent()
            assert [one.state for one in await aswiftclaw.emit_all("agent.timeout")] == ["delivered"]
            assert aswiftclaw.sign(swiftclaw_receiver.requests[0].body) == swiftclaw_receiver.requests[0].signature
            assert delivery.event["data"]["backend"] == anyio_backend_name
            assert replayed.attempts[0].fault == "wrong_signature"
    """)
    pytester.runpytest_inprocess(*WITHOUT_ASYNCIO, "-v", plugins=[lent]).stdout.fnmatch_lines_random(
        ["*test_the_whole_trip?asyncio?*PASSED*", "*test_the_whole_trip?trio?*PASSED*", "*2 passed*"]
    )


def test_the_users_packages_settings_and_warnings_do_no_harm(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("storage", "scheduler", "dispatcher"):
        pytester.mkpydir(name).joinpath("__init__.py").write_text("OWNER = 'the user'\n")
    pytester.path.joinpath("swiftclaw.toml").write_text("retry_schedule = '1s'\n")
    for name, value in (
        ("SWIFTCLAW_PORT", "1"),
        ("SWIFTCLAW_RETRY_SCHEDULE", "1s"),
        ("PYTHONWARNINGS", "error"),
        ("PYTHONPATH", "."),
    ):
        monkeypatch.setenv(name, value)
    pytester.makepyfile("""
        import dispatcher, scheduler, storage

        def test_both_are_there(swiftclaw, swiftclaw_receiver):
            assert {dispatcher.OWNER, scheduler.OWNER, storage.OWNER} == {"the user"}
            swiftclaw.webhook(swiftclaw_receiver.url)
            swiftclaw_receiver.respond(500)
            delivery = swiftclaw.emit("agent.failed")
            swiftclaw.run_until_idle()
            delivery.assert_failed(sends=6)
    """)
    pytester.runpytest_inprocess(*QUIET).assert_outcomes(passed=1)


def test_a_clock_that_runs_stops_with_its_test(pytester: pytest.Pytester, lent: Lent) -> None:
    """Else the retries of a test that is over would reach whatever listens on its receiver's port by then."""
    pytester.makepyfile("""
        import pytest

        @pytest.mark.swiftclaw(clock="x60")
        def test_it(swiftclaw):
            swiftclaw.webhook("http://127.0.0.1:9/hook")
            assert swiftclaw.emit("agent.failed").state == "retrying"
    """)
    pytester.runpytest_inprocess(*QUIET, plugins=[lent]).assert_outcomes(passed=1)
    stands = lent.server.connection.get("/_local/clock")
    assert (stands["mode"], stands["scheduled"]) == ("manual", 0)


def test_a_marker_that_asks_for_something_else_is_an_error(pytester: pytest.Pytester, lent: Lent) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.swiftclaw("manual", sede=7)
        def test_never_run(swiftclaw):
            pass
    """)
    result = pytester.runpytest_inprocess(*QUIET, "--strict-markers", plugins=[lent])
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*The marker swiftclaw takes clock=, secret= and seed=, not 'manual', sede."])


def test_a_server_that_died_is_told_once_and_for_all(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_kills_it(swiftclaw, swiftclaw_server):
            swiftclaw_server._process.kill()
            swiftclaw_server._process.wait()
            swiftclaw.emit("agent.failed")

        def test_afterwards(swiftclaw):
            pass
    """)
    result = pytester.runpytest_inprocess(*QUIET)
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines_random(
        [
            "*NoServer: No SwiftClaw local server answers at http://127.0.0.1:*",
            "(they cannot be read: No SwiftClaw local server answers at http*",
            "The SwiftClaw of the tests has died. Its log:",
        ]
    )


# --- a server that runs already ---------------------------------------------------------------------------------

EXTERNAL: Final = """
    def test_it(swiftclaw_external, swiftclaw_receiver):
        assert swiftclaw_external.webhook(swiftclaw_receiver.url).id == "webhook-123"
        swiftclaw_external.emit("agent.failed").assert_delivered(sends=1)

    test_again = test_it
"""


@pytest.fixture
def keeping_server(tmp_path: Path) -> Iterator[str]:
    """A server that keeps its data, as a person has one."""
    with serving(tmp_path) as server:
        yield server.url


def test_a_server_that_runs_already_is_cleared_for_each_test(
    pytester: pytest.Pytester, swiftclaw_server: Server
) -> None:
    pytester.makepyfile(EXTERNAL)
    pytester.runpytest_inprocess(*QUIET, "--swiftclaw-url", swiftclaw_server.url).assert_outcomes(passed=2)


def test_a_server_that_keeps_its_data_is_never_cleared(pytester: pytest.Pytester, keeping_server: str) -> None:
    pytester.makepyfile(EXTERNAL)
    result = pytester.runpytest_inprocess(*QUIET, "--swiftclaw-url", keeping_server)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        [f"The server at {keeping_server} keeps */.swiftclaw/swiftclaw.db, which a test would clear.*"]
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "swiftclaw_external needs a server. Start one: swiftclaw serve --ephemeral --clock manual"),
        (("http://127.0.0.1:9",), "*No SwiftClaw local server answers at http://127.0.0.1:9: Connection refused."),
        (("127.0.0.1:9",), '*"127.0.0.1:9" is not the address of a server. Write it as http://127.0.0.1:7420'),
    ],
)
def test_a_server_that_cannot_be_used_is_told(pytester: pytest.Pytester, options: tuple[str, ...], told: str) -> None:
    pytester.makepyfile(EXTERNAL)
    result = pytester.runpytest_inprocess(*QUIET, *(f"--swiftclaw-url={url}" for url in options))
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines([told])


def test_one_server_for_several_workers_is_refused(
    pytester: pytest.Pytester, swiftclaw_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    pytester.makepyfile(EXTERNAL)
    result = pytester.runpytest_inprocess(*QUIET, "--swiftclaw-url", swiftclaw_server.url)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["One server cannot be cleared by several workers at once: *"])
