"""The sample receiver does what SwiftClaw's page asks of a receiver."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

import pytest

from scripts.sample_receiver import FLAKY, PATH, Receiver

SECRET = "scsec_sample"
EVENT = b'{"id":"evt_1","type":"agent.completed","created":1709884800,"data":{}}'


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver(0, secret=SECRET)
    yield receiver
    receiver.server_close()


def signed(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def test_a_signed_event_is_received(receiver: Receiver) -> None:
    assert receiver.answer(PATH, EVENT, signed(EVENT)) == (200, {"received": True})


def test_the_same_event_again_is_not_processed_again(receiver: Receiver) -> None:
    receiver.answer(PATH, EVENT, signed(EVENT))
    assert receiver.answer(PATH, EVENT, signed(EVENT)) == (200, {"status": "already_processed"})


@pytest.mark.parametrize("signature", ["", "0" * 64, signed(EVENT).upper(), "sha256=" + signed(EVENT)])
def test_a_wrong_signature_is_refused(receiver: Receiver, signature: str) -> None:
    assert receiver.answer(PATH, EVENT, signature) == (401, {"error": "Invalid signature"})


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"type":"agent.completed"}'])
def test_a_signed_body_that_is_no_event_is_refused(receiver: Receiver, body: bytes) -> None:
    assert receiver.answer(PATH, body, signed(body)) == (400, {"error": "Invalid JSON"})


def test_the_flaky_place_is_down_for_the_first_two_requests_of_each_event(receiver: Receiver) -> None:
    other = EVENT.replace(b"evt_1", b"evt_2")
    answers = [receiver.answer(FLAKY, EVENT, signed(EVENT))[0] for _ in range(4)]
    assert answers == [503, 503, 200, 200]
    assert receiver.answer(FLAKY, other, signed(other))[0] == 503


def test_another_place_is_not_found(receiver: Receiver) -> None:
    assert receiver.answer("/", EVENT, signed(EVENT))[0] == 404
