"""What a claim that does not hold says: what was expected, and the timeline."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from swiftclaw_local.testing import Receiver, Swiftclaw

VARIES = ((r"evt_\w{26}", "evt_ID"), (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"), (r" +\d+ ms", " N ms"))


def said(claim: Callable[[], object]) -> list[str]:
    """Return the lines that a claim fails with, without what differs from run to run."""
    with pytest.raises(AssertionError) as failed:
        claim()
    text = str(failed.value)
    for pattern, stands_for in VARIES:
        text = re.sub(pattern, stands_for, text)
    return text.splitlines()


def test_a_claim_of_delivery_shows_each_send(swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver) -> None:
    swiftclaw.webhook(swiftclaw_receiver.url)
    swiftclaw_receiver.respond(500, 422)
    delivery = swiftclaw.emit("agent.failed")
    swiftclaw.advance("1m")
    timeline = [
        "delivery of evt_ID agent.failed -> http://127.0.0.1:PORT/webhooks/swiftclaw   failed",
        "  +0:00:00  first send  500 N ms  {}",
        "  +0:01:00  retry 1/5   422 N ms  {}",
        "  4xx is not retried",
    ]
    assert said(delivery.assert_delivered) == ["expected delivered", *timeline]
    assert said(lambda: delivery.assert_failed(sends=6)) == ["expected failed after 6 sends", *timeline]
    assert said(swiftclaw.assert_nothing_sent) == ["expected that nothing is sent", *timeline]
    assert said(lambda: swiftclaw.assert_delivered("agent.failed")) == [
        "expected 1 delivered agent.failed, found 0",
        *timeline,
    ]


def test_a_delivery_that_is_as_claimed_raises_nothing(swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver) -> None:
    swiftclaw.assert_nothing_sent()
    swiftclaw.webhook(swiftclaw_receiver.url)
    for _ in range(2):
        swiftclaw.emit("agent.failed").assert_delivered()
    swiftclaw.assert_delivered("agent.failed", times=2)
    swiftclaw.assert_delivered("agent.completed", times=0)
    assert said(lambda: swiftclaw.assert_delivered("agent.failed"))[0] == "expected 1 delivered agent.failed, found 2"


def test_a_number_of_sends_is_part_of_the_claim(swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver) -> None:
    swiftclaw.webhook(swiftclaw_receiver.url)
    delivery = swiftclaw.emit("agent.failed")
    assert said(lambda: delivery.assert_delivered(sends=2))[0] == "expected delivered after 2 sends"
    delivery.assert_delivered(sends=1)


def test_a_wait_in_vain_says_what_moves_the_clock(swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver) -> None:
    swiftclaw.webhook(swiftclaw_receiver.url)
    swiftclaw_receiver.respond(503)
    delivery = swiftclaw.emit("agent.failed")
    assert said(lambda: swiftclaw.wait(delivery, timeout=0.01)) == [
        "expected delivered within 0.01 s",
        "delivery of evt_ID agent.failed -> http://127.0.0.1:PORT/webhooks/swiftclaw   retrying",
        "  +0:00:00  first send  503 N ms  {}",
        "  +0:01:00  retry 1/5  to come",
        'The clock stands still until you move it: swiftclaw.advance("1m")',
    ]


def test_an_event_that_nobody_wants_says_who_wants_what(swiftclaw: Swiftclaw) -> None:
    nobody = swiftclaw.emit("agent.completed")
    swiftclaw.webhook("http://127.0.0.1:9/hook", events=["agent.failed", "agent.timeout"])
    unwanted = swiftclaw.emit("agent.completed")
    swiftclaw.assert_nothing_sent()
    assert said(nobody.assert_delivered) == [
        "agent.completed was delivered to nobody: my-agent has no webhook. "
        "Register one: swiftclaw.webhook(url, agent='my-agent')"
    ]
    assert said(lambda: unwanted.state) == [
        "agent.completed was delivered to nobody: webhook-123 takes agent.failed, agent.timeout"
    ]
    assert unwanted.event["type"] == "agent.completed"
