"""What a certification found, as values: one finding for each check, and the report of them all."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from swiftclaw_local.certify.catalog import Check

LIMITS: Final = (
    "It sent real posts; their event ids begin with evt_cert. They are not in the delivery log.",
    "It sees what the receiver does only through --effects-url or --effects-cmd.",
    "It cannot prove that signatures are compared in constant time.",
    "401 and 400 are what the page's samples answer; no sentence of it says must.",
)


class Result(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    WARN = "warn"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """How one check ended.

    `got` is short, as `401`; `why` says what is wrong with it; `fix` what to write. `sent` and `answer` are the exchange
    that decided, in one line each; empty where there was none.
    """

    check: Check
    result: Result
    got: str = ""
    why: str = ""
    fix: str = ""
    sent: str = ""
    answer: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "id": self.check.id,
            "title": self.check.title,
            "result": self.result.value,
            "expected": self.check.expected,
            "got": self.got,
            "why": self.why,
            "fix": self.fix,
            "page": self.check.page,
            "sent": self.sent,
            "answer": self.answer,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All findings on one receiver. `unreachable` says why no request arrived there at all; None when one did.

    `effects_asked` is how often it was asked what the receiver had done, `effects_ms` how long that took and was waited for.
    """

    url: str
    findings: tuple[Finding, ...]
    framework: str
    duration_ms: int
    unreachable: str | None = None
    effects_asked: int = 0
    effects_ms: int = 0

    def count(self, result: Result) -> int:
        """Return how many checks ended so."""
        return sum(finding.result is result for finding in self.findings)

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "url": self.url,
            "passed": self.count(Result.PASS),
            "failed": self.count(Result.FAIL),
            "warned": self.count(Result.WARN),
            "skipped": self.count(Result.SKIP),
            "unreachable": self.unreachable,
            "framework": self.framework or None,
            "duration_ms": self.duration_ms,
            "effects_asked": self.effects_asked,
            "effects_ms": self.effects_ms,
            "checks": [finding.document() for finding in self.findings],
            "limits": list(LIMITS),
        }
