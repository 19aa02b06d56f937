"""Each check, judged on the answers it may get: what passes, what fails, what only warns, and why."""

from __future__ import annotations

import pytest

from swiftclaw_local.certify import judging
from swiftclaw_local.certify.answer import Answer
from swiftclaw_local.certify.frameworks import Remedy
from swiftclaw_local.certify.judging import Counted, Verdict
from swiftclaw_local.certify.report import Result
from swiftclaw_local.certify.shapes import SHAPES
from swiftclaw_local.scheduler.outcome import Cause

PASS, FAIL, WARN, SKIP = Result.PASS, Result.FAIL, Result.WARN, Result.SKIP
SILENT = Answer("an event", cause=Cause.TIMEOUT, detail="No complete status line and headers came within 10 s.")
TUPLE_401 = '[{"error":"Invalid signature"},401]'


def got(status: int, body: str = "{}", *, ms: int = 3) -> Answer:
    return Answer("an event", status, body=body, duration_ms=ms)


OK = got(200)


def told(verdict: Verdict) -> tuple[Result, str, str]:
    return verdict.result, verdict.got, verdict.why


@pytest.mark.parametrize(
    ("answer", "result", "why", "remedy"),
    [
        (got(200), PASS, "", None),
        (got(204), PASS, "", None),
        (got(200, '[{"received":true},200]'), PASS, "", None),
        (got(200, TUPLE_401), FAIL, "a correctly signed event was rejected, for good", Remedy.SECRET),
        (got(401), FAIL, "a correctly signed event was rejected, for good", Remedy.SECRET),
        (got(403), FAIL, "a correctly signed event was rejected, for good", Remedy.SECRET),
        (got(404), FAIL, "nothing takes POST at this path", Remedy.ROUTE),
        (got(308), FAIL, "redirects are not followed, and are final", Remedy.ROUTE),
        (got(422), FAIL, "4xx is final: this event would be lost", Remedy.ACCEPT),
        (got(500), FAIL, "the handler failed; it would be sent five times more", Remedy.CRASH),
        (SILENT, FAIL, "no answer to a valid event; it would be sent five times more", None),
    ],
)
def test_sig_1_a_valid_event_is_answered_2xx(answer: Answer, result: Result, why: str, remedy: Remedy | None) -> None:
    verdict = judging.valid_accepted(answer)
    assert (verdict.result, verdict.why, verdict.remedy) == (result, why, remedy)


@pytest.mark.parametrize(
    ("answers", "result", "shown", "why"),
    [
        ([got(401)], PASS, "401", ""),
        ([got(401), got(401), got(401)], PASS, "401", ""),
        ([got(200)], FAIL, "200", "forged delivery was acknowledged"),
        ([got(200, TUPLE_401)], FAIL, "200", "forged delivery was acknowledged"),
        ([got(500)], FAIL, "500", "handler crashed: it would be sent five times more, and can never become right"),
        (
            [got(401), got(500), got(401)],
            FAIL,
            "401/500",
            "handler crashed: it would be sent five times more, and can never become right",
        ),
        ([got(400)], WARN, "400", "refused, but the page's samples answer 401"),
        ([got(302)], FAIL, "302", "302 is no refusal"),
        ([SILENT], FAIL, "timeout", "no answer; it would be sent five times more"),
    ],
)
def test_sig_2_to_6_what_is_not_signed_rightly_is_answered_401(
    answers: list[Answer], result: Result, shown: str, why: str
) -> None:
    assert told(judging.refused(answers, with_status=401, valid=OK, crash=Remedy.HEADER)) == (result, shown, why)


def test_sig_2_a_refusal_that_a_valid_event_gets_too_proves_nothing() -> None:
    verdict = judging.refused([got(422)], with_status=401, valid=got(422), crash=Remedy.HEADER)
    assert told(verdict) == (FAIL, "422", "a valid event gets 422 too: the signature is not what it looks at")


def test_sig_2_a_crash_that_a_valid_event_gets_too_is_not_put_down_to_the_signature() -> None:
    verdict = judging.refused([got(500)], with_status=401, valid=got(500), crash=Remedy.HEADER)
    assert (verdict.why, verdict.remedy) == ("a valid event gets 500 too: mend SIG-1 first", None)


@pytest.mark.parametrize(
    ("answer", "result", "why"),
    [
        (got(400), PASS, ""),
        (got(401), WARN, "refused, but the page's samples answer 400"),
        (got(422), WARN, "refused, but the page's samples answer 400"),
        (got(200), FAIL, "what cannot be parsed was acknowledged, and is lost"),
        (got(200, '[{"error":"Invalid JSON"},400]'), FAIL, "what cannot be parsed was acknowledged, and is lost"),
        (got(500), FAIL, "handler crashed: it would be sent five times more, and can never parse"),
    ],
)
def test_json_1_signed_invalid_json_is_answered_400(answer: Answer, result: Result, why: str) -> None:
    verdict = judging.refused([answer], with_status=400, valid=OK, crash=Remedy.INVALID)
    assert (verdict.result, verdict.why) == (result, why)


def test_json_2_is_only_ever_a_warning() -> None:
    assert told(judging.not_an_object([got(400), got(422)])) == (PASS, "400/422", "")
    assert judging.not_an_object([got(400), got(200)]).why == "signed JSON that is no object was acknowledged"
    crashed = judging.not_an_object([got(400), got(500), SILENT])
    assert told(crashed) == (WARN, "400/500/timeout", "signed JSON that is no object makes the handler fail")


def shapes_answered(accepted: str, *, otherwise: Answer) -> list[Answer]:
    return [OK if mark == "+" else otherwise for mark in accepted]


def test_raw_1_all_seven_shapes_pass() -> None:
    assert told(judging.raw_bytes([OK] * 7, forged=got(401))) == (PASS, "7/7", "")


def test_raw_1_says_nothing_of_a_receiver_that_accepts_a_wrong_signature() -> None:
    verdict = judging.raw_bytes([OK] * 7, forged=got(200))
    assert told(verdict) == (WARN, "7/7", "says nothing: a wrong signature is accepted too (SIG-2)")


@pytest.mark.parametrize("refusal", [got(401), got(403), got(400), got(200, TUPLE_401)])
def test_raw_1_names_the_mistake_by_its_fingerprint(refusal: Answer) -> None:
    verdict = judging.raw_bytes(shapes_answered("+--+---", otherwise=refusal), forged=got(401))
    assert told(verdict) == (
        FAIL,
        "2/7",
        "it hashes the body after JSON.stringify(); rejects spaced, pretty, \\u-escaped, 1250.0, trailing \\n",
    )
    assert verdict.remedy is Remedy.RAW


def test_raw_1_names_no_mistake_for_a_pattern_that_none_has() -> None:
    verdict = judging.raw_bytes(shapes_answered("---++++", otherwise=got(401)), forged=got(401))
    assert verdict.why == "rejects compact, spaced, pretty: it does not hash the bytes that came"


def test_raw_1_a_crash_is_no_refusal_of_the_signature() -> None:
    verdict = judging.raw_bytes(shapes_answered("+++++-+", otherwise=got(500)), forged=got(401))
    assert told(verdict) == (FAIL, "6/7", "500 to a rightly signed body: 1250.0")


def test_raw_1_a_crash_counts_as_refusal_where_a_wrong_signature_gets_it_too() -> None:
    verdict = judging.raw_bytes(shapes_answered("++++++-", otherwise=got(500)), forged=got(500))
    assert verdict.why.startswith("it hashes the body after the white space around it is taken off")


def test_raw_1_no_shape_at_all_points_to_the_secret() -> None:
    verdict = judging.raw_bytes([got(401)] * 7, forged=got(401))
    assert (verdict.got, verdict.remedy) == ("0/7", Remedy.SECRET)


def test_raw_1_fails_when_the_answers_stop() -> None:
    verdict = judging.raw_bytes([OK, OK, SILENT], forged=got(401))
    assert told(verdict) == (FAIL, "2/7", "timeout to a rightly signed body: pretty")
    assert len(SHAPES) == 7


def test_type_1_names_the_types_that_are_not_accepted() -> None:
    answers = [("agent.invoked", OK), ("system.incident", got(400))]
    assert told(judging.all_types(answers, number=2)) == (FAIL, "1/2", "not accepted: system.incident 400")
    assert told(judging.all_types(answers[:1], number=1)) == (PASS, "1/1", "")


@pytest.mark.parametrize("answers", [[got(400)], [OK, got(500)], [SILENT]])
def test_type_2_ord_1_and_big_1_warn_and_never_fail(answers: list[Answer]) -> None:
    verdict = judging.accepted_or_warn(answers, why="a reason", remedy=Remedy.BIG)
    assert (verdict.result, verdict.why, verdict.remedy) == (WARN, "a reason", Remedy.BIG)
    assert judging.accepted_or_warn([OK, OK], why="a reason", remedy=Remedy.BIG).result is PASS


def test_dup_1_a_duplicate_is_acknowledged() -> None:
    assert told(judging.duplicate([OK, OK])) == (PASS, "200/200", "")
    assert told(judging.duplicate([OK, got(409)])) == (
        FAIL,
        "200/409",
        "the duplicate was not acknowledged, which is final, and looks failed in every log",
    )
    assert judging.duplicate([OK, got(500)]).why == "the duplicate was not acknowledged, which is sent again"


@pytest.mark.parametrize(
    ("effects", "result", "shown"),
    [(None, SKIP, ""), (0, FAIL, "0 effects"), (1, PASS, "1 effect"), (2, FAIL, "2 effects")],
)
def test_dup_2_counts_effects_and_never_passes_without(effects: int | None, result: Result, shown: str) -> None:
    verdict = judging.once(Counted(effects), by=OK)
    assert (verdict.result, verdict.got) == (result, shown)


def test_dup_3_counts_effects_and_never_passes_without() -> None:
    copies = [OK] * 5
    assert told(judging.at_once(copies, Counted(5), first=OK, again=OK)) == (
        FAIL,
        "5 effects",
        "processed more than once",
    )
    assert judging.at_once([OK, *[got(503)] * 4], Counted(1), first=OK, again=OK).result is PASS
    assert judging.at_once(copies, Counted(), first=OK, again=OK).result is WARN
    assert judging.at_once([got(503)] * 5, Counted(), first=OK, again=OK).result is FAIL


def test_dup_3_believes_the_answers_that_call_every_copy_a_new_one() -> None:
    new, old = got(200, '{"status":"processed"}'), got(200, '{"status":"already_processed"}')
    racing = judging.at_once([new, new, new, new, old], Counted(), first=new, again=old)
    assert racing.why == "4 of 5 copies were answered as new ones; needs --effects-url or --effects-cmd to prove it"
    once = judging.at_once([new, old, old, old, old], Counted(), first=new, again=old)
    assert (racing.result, once.result) == (WARN, WARN)
    assert once.why.startswith("effects not seen")


@pytest.mark.parametrize(
    ("answer", "result", "shown"),
    [
        (got(200, ms=999), PASS, "999 ms"),
        (got(200, ms=1000), WARN, "1000 ms"),
        (SILENT, FAIL, "timeout"),
        (Answer("an event", cause=Cause.RESET), FAIL, "reset"),
    ],
)
def test_time_1_warns_when_slow_and_fails_when_the_time_is_up(answer: Answer, result: Result, shown: str) -> None:
    verdict = judging.in_time(answer, slow_ms=1000)
    assert (verdict.result, verdict.got) == (result, shown)


def test_retry_1_the_retry_of_what_was_processed_is_answered_2xx() -> None:
    assert judging.retried(OK, Counted()).result is PASS
    assert judging.retried(OK, Counted(1)).result is PASS
    assert told(judging.retried(OK, Counted(2))) == (FAIL, "2 effects", "processed more than once")
    assert judging.retried(got(409), Counted(1)).why == "the retry of what was processed is final"
    assert judging.retried(got(500), Counted(1)).why == "the retry of what was processed is sent again, in vain"


@pytest.mark.parametrize(
    ("broken", "mended", "result", "why"),
    [
        (got(500), OK, PASS, ""),
        (got(503), OK, PASS, ""),
        (SILENT, OK, PASS, ""),
        (got(200), OK, FAIL, "acknowledged although it could not process: lost"),
        (got(400), OK, FAIL, "400 is final: never sent again"),
        (got(500), got(409), FAIL, "the retry is not accepted once it is mended"),
    ],
)
def test_retry_2_its_own_failure_gives_5xx_and_the_retry_2xx(
    broken: Answer, mended: Answer, result: Result, why: str
) -> None:
    verdict = judging.own_failure(broken, mended)
    assert (verdict.result, verdict.why) == (result, why)
