"""`swiftclaw certify` as people run it: real sockets, with and without a server, as text, JSON and JUnit."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from swiftclaw_local.certify.catalog import CHECKS
from swiftclaw_local.settings import Settings
from tests.acceptance.conftest import OpenApi
from tests.acceptance.golden import assert_golden
from tests.acceptance.running import RunningServer, environment, serving
from tests.certified_receivers import SECRET, Handler, page_sample, page_sample_in_fastapi, racing, right, served

NOBODY = "http://127.0.0.1:9/hook"
_CHANGING = (
    (re.compile(r"evt_cert[0-9a-z]{26}"), "<event>"),
    (re.compile(r"\b[0-9a-f]{8}…"), "<digits>…"),
    (re.compile(r" in \d+\.\d s"), " in <n> s"),
    (re.compile(r"\b\d+ ms"), "<n> ms"),
)


def even(text: str) -> str:
    """Return a report with what differs from run to run replaced."""
    for pattern, name in _CHANGING:
        text = pattern.sub(name, text)
    return re.sub(r"(<n> ms) +", r"\1  ", text)


async def run(*words: str, folder: Path) -> tuple[int, str, str]:
    """Run `swiftclaw certify` without a server and return its exit code and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "swiftclaw_local", "certify", *words),
        cwd=folder,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), err.decode()


async def alone(handler: Handler, *words: str, folder: Path, server: str = "") -> tuple[int, str]:
    """Certify a receiver without a server; `{url}` in the words is its address."""
    async with served(handler, server=server) as (url, _):
        given = [word.replace("{url}", url) for word in words]
        code, out, err = await run("--url", url, "--secret", SECRET, *given, folder=folder)
    assert err == ""
    return code, out


async def test_a_right_receiver_passes_all_within_two_seconds(tmp_path: Path) -> None:
    get = f"{sys.executable} -c 'import urllib.request as r; r.urlopen(\"{{url}}/%s\")'"
    code, out = await alone(
        right,
        *("--json", "--strict", "--effects-url", "{url}/count"),
        *("--break-cmd", get % "break", "--fix-cmd", get % "fix"),
        folder=tmp_path,
    )
    report = json.loads(out)
    assert [check for check in report["checks"] if check["result"] != "pass"] == []
    assert (code, report["passed"], report["unreachable"]) == (0, len(CHECKS), None)
    assert [check["id"] for check in report["checks"]] == [check.id for check in CHECKS]
    # the commands of RETRY-2 are the user's time
    assert report["duration_ms"] < 2000 + 1000


async def test_the_report_for_people_shows_everything_about_a_failure(tmp_path: Path) -> None:
    code, out = await alone(page_sample_in_fastapi, folder=tmp_path, server="uvicorn")
    assert code == 1
    assert_golden("certify_page_sample_in_fastapi", even(out))


async def test_the_report_on_a_right_receiver_is_short(tmp_path: Path) -> None:
    code, out = await alone(right, "--effects-url", "{url}/count", folder=tmp_path)
    assert code == 0
    assert_golden("certify_right", even(out))


@pytest.mark.parametrize(
    ("handler", "failed"),
    [(page_sample, ["SIG-3", "SIG-4", "JSON-1"]), (racing, ["DUP-3"])],
    ids=["the page's sample", "the page's idempotency sample"],
)
async def test_the_pages_samples_are_judged_as_documented(handler: Handler, failed: list[str], tmp_path: Path) -> None:
    words = ("--json", "--skip", "DUP-2") if handler is page_sample else ("--json", "--effects-url", "{url}/count")
    code, out = await alone(handler, *words, folder=tmp_path)
    ended = {check["id"]: check["result"] for check in json.loads(out)["checks"]}
    assert [id for id, result in ended.items() if result == "fail"] == failed
    assert code == 1


async def test_required_checks_and_strict_decide_the_exit_code(tmp_path: Path) -> None:
    assert (await alone(right, "--only", "DUP", folder=tmp_path))[0] == 0
    code, out = await alone(right, "--only", "DUP", "--require", "DUP", folder=tmp_path)
    assert (code, "Not enough for --require or --strict: DUP-2, DUP-3" in out) == (1, True)
    assert (await alone(right, "--only", "DUP", "--strict", folder=tmp_path))[0] == 1


async def test_junit_is_written_beside_the_answer(tmp_path: Path) -> None:
    code, out = await alone(right, "--only", "SIG", "--junit", "certify.xml", "--json", folder=tmp_path)
    suite = ElementTree.parse(tmp_path / "certify.xml").getroot()  # noqa: S314 - our own file
    assert (code, suite.attrib["tests"], suite.attrib["failures"]) == (0, "6", "0")
    assert json.loads(out)["passed"] == 6


async def test_a_receiver_that_is_not_there_ends_with_4(tmp_path: Path) -> None:
    code, out, _ = await run("--url", NOBODY, "--secret", SECRET, "--json", folder=tmp_path)
    report = json.loads(out)
    assert (code, report["failed"], report["skipped"]) == (4, 1, len(CHECKS) - 1)
    assert report["unreachable"] == "The connection was refused: nothing listens there."


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "Which receiver? Name AGENT and WEBHOOK, or give --url and --secret."),
        (("my-agent",), 2, "Which receiver?"),
        (("--url", NOBODY), 2, "--url needs the receiver's secret."),
        (("my-agent", "webhook-123", "--url", NOBODY), 2, "Name AGENT and WEBHOOK, or give --url; not both."),
        (("my-agent", "webhook-123", "--secret", "s"), 2, "--secret and --allow-host belong to --url"),
        (
            ("--url", "localhost:8000", "--secret", "s"),
            2,
            '--url "localhost:8000" has no scheme. Did you mean http://localhost:8000 ?',
        ),
        (
            ("--url", NOBODY, "--secret", "s", "--only", "SGI"),
            2,
            '--only names "SGI", which is no check. Did you mean "SIG"?',
        ),
        (("--url", NOBODY, "--secret", "s", "--slow", "1"), 2, '"1"'),
        (("my-agent", "webhook-123"), 4, "No SwiftClaw local server at http://127.0.0.1:1."),
    ],
)
async def test_what_is_asked_wrongly_is_refused_before_anything_is_sent(
    words: tuple[str, ...], code: int, message: str, tmp_path: Path
) -> None:
    ended, out, err = await run("--api-url", "http://127.0.0.1:1", *words, folder=tmp_path)
    assert (ended, out) == (code, "")
    assert message in err


async def test_effects_that_cannot_be_read_are_said_so(tmp_path: Path) -> None:
    async with served(right) as (url, _):
        words = ("--url", url, "--secret", SECRET, "--only", "DUP-2")
        code, _, err = await run(*words, "--effects-url", f"{url}/counts", folder=tmp_path)
        assert (code, "answered 404" in err) == (2, True)
        code, _, err = await run(*words, "--effects-cmd", "echo many", folder=tmp_path)
        assert (code, '--effects-cmd gave "many", which is no number.' in err) == (2, True)


async def test_the_checks_are_listed_with_what_they_expect(tmp_path: Path) -> None:
    code, out, _ = await run("--list", folder=tmp_path)
    assert (code, len(out.splitlines())) == (0, len(CHECKS))
    assert out.splitlines()[1].startswith("SIG-2    wrong signature -> 401")


# --- through a server -------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with serving(tmp_path, "--ephemeral", "--secret", SECRET) as server:
        yield server


async def test_a_registered_webhook_is_certified_by_the_server(server: RunningServer) -> None:
    def command(*words: str) -> tuple[int, Any]:
        done = server.command(*words, "--json")
        return done.returncode, json.loads(done.stdout)

    async with served(right) as (url, work):
        await asyncio.to_thread(command, "webhooks", "create", "my-agent", "--url", url)
        code, report = await asyncio.to_thread(
            command, "certify", "my-agent", "webhook-123", "--effects-url", f"{url}/count"
        )
        assert (code, report["id"], report["webhook"], report["failed"]) == (0, "crt_1", "webhook-123", 0)
        assert {id[:8] for id in work.processed} == {"evt_cert"}
        counting = ("--effects-cmd", f"echo {len(work.processed)}", "--only", "DUP-2")
        code, here = await asyncio.to_thread(command, "certify", "my-agent", "123", *counting)
        assert (code, here["checks"][0]["got"], "id" in here) == (1, "0 effects", False)
    assert server.api("GET", "/_local/certify/crt_1") == (200, report)
    assert server.api("GET", "/v1/deliveries")[1]["data"] == []
    status, refused = server.api("GET", "/_local/certify/crt_9")
    assert (status, refused["error"]["message"]) == (404, 'There is no report "crt_9". The newest is crt_1.')
    assert server.api("POST", "/_local/certify", {"webhook": "webhook-9"})[0] == 404
    assert server.command("certify", "my-agent", "webhook-9").returncode == 3


async def test_a_server_reads_effects_only_where_it_may_send(open_api: OpenApi) -> None:
    api = await open_api(Settings(ephemeral=True))
    await api.post("/v1/agents/my-agent/webhooks", {"url": NOBODY})
    body = {"webhook": "webhook-123", "effects_url": "http://169.254.169.254/latest/meta-data", "only": ["DUP-2"]}
    status, refused = await api.post("/_local/certify", body)
    assert (status, refused["error"]["field"]) == (400, "effects_url")
    assert "nothing is ever sent to those" in refused["error"]["message"]


async def test_the_newest_fifty_reports_are_kept(open_api: OpenApi) -> None:
    api = await open_api(Settings(ephemeral=True))
    await api.post("/v1/agents/my-agent/webhooks", {"url": NOBODY})
    for _ in range(51):
        status, report = await api.post("/_local/certify", {"webhook": "webhook-123", "only": ["TYPE-2"]})
        assert (status, report["passed"]) == (200, 1)
    assert (await api.get("/_local/certify/crt_1"))[0] == 404
    assert (await api.get("/_local/certify/crt_2"))[0] == 200


async def test_a_reset_forgets_the_reports_and_ids_go_on(open_api: OpenApi) -> None:
    api = await open_api(Settings(ephemeral=True))
    await api.post("/v1/agents/my-agent/webhooks", {"url": NOBODY})
    await api.post("/_local/certify", {"webhook": "webhook-123", "only": ["TYPE-2"]})
    await api.post("/_local/reset", {"keep": ["webhooks"]})
    assert (await api.get("/_local/certify/crt_1"))[0] == 404
    _, report = await api.post("/_local/certify", {"webhook": "webhook-123", "only": ["TYPE-2"]})
    assert report["id"] == "crt_2"


async def test_one_certification_runs_at_a_time(open_api: OpenApi) -> None:
    api = await open_api(Settings(ephemeral=True))
    for number in ("1", "2"):
        await api.post("/v1/agents/my-agent/webhooks", {"url": f"{NOBODY}{number}"})
    api.receiver.hold_url(f"{NOBODY}1")
    first = asyncio.create_task(api.post("/_local/certify", {"webhook": "webhook-123"}))
    await api.receiver.arrived(1)
    second = asyncio.create_task(api.post("/_local/certify", {"webhook": "webhook-124"}))
    for _ in range(20):  # time enough for it to begin
        await api.get("/_local/status")
    assert {received.url for received in api.receiver.received} == {f"{NOBODY}1"}
    api.receiver.release()
    assert [status for status, _ in (await first, await second)] == [200, 200]
    urls = [received.url for received in api.receiver.received]
    assert urls == sorted(urls)


async def test_a_public_host_is_not_sent_to_unless_it_is_allowed(tmp_path: Path) -> None:
    code, out, _ = await run("--url", "https://203.0.113.7/hook", "--secret", SECRET, "--json", folder=tmp_path)
    told = json.loads(out)["unreachable"]
    assert (code, told.startswith("203.0.113.7 is not on this machine or network. Not sent.")) == (4, True)
    assert told.endswith("to really send there: swiftclaw certify --url … --allow-host 203.0.113.7")
