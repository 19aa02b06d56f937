"""A whole certification, without a socket: right receivers pass, and each usual mistake is found and called by its name."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from swiftclaw_local.certify.catalog import choose
from swiftclaw_local.certify.courier import Courier
from swiftclaw_local.certify.course import Wishes, certify
from swiftclaw_local.certify.report import Report, Result
from swiftclaw_local.dispatcher.request import Request
from swiftclaw_local.dispatcher.sender import Exchange
from swiftclaw_local.errors import InvalidInput
from swiftclaw_local.scheduler.clock import Clock
from swiftclaw_local.scheduler.outcome import Answered, Cause, Unanswered
from tests.certified_receivers import (
    SECRET,
    Handler,
    InMemory,
    Reply,
    Work,
    expecting,
    hashing,
    page_sample,
    page_sample_in_fastapi,
    racing,
    right,
    signature_of,
    trusting,
    undeclared_request,
)

URL = "http://127.0.0.1:9/hook"
AT = datetime(2026, 11, 23, 14, tzinfo=UTC)


def courier(receiver: Any) -> Courier:
    return Courier(URL, SECRET, new_poster=lambda: receiver, clock=Clock(rate=0, start=AT))


async def certified(handler: Handler, *, only: tuple[str, ...] = (), effects: bool = False) -> Report:
    receiver = InMemory(handler)
    wishes = Wishes(checks=choose(only, ()), effects=receiver.effects if effects else None)
    return await certify(courier(receiver), wishes)


def ended(report: Report, result: Result) -> list[str]:
    return [finding.check.id for finding in report.findings if finding.result is result]


def finding(report: Report, id: str) -> dict[str, Any]:
    return next(found.document() for found in report.findings if found.check.id == id)


async def test_a_right_receiver_passes_everything_that_can_be_seen() -> None:
    receiver = InMemory(right)

    async def break_it() -> None:
        receiver.work.broken = True

    async def fix_it() -> None:
        receiver.work.broken = False

    wishes = Wishes(effects=receiver.effects, break_it=break_it, fix_it=fix_it)
    report = await certify(courier(receiver), wishes)
    assert [(found.check.id, found.why) for found in report.findings if found.result is not Result.PASS] == []
    assert report.count(Result.PASS) == 19


async def test_without_effects_and_commands_nothing_is_passed_that_was_not_seen() -> None:
    report = await certified(right)
    assert ended(report, Result.FAIL) == []
    assert ended(report, Result.WARN) == ["DUP-3"]
    assert ended(report, Result.SKIP) == ["DUP-2", "RETRY-2"]


async def test_the_pages_sample_crashes_without_a_signature_and_on_bad_json() -> None:
    report = await certified(page_sample)
    assert ended(report, Result.FAIL) == ["SIG-3", "SIG-4", "JSON-1"]
    assert finding(report, "SIG-3")["got"] == "500"
    assert finding(report, "RAW-1")["result"] == "pass"


async def test_the_pages_sample_in_fastapi_acknowledges_forgeries() -> None:
    report = await certified(page_sample_in_fastapi)
    assert ended(report, Result.FAIL) == ["SIG-2", "SIG-3", "SIG-4", "SIG-5", "SIG-6", "JSON-1"]
    assert finding(report, "RAW-1")["result"] == "pass"
    forged = finding(report, "SIG-2")
    assert (forged["expected"], forged["got"], forged["why"]) == ("401", "200", "forged delivery was acknowledged")
    assert forged["answer"] == '200 [{"error":"Invalid signature"},401]'
    assert forged["fix"].endswith("Write return JSONResponse(body, status_code=401).")
    assert forged["page"].endswith('return {"error": "Invalid signature"}, 401')
    assert forged["sent"].startswith("agent.completed with a wrong signature, evt_cert")


async def test_a_request_that_fastapi_takes_for_a_query_parameter_is_told_as_that() -> None:
    report = await certified(undeclared_request)
    assert ended(report, Result.PASS) == []
    assert ended(report, Result.FAIL) == ["SIG-1", "SIG-2", "SIG-3", "SIG-4", "SIG-5", "SIG-6", "JSON-1"]
    assert "request: Request" in finding(report, "SIG-1")["fix"]
    assert finding(report, "SIG-2")["why"] == "a valid event gets 422 too: the signature is not what it looks at"
    assert finding(report, "TYPE-1")["why"] == "a valid event is not accepted: mend SIG-1 first"


async def test_the_race_in_the_pages_idempotency_sample_is_counted() -> None:
    seen = await certified(racing, effects=True)
    assert ended(seen, Result.FAIL) == ["DUP-3"]
    assert (finding(seen, "DUP-2")["result"], finding(seen, "DUP-3")["got"]) == ("pass", "5 effects")
    unseen = await certified(racing)
    assert finding(unseen, "DUP-3")["why"].startswith("5 of 5 copies were answered as new ones")


async def test_a_receiver_that_verifies_nothing_passes_nothing_about_signatures() -> None:
    report = await certified(trusting, only=("SIG", "RAW", "JSON"))
    assert ended(report, Result.PASS) == ["SIG-1"]
    assert finding(report, "RAW-1")["result"] == "warn"


@pytest.mark.parametrize(
    ("hashes", "named"),
    [
        (lambda body: json.dumps(json.loads(body)).encode(), "json.dumps()"),
        (
            lambda body: json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False).encode(),
            "ensure_ascii=False)",
        ),
        (bytes.strip, "the white space around it is taken off"),
    ],
)
async def test_a_receiver_that_hashes_something_else_is_told_what(hashes: Any, named: str) -> None:
    report = await certified(hashing(hashes), only=("SIG-1", "RAW-1"))
    raw = finding(report, "RAW-1")
    assert raw["result"] == "fail"
    assert named in raw["why"]


async def test_a_valid_event_that_is_rejected_for_its_bytes_points_to_raw_1() -> None:
    report = await certified(hashing(lambda body: json.dumps(json.loads(body)).encode()))
    assert finding(report, "SIG-1")["why"] == "a correctly signed event was rejected, for good; RAW-1 says why"


@pytest.mark.parametrize(
    ("expects", "told"),
    [
        (lambda body: f"sha256={signature_of(body)}", 'signed with the prefix "sha256="'),
        (lambda body: base64.b64encode(bytes.fromhex(signature_of(body))).decode(), "signed in base64"),
        (lambda body: signature_of(body, SECRET + "\n"), "signed with the secret with a newline at its end"),
    ],
)
async def test_what_a_receiver_expects_instead_is_found_by_trying(expects: Any, told: str) -> None:
    report = await certified(expecting(expects), only=("SIG-1", "RAW-1"))
    assert told in finding(report, "SIG-1")["why"]


async def test_another_secret_is_told_as_probable() -> None:
    report = await certified(expecting(lambda body: signature_of(body, "scsec_other")))
    assert ended(report, Result.FAIL) == ["SIG-1", "RAW-1"]
    assert finding(report, "JSON-1")["why"] == "a valid event is not accepted: mend SIG-1 first"
    assert finding(report, "SIG-1")["fix"].startswith("give the receiver the secret of this webhook")


class Silent(InMemory):
    """Answers nothing, or cannot be reached."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(right)
        self._cause = cause

    async def post(self, request: Request) -> Exchange:
        self.requests.append(request)
        return Exchange(Unanswered(self._cause, "scripted"), 10_000)


async def test_nothing_more_is_sent_when_a_valid_event_gets_no_answer() -> None:
    receiver = Silent(Cause.TIMEOUT)
    report = await certify(courier(receiver), Wishes())
    assert (len(receiver.requests), report.unreachable) == (1, None)
    assert ended(report, Result.FAIL) == ["SIG-1", "TIME-1"]
    assert report.count(Result.SKIP) == 17


async def test_a_receiver_that_is_not_there_is_unreachable() -> None:
    report = await certify(courier(Silent(Cause.CONNECT_REFUSED)), Wishes())
    assert report.unreachable == "scripted"
    assert ended(report, Result.FAIL) == ["SIG-1"]


async def test_a_check_sends_no_more_once_an_answer_fails_to_come() -> None:
    class Hanging(InMemory):
        async def post(self, request: Request) -> Exchange:
            exchange = await super().post(request)
            return Exchange(Unanswered(Cause.TIMEOUT), 10_000) if b'{"id": ' in request.body else exchange

    receiver = Hanging(right)
    report = await certify(courier(receiver), Wishes(checks=choose(["RAW-1"], [])))
    assert len(receiver.requests) == 4  # the valid and the wrong one, compact, and spaced, which got no answer
    assert finding(report, "RAW-1")["why"] == "timeout to a rightly signed body: spaced"


async def test_a_lost_reply_ends_with_its_connection_before_the_retry() -> None:
    lives: list[str] = []

    class Living(InMemory):
        async def start(self) -> None:
            lives.append("opened")

        async def close(self) -> None:
            lives.append("closed")

        async def post(self, request: Request) -> Exchange:
            lives.append("sent")
            return await super().post(request)

    receiver = Living(right)
    await certify(courier(receiver), Wishes(checks=choose(["RETRY-1"], [])))
    # the valid and the wrong one first; then the one whose reply is lost, over connections of its own, and the retry
    assert lives == ["opened", "sent", "sent", "opened", "sent", "closed", "sent", "closed"]
    assert receiver.requests[2].body == receiver.requests[3].body


class Mortal(InMemory):
    """A receiver whose process ends at the first request without a signature."""

    async def post(self, request: Request) -> Exchange:
        if any(b"X-SwiftClaw-Signature" not in earlier.head for earlier in self.requests):
            return Exchange(Unanswered(Cause.CONNECT_REFUSED), 0)
        exchange = await super().post(request)
        return exchange if request.signature else Exchange(Unanswered(Cause.CLOSED_EARLY), 1)


async def test_the_end_of_a_receiver_is_put_down_to_the_check_that_it_ended_in() -> None:
    report = await certify(courier(Mortal(right)), Wishes())
    assert (ended(report, Result.PASS), ended(report, Result.FAIL)) == (["SIG-1", "SIG-2"], ["SIG-3"])
    others = {found.why for found in report.findings if found.result is Result.SKIP}
    assert others == {"the receiver is gone: it ended during SIG-3"}


async def test_a_kept_connection_that_had_ended_is_no_answer() -> None:
    class Stale(InMemory):
        async def post(self, request: Request) -> Exchange:
            self.requests.append(request)
            if len(self.requests) % 2:
                return Exchange(Unanswered(Cause.STALE_CONNECTION), 0)
            return Exchange(Answered(200, b"", b"{}", 2), 1)

    report = await certify(courier(Stale(right)), Wishes(checks=choose(["SIG-1"], [])))
    assert ended(report, Result.PASS) == ["SIG-1"]


async def test_ids_begin_with_evt_cert_and_only_duplicates_share_one() -> None:
    receiver = InMemory(right)
    await certify(courier(receiver), Wishes())
    ids = [
        json.loads(r.body)["id"]
        for r in receiver.requests
        if r.body.startswith(b'{"id"') and r.body.strip().endswith(b"}")
    ]
    counts = {id: ids.count(id) for id in ids}
    assert {id[:8] for id in ids} == {"evt_cert"}
    assert sorted(counts.values(), reverse=True)[:4] == [
        5,
        5,
        4,
        2,
    ]  # five copies, five to open connections, garbage signatures, twice
    assert 40 <= len(receiver.requests) <= 50


async def test_only_the_five_copies_and_what_opens_their_connections_are_under_way_at_once() -> None:
    async def working(work: Work, body: bytes, signature: str | None) -> Reply:
        await asyncio.sleep(0.001)
        return await right(work, body, signature)

    receiver = InMemory(working)
    await certify(courier(receiver), Wishes())
    together = [number for number in receiver.at_once if number > 1]
    assert together == [2, 3, 4, 5, 2, 3, 4, 5]


async def test_the_big_body_has_exactly_a_million_bytes() -> None:
    receiver = InMemory(right)
    await certify(courier(receiver), Wishes(checks=choose(["BIG"], [])))
    assert max(len(request.body) for request in receiver.requests) == 1_000_000


async def test_what_was_broken_is_mended_even_when_the_receiver_is_silent() -> None:
    receiver = InMemory(right)
    done: list[str] = []

    async def break_it() -> None:
        done.append("broken")
        raise InvalidInput("--break-cmd ended with exit code 3: no")

    async def fix_it() -> None:
        done.append("mended")

    with pytest.raises(InvalidInput):
        await certify(courier(receiver), Wishes(checks=choose(["RETRY-2"], []), break_it=break_it, fix_it=fix_it))
    assert done == ["broken", "mended"]
