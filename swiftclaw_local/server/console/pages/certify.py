"""Certify: judge a receiver, look at what was found, take it along as JUnit XML or as a badge."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from aiohttp import web
from pydantic import Field

from swiftclaw_local.certify.catalog import CHECKS
from swiftclaw_local.certify.junit import junit
from swiftclaw_local.certify.report import Result
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.adapter import SAFE_HEADERS
from swiftclaw_local.server.console.blanks import MaybeText
from swiftclaw_local.server.console.page import Action, Page, Shown, Went
from swiftclaw_local.server.console.pages.webhooks import CertifiedOut, certified
from swiftclaw_local.server.models import CertifyOut, Model, Seconds
from swiftclaw_local.server.queries import Flag, flag
from swiftclaw_local.server.routes.certify import certification_out
from swiftclaw_local.server.shapes import seconds

# The badge's halves, in pixels.
_LEFT, _RIGHT = 128, 78
# The fault with which the page Send makes what a check sends; "" where it is a usual event.
_LIKE: Final = {
    "SIG-1": "",
    "SIG-2": "wrong_signature",
    "SIG-3": "missing_signature",
    "SIG-4": "wrong_signature",
    "SIG-5": "tampered_body",
    "SIG-6": "other_secret",
    "JSON-1": "truncated_body",
    "TYPE-2": "unknown_type",
    "DUP-1": "duplicate",
    "DUP-2": "duplicate",
    "DUP-3": "duplicate_simultaneous",
    "RETRY-1": "lost_reply",
    "BIG-1": "huge_body",
    "TIME-1": "",
}
_COLORS: Final = {"good": "#146c34", "bad": "#b3161b", "none": "#565b70"}


class ReportRow(Model):
    """One report in the list."""

    id: str
    webhook: str
    url: str
    passed: int
    failed: int
    warned: int
    skipped: int
    at: Seconds


class WebhookChoice(Model):
    """A webhook whose receiver may be judged."""

    id: str
    agent: str
    url: str
    certified: CertifiedOut | None


class ReportsOut(Model):
    """The webhooks, and the reports that are kept, the newest first."""

    webhooks: list[WebhookChoice]
    reports: list[ReportRow]


class CertifyQuery(Model):
    """The webhook that is chosen beforehand."""

    webhook: str | None = None


class ReportQuery(Model):
    """Whether to show the failures alone."""

    failed: Flag = "0"


class RunForm(Model):
    """Which receiver to judge, by which checks; none named: by all."""

    webhook: str
    only: list[str] = Field(default=[])
    effects_url: MaybeText = None
    back: str = "/certify"


class ReportOut(Model):
    """A report, as the API tells it, and when it was made; with `failed` its checks are the failures alone."""

    report: CertifyOut
    at: Seconds


async def show_reports(platform: Platform, query: CertifyQuery) -> Shown:
    """Show the webhooks to judge, and what was found before."""
    webhooks = (await platform.reads.webhooks(limit=200)).rows
    choices = [
        WebhookChoice(id=one.id, agent=one.agent, url=one.url, certified=certified(platform, one.id))
        for one in webhooks
    ]
    reports = []
    for kept in platform.certifications.every():
        counts = [kept.report.count(result) for result in (Result.PASS, Result.FAIL, Result.WARN, Result.SKIP)]
        named = dict(zip(("passed", "failed", "warned", "skipped"), counts, strict=True))
        at = seconds(kept.made_at)
        reports.append(ReportRow(id=kept.id, webhook=kept.webhook_id, url=kept.report.url, at=at, **named))
    more = {"chosen": query.webhook, "checks": CHECKS}
    return Shown("certify.html", "Certify", ReportsOut(webhooks=choices, reports=reports), more)


async def run_checks(platform: Platform, form: RunForm) -> Went:
    """Send the checks to a receiver, and show the report."""
    kept = await platform.certifications.certify(form.webhook, only=form.only, effects_url=form.effects_url)
    out = certification_out(kept)
    said = f"{out.passed} passed, {out.failed} failed, {out.warned} warned, {out.skipped} skipped."
    return Went(f"/certify/{kept.id}", said, "bad" if out.failed or out.unreachable else "good", data=out)


async def show_report(platform: Platform, report_id: str, query: ReportQuery) -> Shown:
    """Show a report."""
    kept = platform.certifications.find(report_id)
    out = certification_out(kept)
    only_failed = flag(query.failed)
    if only_failed:
        out.checks = [check for check in out.checks if check.result == "fail"]
    agent = (await platform.reads.webhook(out.webhook)).agent
    like = {check.id: _send_like(check.id, agent, out.webhook) for check in out.checks if check.id in _LIKE}
    more = {"only_failed": only_failed, "badge": f"/certify/badge/{out.webhook}.svg", "like": like, "agent": agent}
    title = f"{out.passed}/{out.passed + out.failed + out.warned} {out.webhook} {out.id}"
    return Shown("report.html", title, ReportOut(report=out, at=seconds(kept.made_at)), more)


def _send_like(check_id: str, agent: str, webhook_id: str) -> str:
    """Return the address of the page Send, filled in with what a check sends."""
    fields = {"agent": agent, "webhook": webhook_id, "fault": _LIKE[check_id]}
    return "/send?" + urlencode({name: value for name, value in fields.items() if value})


async def give_junit(platform: Platform, report_id: str) -> web.StreamResponse:
    """Give a report to a build server."""
    document = certification_out(platform.certifications.find(report_id)).model_dump(mode="json")
    failed = {check["id"] for check in document["checks"] if check["result"] == "fail"}
    headers = {
        "Content-Type": "application/xml; charset=utf-8",
        "Content-Disposition": f'attachment; filename="certify-{report_id}.xml"',
        **SAFE_HEADERS,
    }
    return web.Response(body=junit(document, failed).encode("utf-8", "replace"), headers=headers)


async def draw_badge(platform: Platform, webhook_id: str) -> web.StreamResponse:
    """Draw the newest result of a webhook's receiver."""
    await platform.reads.webhook(webhook_id)
    found = certified(platform, webhook_id)
    text = "not certified" if found is None else f"{found.passed}/{found.of} passed"
    tone = "none" if found is None else "bad" if found.failed else "good"
    svg = _badge("SwiftClaw webhooks", text, color=_COLORS[tone])
    return web.Response(body=svg.encode(), headers={"Content-Type": "image/svg+xml", **SAFE_HEADERS})


def _badge(left: str, right: str, *, color: str) -> str:
    width = _LEFT + _RIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{escape(left)}: {escape(right)}">'
        f'<rect width="{_LEFT}" height="20" fill="#1b1d29"/><rect x="{_LEFT}" width="{_RIGHT}" height="20" fill="{color}"/>'
        '<g fill="#fff" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{_LEFT / 2:g}" y="14">{escape(left)}</text>'
        f'<text x="{_LEFT + _RIGHT / 2:g}" y="14" textLength="{_RIGHT - 10}" lengthAdjust="spacingAndGlyphs">{escape(right)}</text></g></svg>'
    )


PAGES: Final = (
    Page("/certify", show_reports),
    Page("/certify/{report_id}", show_report),
    Page("/certify/{report_id}/junit.xml", give_junit, twin=False),
    Page("/certify/badge/{webhook_id}.svg", draw_badge, twin=False),
)
ACTIONS: Final = (Action("/certify", run_checks, "manage"),)
