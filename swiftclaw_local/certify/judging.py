"""The rules: from the answers to a check's requests to its verdict. Pure; nothing here sends anything.

What SwiftClaw would do next decides: 2xx is delivered, 5xx and silence are sent five times more, all else is final.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from swiftclaw_local.certify.answer import Answer
from swiftclaw_local.certify.frameworks import Remedy
from swiftclaw_local.certify.report import Result
from swiftclaw_local.certify.shapes import SHAPES, mistakes
from swiftclaw_local.scheduler.outcome import Cause

PASS, FAIL, WARN, SKIP = Result.PASS, Result.FAIL, Result.WARN, Result.SKIP
# With these a receiver says that the signature does not fit.
REFUSALS: Final = (400, 401, 403)
_NAMED_AT_MOST: Final = 2
_WORST_FIRST: Final = (FAIL, WARN, SKIP, PASS)
NO_EFFECTS: Final = "needs --effects-url or --effects-cmd"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a check ended, and the answer that decided it, if one did."""

    result: Result
    got: str = ""
    why: str = ""
    remedy: Remedy | None = None
    by: Answer | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """How often something was done, seen from outside: None when nobody could look."""

    effects: int | None = None


NOT_COUNTED: Final = Counted()


# --- signatures and JSON ----------------------------------------------------------------------------------------


def valid_accepted(valid: Answer) -> Verdict:
    """SIG-1: what is signed rightly is answered 2xx."""
    if valid.accepted:
        return Verdict(PASS, valid.short, by=valid)
    match valid.meant:
        case None:
            return Verdict(FAIL, valid.short, "no answer to a valid event; it would be sent five times more", by=valid)
        case status if status in REFUSALS:
            return Verdict(FAIL, valid.short, "a correctly signed event was rejected, for good", Remedy.SECRET, valid)
        case 404 | 405:
            return Verdict(FAIL, valid.short, "nothing takes POST at this path", Remedy.ROUTE, valid)
        case status if 300 <= status <= 399:
            return Verdict(FAIL, valid.short, "redirects are not followed, and are final", Remedy.ROUTE, valid)
        case status if 500 <= status <= 599:
            return Verdict(
                FAIL, valid.short, "the handler failed; it would be sent five times more", Remedy.CRASH, valid
            )
        case _:
            return Verdict(FAIL, valid.short, "4xx is final: this event would be lost", Remedy.ACCEPT, valid)


def refused(answers: Sequence[Answer], *, with_status: int, valid: Answer, crash: Remedy) -> Verdict:
    """SIG-2 to SIG-6 and JSON-1: every one of these is answered with this status. The worst answer decides.

    `crash` is what to do about an answer 5xx.
    """
    verdicts = [_refused(answer, with_status=with_status, valid=valid, crash=crash) for answer in answers]
    worst = min(verdicts, key=lambda verdict: _WORST_FIRST.index(verdict.result))
    return Verdict(worst.result, _joined(answers), worst.why, worst.remedy, worst.by)


def _refused(answer: Answer, *, with_status: int, valid: Answer, crash: Remedy) -> Verdict:
    forged = with_status == 401
    to_do = Remedy.REJECT if forged else Remedy.INVALID
    status = answer.status
    if status is None:
        return Verdict(FAIL, why="no answer; it would be sent five times more", remedy=crash, by=answer)
    if answer.acknowledged:
        what = "forged delivery was acknowledged" if forged else "what cannot be parsed was acknowledged, and is lost"
        return Verdict(FAIL, why=what, remedy=to_do, by=answer)
    if status == with_status:
        return Verdict(PASS, by=answer)
    if status == valid.status:
        what = (
            "mend SIG-1 first" if status >= 500 else f"the {'signature' if forged else 'body'} is not what it looks at"
        )
        return Verdict(FAIL, why=f"a valid event gets {status} too: {what}", by=answer)
    if 500 <= status <= 599:
        what = "become right" if forged else "parse"
        why = f"handler crashed: it would be sent five times more, and can never {what}"
        return Verdict(FAIL, why=why, remedy=crash, by=answer)
    if 400 <= status <= 499:
        return Verdict(WARN, why=f"refused, but the page's samples answer {with_status}", remedy=to_do, by=answer)
    return Verdict(FAIL, why=f"{status} is no refusal", remedy=to_do, by=answer)


def not_an_object(answers: Sequence[Answer]) -> Verdict:
    """JSON-2: a list, null and a string are answered 4xx. Only a warning: SwiftClaw sends none of these."""
    bad = next((answer for answer in answers if answer.status is None or not 400 <= answer.status <= 499), None)
    if bad is None:
        return Verdict(PASS, _joined(answers), by=answers[0])
    what = "was acknowledged" if bad.acknowledged else "makes the handler fail"
    return Verdict(WARN, _joined(answers), f"signed JSON that is no object {what}", Remedy.INVALID, bad)


def raw_bytes(answers: Sequence[Answer], *, forged: Answer) -> Verdict:
    """RAW-1: all seven shapes are accepted. Which are not names the mistake."""
    accepted = [answer.accepted for answer in answers]
    got = f"{sum(accepted)}/{len(SHAPES)}"
    if all(accepted) and len(answers) == len(SHAPES):
        if forged.accepted:
            return Verdict(WARN, got, "says nothing: a wrong signature is accepted too (SIG-2)", by=answers[0])
        return Verdict(PASS, got, by=answers[0])
    first = next(answer for answer in answers if not answer.accepted)
    rejected = [shape.name for shape, answer in zip(SHAPES, answers, strict=False) if not answer.accepted]
    if any(not answer.accepted and not _refuses(answer, forged) for answer in answers):
        other = next(answer for answer in answers if not answer.accepted and not _refuses(answer, forged))
        why = f"{other.short} to a rightly signed body: {', '.join(rejected)}"
        return Verdict(FAIL, got, why, Remedy.RAW, other)
    if not any(accepted):
        return Verdict(
            FAIL, got, "no shape is accepted: another secret, or another signature (SIG-1)", Remedy.SECRET, first
        )
    found = mistakes(accepted)
    if not found:
        return Verdict(
            FAIL, got, f"rejects {', '.join(rejected)}: it does not hash the bytes that came", Remedy.RAW, first
        )
    named = " or ".join(found[:_NAMED_AT_MOST])
    return Verdict(FAIL, got, f"it hashes the body after {named}; rejects {', '.join(rejected)}", Remedy.RAW, first)


def _refuses(answer: Answer, forged: Answer) -> bool:
    """Return whether an answer says that the signature does not fit: as a refusal, or as a wrong signature is answered."""
    return answer.meant in REFUSALS or (answer.status is not None and answer.status == forged.status)


# --- events that come in other ways -----------------------------------------------------------------------------


def all_types(answers: Sequence[tuple[str, Answer]], *, number: int) -> Verdict:
    """TYPE-1: every event type is answered 2xx."""
    bad = [(type, answer) for type, answer in answers if not answer.accepted]
    got = f"{len(answers) - len(bad)}/{number}"
    if not bad:
        return Verdict(PASS, got, by=answers[0][1])
    told = ", ".join(f"{type} {answer.short}" for type, answer in bad)
    return Verdict(FAIL, got, f"not accepted: {told}", Remedy.ACCEPT, bad[0][1])


def accepted_or_warn(answers: Sequence[Answer], *, why: str, remedy: Remedy) -> Verdict:
    """TYPE-2, ORD-1, BIG-1: answered 2xx, or else a warning."""
    bad = next((answer for answer in answers if not answer.accepted), None)
    if bad is None:
        return Verdict(PASS, _in_order(answers), by=answers[0])
    return Verdict(WARN, _in_order(answers), why, remedy, bad)


def duplicate(answers: Sequence[Answer]) -> Verdict:
    """DUP-1: the same bytes once more are answered 2xx."""
    again = answers[-1]
    if all(answer.accepted for answer in answers):
        return Verdict(PASS, _in_order(answers), by=again)
    after = (
        "is final, and looks failed in every log"
        if again.status is not None and again.status < 500
        else "is sent again"
    )
    return Verdict(
        FAIL, _in_order(answers), f"the duplicate was not acknowledged, which {after}", Remedy.DUPLICATE, again
    )


def once(counted: Counted, *, by: Answer) -> Verdict:
    """DUP-2: an event that came twice, one after the other, had one effect."""
    if counted.effects is None:
        return Verdict(SKIP, why=NO_EFFECTS)
    if counted.effects == 1:
        return Verdict(PASS, "1 effect", by=by)
    if counted.effects == 0:
        return Verdict(FAIL, "0 effects", "acknowledged, and nothing was done, or the count does not show it", by=by)
    return Verdict(FAIL, f"{counted.effects} effects", "processed more than once", Remedy.ONCE, by)


def at_once(copies: Sequence[Answer], counted: Counted, *, first: Answer, again: Answer) -> Verdict:
    """DUP-3: five copies at the same moment had one effect. `first` and `again` are DUP-1's answers, for comparison.

    A copy may be refused while another is processed; that all are is a failure.
    """
    if not any(copy.accepted for copy in copies):
        return Verdict(FAIL, _joined(copies), "none of five copies was acknowledged", Remedy.DUPLICATE, copies[0])
    if counted.effects is not None:
        return once(counted, by=copies[0])
    as_new = sum(copy.body == first.body for copy in copies)
    if again.body != first.body and as_new > 1:
        why = f"{as_new} of {len(copies)} copies were answered as new ones; {NO_EFFECTS} to prove it"
        return Verdict(WARN, _joined(copies), why, Remedy.ONCE, copies[0])
    return Verdict(WARN, _joined(copies), f"effects not seen; {NO_EFFECTS} to prove “once”", by=copies[0])


def in_time(answer: Answer, *, slow_ms: int) -> Verdict:
    """TIME-1: under a second; a warning beyond it, a failure when the time was up."""
    if answer.cause is Cause.TIMEOUT:
        return Verdict(FAIL, answer.short, "it would be sent five times more", Remedy.QUICK, answer)
    if answer.status is None:
        return Verdict(FAIL, answer.short, "no answer; it would be sent five times more", by=answer)
    got = f"{answer.duration_ms} ms"
    if answer.duration_ms < slow_ms:
        return Verdict(PASS, got, by=answer)
    return Verdict(WARN, got, f"slower than {slow_ms} ms; SwiftClaw local gives up after 10 s", Remedy.QUICK, answer)


def retried(retry: Answer, counted: Counted) -> Verdict:
    """RETRY-1: the receiver acted, its reply was lost, and the retry is answered 2xx; with one effect, where it was counted."""
    if not retry.accepted:
        what = "is final" if retry.status is not None and retry.status < 500 else "is sent again, in vain"
        return Verdict(FAIL, retry.short, f"the retry of what was processed {what}", Remedy.DUPLICATE, retry)
    if counted.effects is not None and counted.effects != 1:
        return once(counted, by=retry)
    return Verdict(PASS, retry.short, by=retry)


def own_failure(broken: Answer, mended: Answer) -> Verdict:
    """RETRY-2: while it cannot process it answers 5xx, and the retry gets 2xx."""
    got = _in_order((broken, mended))
    if broken.acknowledged:
        return Verdict(FAIL, got, "acknowledged although it could not process: lost", Remedy.FAILURE, broken)
    if broken.status is not None and not 500 <= broken.status <= 599:
        return Verdict(FAIL, got, f"{broken.status} is final: never sent again", Remedy.FAILURE, broken)
    if not mended.accepted:
        return Verdict(FAIL, got, "the retry is not accepted once it is mended", Remedy.ACCEPT, mended)
    return Verdict(PASS, got, by=mended)


def _joined(answers: Sequence[Answer]) -> str:
    """Return the different answers, each once, as `401/500`."""
    return "/".join(dict.fromkeys(answer.short for answer in answers))


def _in_order(answers: Sequence[Answer]) -> str:
    return "/".join(answer.short for answer in answers)
