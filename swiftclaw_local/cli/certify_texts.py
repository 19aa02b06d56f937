"""How a certification's report looks to people. Pure; it judges nothing but the exit."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from swiftclaw_local.cli.output import Output, counted
from swiftclaw_local.plain_text import clean

Json = dict[str, Any]

_COLORS: Final = {"pass": "green", "fail": "red", "warn": "yellow", "skip": "bright_black"}
_WIDEST_GOT: Final = 12
_WORTH_A_WORD_MS: Final = 1000
_INDENT: Final = " " * 17


def failing(report: Json, *, strict: bool, required: Collection[str]) -> set[str]:
    """Return the ids of the checks that make it fail: failures, with `strict` warnings too, and required ones without a pass."""
    bad = ("fail", "warn") if strict else ("fail",)
    ended = {check["id"]: check["result"] for check in report["checks"]}
    missing = {id for id in required if ended.get(id) != "pass"}
    return missing | {id for id, result in ended.items() if result in bad}


def report_lines(report: Json, bad: Collection[str], output: Output, *, server: str = "") -> Iterator[str]:
    """Yield the report; below each failure what was sent, what came back, the page's sentence, and the fix.

    `server` is the address of the one that keeps the report, if one does.
    """
    checks = report["checks"]
    made_with = f"   (made with {report['framework']}, by its answers)" if report["framework"] else ""
    yield f"Certifying {clean(report['url'])} against the SwiftClaw webhook docs{made_with}"
    title_width = max(len(check["title"]) for check in checks)
    got_width = min(max(len(check["got"]) for check in checks), _WIDEST_GOT)
    for check in checks:
        result = output.style(check["result"].upper(), _COLORS[check["result"]])
        line = f"  {result}  {check['id']:<8} {check['title']:<{title_width}}  {clean(check['got']):<{got_width}}  {clean(check['why'])}"
        yield line.rstrip()
        yield from (f"{_INDENT}{name:<6}{text}" for name, text in _below(check))
    yield ""
    yield _summary(report, server=server)
    beside = sorted(set(bad) - {check["id"] for check in checks if check["result"] == "fail"})
    if beside:
        yield f"Not enough for --require or --strict: {', '.join(beside)}"
    yield "What it cannot see:"
    yield from (f"  {limit}" for limit in report["limits"])


def _below(check: Json) -> Iterator[tuple[str, str]]:
    """Yield what stands below a check that is not right."""
    if check["result"] == "fail":
        yield from ((name, clean(check[key])) for name, key in _EXPLAINED if check[key])
    if check["result"] in ("fail", "warn") and check["fix"]:
        yield "fix", clean(check["fix"])


_EXPLAINED: Final = (("sent", "sent"), ("came", "answer"), ("page", "page"))


def _summary(report: Json, *, server: str) -> str:
    counts = [
        f"{report['passed']} passed",
        f"{report['failed']} failed",
        counted(report["warned"], "warning"),
        f"{report['skipped']} skipped",
    ]
    kept = f"   report{_where(report, server=server)}" if "id" in report else ""
    return f"{', '.join(counts)} in {report['duration_ms'] / 1000:.1f} s{_for_effects(report)}{kept}"


def _where(report: Json, *, server: str) -> str:
    """Return where a report that a server keeps can be looked at, else what it is called."""
    return f": {server}{report['page']}" if report["page"] else f" {report['id']}"


def _for_effects(report: Json) -> str:
    """Return how much of the time went to looking for effects, where that is worth a word."""
    if report["effects_ms"] < _WORTH_A_WORD_MS:
        return ""
    return f", {report['effects_ms'] / 1000:.1f} s of it to look for effects {report['effects_asked']} times"


def list_lines(checks: list[Json]) -> Iterator[str]:
    """Yield the checks with what each expects and the page's sentence behind it."""
    width = max(len(check["title"]) for check in checks)
    expected = max(len(check["expected"]) for check in checks)
    for check in checks:
        yield f"{check['id']:<8} {check['title']:<{width}}  {check['expected']:<{expected}}  {check['page']}".rstrip()
