"""certify() from a test: what is wrong is told with its fix, and effects are looked at."""

from __future__ import annotations

import pytest

from swiftclaw_local.testing import Receiver, Swiftclaw


def test_a_receiver_that_verifies_nothing_fails_with_the_checks_it_fails(
    swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver
) -> None:
    report = swiftclaw.certify(swiftclaw_receiver.url, effects=lambda: len(swiftclaw_receiver.requests))
    results = {check.id: check.result for check in report.checks}
    assert (results["SIG-1"], results["SIG-2"], results["DUP-2"]) == ("pass", "fail", "fail")
    with pytest.raises(AssertionError, match=r"(?s)is not right:.*  SIG-2  .*  DUP-2  "):
        report.assert_passed()
    report.assert_passed(skip=["SIG", "JSON", "DUP", "RETRY"])


def test_one_that_cannot_be_reached_has_not_passed(swiftclaw: Swiftclaw) -> None:
    with pytest.raises(AssertionError, match=r"http://127\.0\.0\.1:9/hook cannot be certified"):
        swiftclaw.certify("http://127.0.0.1:9/hook").assert_passed()


def test_the_certified_webhook_gets_no_events_afterwards(swiftclaw: Swiftclaw, swiftclaw_receiver: Receiver) -> None:
    swiftclaw.certify(swiftclaw_receiver.url)
    before = len(swiftclaw_receiver.requests)
    swiftclaw.emit("agent.failed")
    assert (len(swiftclaw_receiver.requests), before > 20) == (before, True)
