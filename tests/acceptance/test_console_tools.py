"""The console's pages of faults, certifying, alerts and the clock: what they show, and every action on them."""

from __future__ import annotations

import asyncio
import re
from xml.etree import ElementTree

import pytest

from swiftclaw_local.certify.catalog import CHECKS
from swiftclaw_local.dispatcher.fault_kinds import KIND_NAMES
from swiftclaw_local.plays.library import BUILT_IN
from swiftclaw_local.server.console.pages import certify
from swiftclaw_local.settings import Settings
from tests.acceptance.api import Api
from tests.acceptance.browsing import Browser, Html
from tests.acceptance.conftest import OpenApi


@pytest.fixture
def browser(api: Api) -> Browser:
    return Browser(api)


def note(page: Html) -> str:
    return " ".join(page.all("p", class_="note")[0].text.split())


# --- faults -----------------------------------------------------------------------------------------------------


async def test_every_kind_of_fault_can_be_armed_from_the_page(browser: Browser) -> None:
    page = await browser.page("/faults")
    offered = [one.attributes["value"] for one in page.all("input", name="kind")]
    assert sorted(offered) == sorted(KIND_NAMES)
    assert "swiftclaw fault add lost_reply" in page.text
    for kind in offered:
        assert (await browser.send("/faults", {"kind": kind, "value": "", "webhook": "", "times": ""})).status == 200
    assert [fault["kind"] for fault in (await browser.twin("/faults.json"))["faults"]] == offered


async def test_the_stories_that_come_with_us_are_named(browser: Browser) -> None:
    page = await browser.page("/faults")
    assert [name for name in BUILT_IN if f"swiftclaw play {name}" not in page.text] == []


async def test_an_armed_fault_is_listed_and_every_page_has_a_stripe_until_it_is_cleared(browser: Browser) -> None:
    await browser.api.webhook()
    page = await browser.send(
        "/faults",
        {"kind": "delay", "value": "90s", "webhook": "webhook-123", "times": "2", "probability": "", "lasts": ""},
    )
    assert note(page) == "fault-1 armed: the next 2 deliveries to webhook-123 are held back for 1m30s"
    (fault,) = (await browser.twin("/faults.json"))["faults"]
    assert (fault["kind"], fault["params"], fault["webhook"], fault["left"]) == (
        "delay",
        {"delay": "1m30s"},
        "webhook-123",
        2,
    )
    for path in ("/faults", "/webhooks", "/"):
        assert len((await browser.page(path)).all("aside", class_="stripe")) == 1
    assert note(await browser.send("/faults/fault-1/clear", {"back": "/faults"})) == "Disarmed fault-1."
    assert (await browser.page("/")).all("aside", class_="stripe") == []


async def test_a_fault_by_chance_and_for_a_while_is_armed_and_all_are_cleared(browser: Browser) -> None:
    await browser.send("/faults", {"kind": "drop", "probability": "0.25", "lasts": "3m"})
    await browser.send("/faults", {"kind": "duplicate"})
    faults = (await browser.twin("/faults.json"))["faults"]
    assert [(one["probability"], one["until"] is None, one["left"]) for one in faults] == [
        (0.25, False, None),
        (None, True, 1),
    ]
    page = await browser.send("/faults/clear", {"back": "/faults"})
    assert note(page) == "Disarmed all; 2 faults had still to meet an attempt."
    assert (await browser.twin("/faults.json"))["faults"] == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "duplicat"}, "Did you mean"),
        ({"kind": "delay", "value": "soon"}, "is not a duration"),
        ({"kind": "duplicate", "times": "0"}, "times"),
        ({"kind": "duplicate", "probability": "2"}, "probability"),
    ],
)
async def test_what_cannot_be_armed_is_refused_as_a_page(browser: Browser, fields: dict[str, str], said: str) -> None:
    page = await browser.send("/faults", fields)
    assert (page.status, said in page.text) == (400, True)


# --- certify ----------------------------------------------------------------------------------------------------


async def test_without_webhooks_certify_says_what_to_type(browser: Browser) -> None:
    assert "swiftclaw certify --url" in (await browser.page("/certify")).text


async def test_a_receiver_is_certified_and_the_report_shown(browser: Browser) -> None:
    await browser.api.webhook()
    page = await browser.send("/certify", {"webhook": "webhook-123"})
    assert "failed" in note(page)
    report = (await browser.twin("/certify/crt_1.json"))["report"]
    assert report["failed"] > 0
    for check in report["checks"]:
        assert check["id"] in page.text
        assert check["why"] in page.text
        assert check["result"] != "fail" or check["page"] in page.text
    assert "It cannot prove that signatures are compared in constant time." in page.text
    assert "swiftclaw certify my-agent webhook-123" in page.text
    to_see = "/send?agent=my-agent&webhook=webhook-123&fault=missing_signature"
    assert to_see in page.links
    filled = await browser.page(to_see)
    assert (filled.status, "under missing_signature" in filled.text) == (200, True)
    listed = await browser.page("/certify?webhook=webhook-123")
    assert "/certify/crt_1" in listed.links


async def test_a_report_can_be_its_failures_alone(browser: Browser) -> None:
    await browser.api.webhook()
    await browser.send("/certify", {"webhook": "webhook-123"})
    every = (await browser.twin("/certify/crt_1.json"))["report"]["checks"]
    failed = (await browser.twin("/certify/crt_1.json?failed=1"))["report"]["checks"]
    assert failed == [check for check in every if check["result"] == "fail"]
    page = await browser.page("/certify/crt_1?failed=1")
    assert [one.attributes["id"] for one in page.all("div", class_="check")] == [check["id"] for check in failed]


async def test_only_the_checks_that_were_ticked_are_run(browser: Browser) -> None:
    await browser.api.webhook()
    await browser.send(
        "/certify", [("webhook", "webhook-123"), ("only", "SIG-1"), ("only", "RAW-1"), ("effects_url", "")]
    )
    checks = (await browser.twin("/certify/crt_1.json"))["report"]["checks"]
    assert [check["id"] for check in checks] == ["SIG-1", "RAW-1"]


async def test_a_report_is_given_as_junit_and_as_a_badge(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    async with api.client.get("/certify/badge/webhook-123.svg") as answer:
        assert (answer.content_type, "not certified" in await answer.text()) == ("image/svg+xml", True)
    await browser.send("/certify", {"webhook": "webhook-123"})
    report = (await browser.twin("/certify/crt_1.json"))["report"]
    async with api.client.get("/certify/crt_1/junit.xml") as answer:
        suite = ElementTree.fromstring(await answer.text())  # noqa: S314 - our own text
        assert answer.headers["Content-Disposition"] == 'attachment; filename="certify-crt_1.xml"'
    assert (suite.get("failures"), len(suite)) == (str(report["failed"]), len(report["checks"]))
    async with api.client.get("/certify/badge/webhook-123.svg") as answer:
        assert (
            f"{report['passed']}/{report['passed'] + report['failed'] + report['warned']} passed" in await answer.text()
        )


async def test_what_a_check_sends_can_be_looked_at_and_sent(browser: Browser) -> None:
    await browser.api.webhook()
    assert set(certify._LIKE) <= {check.id for check in CHECKS}
    for fault in set(certify._LIKE.values()):
        page = await browser.page(f"/send?agent=my-agent&webhook=webhook-123&fault={fault}")
        assert (fault, page.all("p", role="alert")) == (fault, [])


async def test_unknown_reports_and_webhooks_are_404(browser: Browser) -> None:
    for path in ("/certify/crt_9", "/certify/crt_9/junit.xml", "/certify/badge/webhook-999.svg"):
        assert (await browser.page(path)).status == 404
    assert (await browser.send("/certify", {"webhook": "webhook-999"})).status == 404


# --- alerts -----------------------------------------------------------------------------------------------------


async def test_an_alert_is_created_fires_and_is_deleted(browser: Browser) -> None:
    api = browser.api
    page = await browser.page("/alerts")
    assert "swiftclaw alerts create --agent my-agent" in page.text
    page = await browser.send("/alerts", {"agent": "my-agent", "threshold": "1", "window": "1h", "notify_url": ""})
    assert note(page) == "Created alert-1: fires when my-agent has 1 or more webhook-failures in 1h. Now: 0."
    await api.webhook()
    api.receiver.respond(400)
    await api.emitted()
    async with asyncio.timeout(10):
        while not re.search(r"firing\s*fired \d\d:\d\d:\d\d", page.text):  # it is judged a moment after the attempt
            page = await browser.page("/alerts")
    assert "1 of 1 in 1h" in page.text
    (meter,) = page.all("meter")
    assert float(meter.attributes["value"]) > float(meter.attributes["high"]) >= float(meter.attributes["low"])
    told = await browser.twin("/alerts.json")
    assert ([one["state"] for one in told["alerts"]], [one["state"] for one in told["history"]]) == (
        ["firing"],
        ["firing"],
    )
    page = await browser.send("/alerts/alert-1/delete", {"back": "/alerts"})
    assert note(page) == "Deleted alert-1. Its history is kept."
    told = await browser.twin("/alerts.json")
    assert (told["alerts"], len(told["history"])) == ([], 1)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"agent": "my-agent", "threshold": "0"}, "threshold"),
        ({"agent": "my-agent", "window": "6 hours"}, "6 hours"),
        ({"agent": "my agent"}, "cannot be the name of an agent"),
        ({"agent": "my-agent", "notify_url": "ftp://x"}, "ftp"),
    ],
)
async def test_an_alert_that_cannot_be_is_refused_as_a_page(
    browser: Browser, fields: dict[str, str], said: str
) -> None:
    page = await browser.send("/alerts", fields)
    assert (page.status, said in page.text) == (400, True)


# --- clock ------------------------------------------------------------------------------------------------------


async def test_the_clock_is_advanced_and_what_ran_is_shown(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    api.receiver.respond(500, 500, 200)
    delivery = await api.emitted()
    page = await browser.page("/clock")
    assert "retry 1 of 5" in page.text
    assert f"/deliveries/{delivery['id']}" in page.links
    page = await browser.send("/clock/advance", {"by": "1m"})
    assert "1 send, 0 delivered, 1 still scheduled." in note(page)
    page = await browser.send("/clock/next", {"back": "/clock"})
    assert "1 send, 1 delivered, 0 still scheduled." in note(page)
    assert "+5m" in page.text
    assert "Nothing is scheduled." in page.text


async def test_the_clock_is_moved_to_a_time_and_until_nothing_is_left(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    api.receiver.respond(500)
    await api.emitted()
    page = await browser.send("/clock/to", {"to": str(int(api.platform.clock.now().timestamp()) + 61)})
    assert "1 send" in note(page)
    page = await browser.send("/clock/idle", {"back": "/clock"})
    assert "4 sends, 0 delivered, 0 still scheduled." in note(page)
    assert [one.text for one in page.all("td") if one.text.startswith("retry ")] == [f"retry {n}" for n in range(2, 6)]


async def test_a_page_with_a_note_leads_back_without_it(browser: Browser) -> None:
    page = await browser.send("/clock/advance", {"by": "1m"})
    fields = {one.attributes["name"]: one.attributes["value"] for one in page.all("input", name="back")}
    assert (fields["back"].startswith("/clock?since="), "said" in fields["back"]) == (True, False)
    assert "The clock runs again" in note(await browser.send("/clock/resume", fields))


async def test_what_ran_has_an_address_of_its_own(browser: Browser) -> None:
    api = browser.api
    await api.webhook()
    await api.emitted()
    since = api.platform.clock.now().timestamp() - 60
    (ran,) = (await browser.twin(f"/clock.json?since={since}"))["ran"]
    assert (ran["status"], ran["retry"], ran["state"]) == (200, 0, "delivered")
    assert (await browser.twin("/clock.json"))["ran"] is None
    assert (await browser.page("/clock?since=tomorrow")).status == 400


async def test_a_clock_that_runs_is_not_moved_and_says_how_to_freeze_it(open_api: OpenApi) -> None:
    browser = Browser(await open_api(Settings(ephemeral=True)))
    page = await browser.page("/clock")
    assert "swiftclaw clock freeze" in page.text
    assert page.all("form", action="/clock/advance") == []
    for path, fields in (
        ("/clock/advance", {"by": "1m"}),
        ("/clock/to", {"to": "14:00"}),
        ("/clock/next", {"back": "/"}),
        ("/clock/idle", {"back": "/"}),
    ):
        refused = await browser.send(path, fields)
        assert (refused.status, "Freeze it first" in refused.text) == (409, True)


async def test_the_clock_runs_fast_when_asked(browser: Browser) -> None:
    page = await browser.send("/clock/pace", {"rate": "60"})
    assert note(page) == "The clock runs 60 times as fast as real time."
    assert browser.api.platform.clock.rate == 60
    for rate in ("0", "-1", "fast", "1e9"):
        assert (await browser.send("/clock/pace", {"rate": rate})).status == 400


async def test_what_waits_for_a_disabled_webhook_is_said_to_be_held(browser: Browser) -> None:
    await browser.api.webhook(enabled=False)
    await browser.api.post("/v1/agents/my-agent/events", {"type": "agent.failed"})
    assert "held: webhook disabled" in (await browser.page("/clock")).text
