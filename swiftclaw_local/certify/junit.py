"""A certification's report as JUnit XML, for build servers. Pure: what fails is given."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from swiftclaw_local.plain_text import clean

Json = dict[str, Any]


def junit(report: Json, bad: Collection[str]) -> str:
    """Return the report as JUnit XML; `bad` are the ids that fail."""
    cases = [_case(check, failed=check["id"] in bad) for check in report["checks"]]
    absent = sorted(set(bad) - {check["id"] for check in report["checks"]})
    cases += [_absent(id) for id in absent]
    failures = len(bad)
    skipped = sum(check["result"] == "skip" and check["id"] not in bad for check in report["checks"])
    head = (
        f'<testsuite name="swiftclaw certify" tests="{len(cases)}" failures="{failures}" errors="0" skipped="{skipped}"'
        f' time="{report["duration_ms"] / 1000:.3f}">'
    )
    return "\n".join(['<?xml version="1.0" encoding="utf-8"?>', head, *cases, "</testsuite>", ""])


def _case(check: Json, *, failed: bool) -> str:
    name = quoteattr(clean(f"{check['id']} {check['title']}"))
    told = escape(clean("\n".join(f"{name}: {check[name]}" for name in _TOLD if check[name])))
    inner = f"<system-out>{told}</system-out>"
    if failed:
        inner = f"<failure message={quoteattr(clean(check['why'] or check['result']))}>{told}</failure>"
    elif check["result"] == "skip":
        inner = f"<skipped message={quoteattr(clean(check['why']))}/>"
    return f'  <testcase classname="swiftclaw.certify" name={name} time="0">{inner}</testcase>'


_TOLD: Final = ("result", "expected", "got", "why", "sent", "answer", "page", "fix")


def _absent(id: str) -> str:
    return f'  <testcase classname="swiftclaw.certify" name="{id}" time="0"><failure message="required, and not run"/></testcase>'
