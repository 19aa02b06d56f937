"""The request: exactly these headers, in this order, over exactly the stored bytes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftclaw_local.dispatcher.request import HeaderMode, build_request, host_header, notice_request
from swiftclaw_local.dispatcher.signing import sign, sign_standard
from swiftclaw_local.storage.records import Claim

NOW: Final = datetime(2026, 11, 23, 14, 2, 11, 900_000, tzinfo=UTC)
CLAIM: Final = Claim(
    delivery_id="dlv_01j",
    lease_token=1,
    webhook_id="webhook-123",
    agent="my-agent",
    url="http://localhost:8000/webhooks/swiftclaw",
    secret="scsec_t",
    event_id="evt_abc123",
    event_type="agent.completed",
    body='{"id":"evt_abc123","text":"ü"}'.encode(),
    trigger="event",
    scheduled=True,
    attempt_number=3,
    retries_used=2,
    due_at=NOW,
)
SIGNATURE: Final = sign("scsec_t", CLAIM.body)
PLAIN_HEAD: Final = (
    "Host: localhost:8000\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: 31\r\n"
    "User-Agent: SwiftClaw-Webhooks/1.0\r\n"
    "Accept: */*\r\n"
    "Accept-Encoding: identity\r\n"
    f"X-SwiftClaw-Signature: {SIGNATURE}\r\n"
)


def test_a_plain_request_has_the_platforms_headers_and_not_one_more() -> None:
    request = build_request(CLAIM, mode=HeaderMode.PLAIN, now=NOW)
    assert PLAIN_HEAD.encode() == request.head


def test_debug_adds_the_delivery_the_attempt_and_the_time() -> None:
    expected = (
        f"{PLAIN_HEAD}X-SwiftClaw-Local-Delivery: dlv_01j\r\n"
        "X-SwiftClaw-Local-Attempt: 3\r\n"
        "X-SwiftClaw-Local-Timestamp: 1795442531\r\n"
    )
    assert expected.encode() == build_request(CLAIM, mode=HeaderMode.DEBUG, now=NOW).head


def test_standard_adds_the_three_headers_of_standard_webhooks_with_the_events_id() -> None:
    signature = sign_standard("scsec_t", CLAIM.body, id="evt_abc123", timestamp=1795442531)
    expected = (
        f"{PLAIN_HEAD}webhook-id: evt_abc123\r\nwebhook-timestamp: 1795442531\r\nwebhook-signature: {signature}\r\n"
    )
    assert expected.encode() == build_request(CLAIM, mode=HeaderMode.STANDARD, now=NOW).head


def test_the_body_is_the_stored_one_itself_and_the_signature_is_over_it() -> None:
    request = build_request(CLAIM, mode=HeaderMode.PLAIN, now=NOW)
    assert request.body is CLAIM.body
    assert (CLAIM.url, SIGNATURE) == (request.url, request.signature)


def test_without_debug_headers_a_later_attempt_is_the_same_request() -> None:
    later = replace(CLAIM, attempt_number=4, retries_used=3, lease_token=9, delivery_id="dlv_02j", trigger="replay")
    first = build_request(CLAIM, mode=HeaderMode.PLAIN, now=NOW)
    assert first == build_request(later, mode=HeaderMode.PLAIN, now=NOW.replace(year=2027))


def test_a_notice_has_the_same_headers_without_a_signature() -> None:
    notice = notice_request("https://alerts.internal/x", b'{"alert":"alert-1"}')
    expected = PLAIN_HEAD.replace("localhost:8000", "alerts.internal").replace("31", "19").partition("X-SwiftClaw")[0]
    assert (expected.encode(), "") == (notice.head, notice.signature)


@given(st.binary(max_size=300), st.sampled_from(HeaderMode))
def test_every_line_of_the_head_is_a_header_and_the_length_is_the_bodys(body: bytes, mode: HeaderMode) -> None:
    request = build_request(replace(CLAIM, body=body), mode=mode, now=NOW)
    lines = [line.split(": ", 1) for line in request.head.decode().removesuffix("\r\n").split("\r\n")]
    assert str(len(body)) == dict(lines)["Content-Length"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost/x", "localhost"),
        ("http://localhost:80/x", "localhost"),
        ("http://localhost:443/x", "localhost:443"),
        ("https://localhost:443/x", "localhost"),
        ("https://localhost:80/x", "localhost:80"),
        ("HTTP://LocalHost:8000", "localhost:8000"),
        ("http://[::1]:8000/x", "[::1]:8000"),
        ("http://[2001:DB8::1]/x", "[2001:db8::1]"),
        ("http://127.0.0.1:8000?x", "127.0.0.1:8000"),
        ("http://bücher.example:8000/", "xn--bcher-kva.example:8000"),
        ("http://my_service:3000/", "my_service:3000"),
    ],
)
def test_the_host_header_is_the_host_and_the_port_unless_it_is_the_schemes_own(url: str, expected: str) -> None:
    assert expected == host_header(url)


def test_neither_body_nor_signature_headers_are_in_the_repr() -> None:
    shown = repr(build_request(CLAIM, mode=HeaderMode.PLAIN, now=NOW))
    assert ("evt_abc123" in shown, "Content-Type" in shown) == (False, False)
