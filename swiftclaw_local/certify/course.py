"""Sends the requests of a certification in their order, and hands the answers to the rules.

One request follows the other, but for the five copies: a check that met another's work, or the end of a process that another
check had brought down, would be judged for it. What is likeliest to bring a receiver down comes last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from swiftclaw_local.certify import judging
from swiftclaw_local.certify.answer import NEVER_ARRIVED, Answer
from swiftclaw_local.certify.catalog import CHECKS, Check
from swiftclaw_local.certify.courier import Courier, Json, compact
from swiftclaw_local.certify.diagnosis import other_signatures
from swiftclaw_local.certify.effects import Asked, Effects, grown, steady
from swiftclaw_local.certify.frameworks import Framework, Remedy, framework_of, remedy
from swiftclaw_local.certify.hints import Seen, answer_hint
from swiftclaw_local.certify.judging import Counted, Verdict
from swiftclaw_local.certify.report import Finding, Report, Result
from swiftclaw_local.certify.shapes import SHAPES
from swiftclaw_local.dispatcher.signing import sign
from swiftclaw_local.events.catalog import EVENT_TYPE_NAMES
from swiftclaw_local.scheduler.clock import Stopwatch
from swiftclaw_local.scheduler.outcome import Cause

SLOW_MS: Final = 1000
COPIES: Final = 5
BIG_BYTES: Final = 1_000_000
UNKNOWN_TYPE: Final = "agent.certified"
# Signatures that are none: too short for a comparison of equal lengths, too long, empty, and of the right length but not ASCII.
GARBAGE: Final = ("deadbeef", "not a signature, and longer than the sixty-four characters of one", "", "ü" * 64)
NOT_OBJECTS: Final = (b"[]", b"null", b'"evt_cert"')
MEND_FIRST: Final = "a valid event is not accepted: mend SIG-1 first"
NEEDS_COMMANDS: Final = "needs --break-cmd and --fix-cmd"

Act = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for: the checks; from how many ms on an answer is slow; and what only the user can give.

    `effects` tells how much the receiver did; `break_it` makes its processing fail and `fix_it` mends it.
    """

    checks: tuple[Check, ...] = CHECKS
    slow_ms: int = SLOW_MS
    effects: Effects | None = None
    break_it: Act | None = None
    fix_it: Act | None = None


async def certify(courier: Courier, wishes: Wishes) -> Report:
    """Send everything that was asked for, and return the report. Raises: InvalidInput when effects or commands fail."""
    stopwatch = Stopwatch()
    course = _Course(courier, wishes)
    await courier.start()
    try:
        verdicts = await course.verdicts()
    finally:
        await courier.close()
    framework = framework_of(course.answers)
    findings = tuple(_finding(check, verdicts[check.id], framework) for check in wishes.checks)
    return Report(
        courier.url,
        findings,
        framework.value,
        stopwatch.elapsed_ms(),
        course.unreachable,
        effects_asked=0 if course.effects is None else course.effects.times,
        effects_ms=course.effects_ms,
    )


class _Course:
    """One run. `answers` are all that came back so far; `effects_ms` is how long was waited for effects."""

    def __init__(self, courier: Courier, wishes: Wishes) -> None:
        self._courier = courier
        self._wishes = wishes
        self._wanted = {check.id for check in wishes.checks}
        self.answers: list[Answer] = []
        self.unreachable: str | None = None
        self.effects = None if wishes.effects is None else Asked(wishes.effects)
        self.effects_ms = 0
        self._valid = self._forged = Answer("nothing")
        self._pair: tuple[list[Answer], Counted] | None = None
        self._now = self._silent_in = "SIG-1"
        self._ended_by: str | None = None

    async def verdicts(self) -> dict[str, Verdict]:
        """Return the verdict on every check that was asked for."""
        self._valid = await self._accept(self._courier.event())
        if self._valid.status is None:
            return self._silent()
        self._now = "SIG-2"
        self._forged = await self._forge()
        found = dict([await self._one(id, run) for id, run in self._steps().items()])
        return found | {"SIG-1": await self._first(found["RAW-1"])}

    def _silent(self) -> dict[str, Verdict]:
        """Return the verdicts when a valid event got no answer: nothing more is sent."""
        first = judging.valid_accepted(self._valid)
        if self._valid.cause in NEVER_ARRIVED:
            self.unreachable = self._valid.detail or self._valid.short
            first = Verdict(Result.FAIL, self._valid.short, "no request arrived at the receiver", by=self._valid)
        verdicts = {check.id: Verdict(Result.SKIP, why="no answer to a valid event (SIG-1)") for check in CHECKS}
        if self._valid.cause is Cause.TIMEOUT:
            verdicts["TIME-1"] = judging.in_time(self._valid, slow_ms=self._wishes.slow_ms)
        return verdicts | {"SIG-1": first}

    async def _one(self, id: str, run: Callable[[], Awaitable[Verdict]]) -> tuple[str, Verdict]:
        if id not in self._wanted:
            return id, Verdict(Result.SKIP)
        if self._ended_by is not None:
            return id, self._gone()
        if not self._valid.accepted and not self._tells_anyway(id):
            return id, Verdict(Result.SKIP, why=MEND_FIRST)
        self._now = id
        verdict = await run()
        return id, verdict if self._ended_by in (None, id) else self._gone()

    def _gone(self) -> Verdict:
        return Verdict(Result.SKIP, why=f"the receiver is gone: it ended during {self._ended_by}")

    def _steps(self) -> dict[str, Callable[[], Awaitable[Verdict]]]:
        return {
            "SIG-2": self._wrong,
            "SIG-3": self._missing,
            "SIG-4": self._garbage,
            "SIG-5": self._tampered,
            "SIG-6": self._other_secret,
            "RAW-1": self._raw,
            "TYPE-1": self._types,
            "TYPE-2": self._unknown_type,
            "DUP-1": self._duplicate,
            "DUP-2": self._once,
            "DUP-3": self._at_once,
            "ORD-1": self._swapped,
            "TIME-1": self._time,
            "RETRY-1": self._lost_reply,
            "RETRY-2": self._own_failure,
            "BIG-1": self._big,
            "JSON-1": self._invalid_json,
            "JSON-2": self._no_object,
        }

    def _tells_anyway(self, id: str) -> bool:
        """Return whether a check says something about a receiver that does not accept a valid event."""
        match id:
            case "RAW-1":
                return self._refused()
            case "JSON-1":  # where the signature is refused, the JSON is not looked at
                return not self._refused()
            case _:
                return id.startswith("SIG-")

    def _refused(self) -> bool:
        return self._valid.meant in judging.REFUSALS

    # --- what must be refused -----------------------------------------------------------------------------------

    async def _wrong(self) -> Verdict:
        return self._judge_refused([self._forged], crash=Remedy.RAW)

    async def _missing(self) -> Verdict:
        answer = await self._post(compact(self._courier.event()), None, said="agent.completed")
        return self._judge_refused([answer], crash=Remedy.HEADER)

    async def _garbage(self) -> Verdict:
        body = compact(self._courier.event())
        answers = [await self._post(body, garbage, said="agent.completed") for garbage in GARBAGE]
        return self._judge_refused(answers, crash=Remedy.HEADER)

    async def _tampered(self) -> Verdict:
        event = self._courier.event()
        signature = sign(self._courier.secret, compact(event))
        changed = event | {"data": event["data"] | {"tokens_used": 1}}
        answer = await self._post(compact(changed), signature, said="agent.completed with tokens_used changed")
        return self._judge_refused([answer], crash=Remedy.RAW)

    async def _other_secret(self) -> Verdict:
        body = compact(self._courier.event())
        signature = sign(f"{self._courier.secret}-another", body)
        answer = await self._post(body, signature, said="agent.completed, signed with another secret")
        return self._judge_refused([answer], crash=Remedy.RAW)

    def _judge_refused(self, answers: Sequence[Answer], *, crash: Remedy) -> Verdict:
        return judging.refused(answers, with_status=401, valid=self._valid, crash=crash)

    async def _invalid_json(self) -> Verdict:
        body = compact(self._courier.event())[:-20]
        answer = await self._signed(body, said="agent.completed, cut off in the middle")
        return judging.refused([answer], with_status=400, valid=self._valid, crash=Remedy.INVALID)

    async def _no_object(self) -> Verdict:
        return judging.not_an_object([await self._signed(body, said=body.decode()) for body in NOT_OBJECTS])

    # --- what is to be accepted ---------------------------------------------------------------------------------

    async def _raw(self) -> Verdict:
        bodies = [(shape.write(self._courier.event()), f"agent.completed, {shape.name}") for shape in SHAPES]
        return judging.raw_bytes(await self._until_silence(bodies), forged=self._forged)

    async def _types(self) -> Verdict:
        bodies = [(compact(self._courier.event(type)), type) for type in EVENT_TYPE_NAMES]
        answers = await self._until_silence(bodies)
        return judging.all_types(list(zip(EVENT_TYPE_NAMES, answers, strict=False)), number=len(EVENT_TYPE_NAMES))

    async def _unknown_type(self) -> Verdict:
        answer = await self._accept(self._courier.event(UNKNOWN_TYPE))
        why = "a type that SwiftClaw may add one day would not be acknowledged"
        return judging.accepted_or_warn([answer], why=why, remedy=Remedy.ACCEPT)

    async def _swapped(self) -> Verdict:
        invoked = self._courier.event("agent.invoked")
        completed = self._courier.event(request_id=invoked["data"]["request_id"])
        answers = [await self._accept(completed), await self._accept(invoked)]
        why = "no order is promised: a retry comes after later events"
        return judging.accepted_or_warn(answers, why=why, remedy=Remedy.ACCEPT)

    async def _big(self) -> Verdict:
        event = self._courier.event(response={"message": ""})
        missing = BIG_BYTES - len(compact(event))
        answer = await self._accept(event | {"data": event["data"] | {"response": {"message": "x" * missing}}})
        return judging.accepted_or_warn([answer], why="the page names no largest size", remedy=Remedy.BIG)

    # --- what comes more than once, or late ---------------------------------------------------------------------

    async def _twice(self) -> tuple[list[Answer], Counted]:
        """Return the answers to one event sent twice, and its effects; it is sent for the first who asks."""
        if self._pair is None:
            body = compact(self._courier.event())
            self._pair = await self._counted(
                lambda: self._until_silence([(body, "agent.completed"), (body, "the same again")])
            )
        return self._pair

    async def _duplicate(self) -> Verdict:
        answers, _ = await self._twice()
        return judging.duplicate(answers)

    async def _once(self) -> Verdict:
        answers, counted = await self._twice()
        return judging.once(counted, by=answers[-1])

    async def _at_once(self) -> Verdict:
        pair, _ = await self._twice()
        await self._open_connections()
        body = compact(self._courier.event())

        async def copies() -> list[Answer]:
            return list(await asyncio.gather(*(self._signed(body, said="one of five copies") for _ in range(COPIES))))

        answers, counted = await self._counted(copies)
        return judging.at_once(answers, counted, first=pair[0], again=pair[-1])

    async def _open_connections(self) -> None:
        """Have as many connections open as copies are sent: while one is opened, the copy before it could be done with."""
        body = compact(self._courier.event())
        posts = (self._post(body, GARBAGE[0], said="agent.completed") for _ in range(COPIES))
        await asyncio.gather(*posts)

    async def _lost_reply(self) -> Verdict:
        body = compact(self._courier.event())

        async def lose_and_retry() -> list[Answer]:
            self._kept(await self._courier.lose(body, said="agent.completed"))
            return [await self._signed(body, said="the same again, after its reply was lost")]

        answers, counted = await self._counted(lose_and_retry)
        return judging.retried(answers[-1], counted)

    async def _own_failure(self) -> Verdict:
        break_it, fix_it = self._wishes.break_it, self._wishes.fix_it
        if break_it is None or fix_it is None:
            return Verdict(Result.SKIP, why=NEEDS_COMMANDS)
        body = compact(self._courier.event())
        try:
            await break_it()
            broken = await self._signed(body, said="agent.completed, while it is broken")
        finally:
            await fix_it()
        return judging.own_failure(broken, await self._signed(body, said="the same again, mended"))

    async def _time(self) -> Verdict:
        return judging.in_time(await self._accept(self._courier.event()), slow_ms=self._wishes.slow_ms)

    async def _counted(self, act: Callable[[], Awaitable[list[Answer]]]) -> tuple[list[Answer], Counted]:
        if self.effects is None:
            return await act(), judging.NOT_COUNTED
        stopwatch = Stopwatch()
        before = await steady(self.effects)
        self.effects_ms += stopwatch.elapsed_ms()
        answers = await act()
        stopwatch = Stopwatch()
        counted = Counted(await grown(self.effects, before=before))
        self.effects_ms += stopwatch.elapsed_ms()
        return answers, counted

    # --- SIG-1 --------------------------------------------------------------------------------------------------

    async def _first(self, raw: Verdict | None) -> Verdict:
        """Return the verdict on the valid event; of one that was refused, with what would have been accepted."""
        verdict = judging.valid_accepted(self._valid)
        if self._valid.accepted or not self._refused() or self._ended_by is not None:
            return verdict
        if raw is not None and raw.remedy is Remedy.RAW:
            return Verdict(Result.FAIL, verdict.got, f"{verdict.why}; RAW-1 says why", Remedy.RAW, self._valid)
        body = compact(self._courier.event())
        for how, signature in other_signatures(body, self._courier.secret):
            answer = await self._post(body, signature, said=f"agent.completed, signed {how}")
            if answer.accepted:
                why = f"it accepts what is signed {how}; SwiftClaw sends 64 lower-case hex digits of HMAC-SHA256"
                return Verdict(Result.FAIL, verdict.got, why, Remedy.SECRET if "secret" in how else None, answer)
        return verdict

    # --- sending ------------------------------------------------------------------------------------------------

    async def _forge(self) -> Answer:
        """Send an event with a signature in which every digit is wrong."""
        body = compact(self._courier.event())
        right = sign(self._courier.secret, body)
        wrong = "".join(f"{15 - int(digit, 16):x}" for digit in right)
        return await self._post(body, wrong, said="agent.completed with a wrong signature")

    async def _accept(self, event: Json) -> Answer:
        return await self._signed(compact(event), said=str(event["type"]))

    async def _signed(self, body: bytes, *, said: str) -> Answer:
        return self._kept(await self._courier.signed(body, said=said))

    async def _post(self, body: bytes, signature: str | None, *, said: str) -> Answer:
        return self._kept(await self._courier.post(body, signature, said=said))

    async def _until_silence(self, bodies: Iterable[tuple[bytes, str]]) -> list[Answer]:
        """Send one after the other, and stop when one is not answered: the next would wait as long."""
        answers: list[Answer] = []
        for body, said in bodies:
            answers.append(await self._signed(body, said=said))
            if answers[-1].status is None:
                break
        return answers

    def _kept(self, answer: Answer) -> Answer:
        """Keep an answer; of a receiver that is gone, note the check that it ended in: the one that it left unanswered."""
        if answer.cause is Cause.CONNECT_REFUSED and self._now != "RETRY-2" and self._ended_by is None:
            self._ended_by = self._silent_in or self._now
        self._silent_in = self._now if answer.status is None else ""
        self.answers.append(answer)
        return answer


def _finding(check: Check, verdict: Verdict, framework: Framework) -> Finding:
    """Return a verdict with what to do: what its own answer gives away comes first, then the framework's usual way."""
    fix = ""
    if verdict.result in (Result.FAIL, Result.WARN):
        by = verdict.by
        hint = None if by is None else answer_hint(Seen(by.status, by.body, by.headers))
        if hint is not None:
            fix = hint.text
        elif verdict.remedy is not None:
            fix = remedy(verdict.remedy, framework)
    shown = verdict.by if verdict.result in (Result.FAIL, Result.WARN) else None
    return Finding(
        check,
        verdict.result,
        verdict.got,
        verdict.why,
        fix,
        sent=shown.sent if shown else "",
        answer=shown.shown if shown else "",
    )
