"""The sender over TLS: each way in which a certificate or a handshake is wrong has its own cause."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from swiftclaw_local.dispatcher.addresses import AddressPolicy
from swiftclaw_local.dispatcher.request import notice_request
from swiftclaw_local.dispatcher.sender import Sender
from swiftclaw_local.errors import InvalidSetting
from swiftclaw_local.scheduler.outcome import Answered, Cause, Outcome, Unanswered
from tests.certificates import Authority, new_authority
from tests.receivers import Handler, Stream, always_ok, raw_receiver


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return new_authority(tmp_path)


async def outcome_over_tls(
    tls: ssl.SSLContext | None, *, ca_file: Path | None, handler: Handler = always_ok, times: int = 1
) -> tuple[Outcome, int]:
    """Return what came of the last of some requests, and over how many connections they went."""
    policy = AddressPolicy(egress="local")
    sender = Sender(policy, timeout_s=5, connect_timeout_s=5, ca_file=ca_file)
    await sender.start()
    try:
        async with raw_receiver(handler, tls=tls) as receiver:
            url = f"https://127.0.0.1:{receiver.port}/hook"
            for _ in range(times):
                exchange = await sender.post(notice_request(url, b"{}"))
    finally:
        await sender.close()
    return exchange.outcome, receiver.connections


async def cause_over_tls(
    tls: ssl.SSLContext | None, *, ca_file: Path | None, handler: Handler = always_ok
) -> Cause | None:
    outcome, _ = await outcome_over_tls(tls, ca_file=ca_file, handler=handler)
    return outcome.cause if isinstance(outcome, Unanswered) else None


async def test_a_certificate_of_the_given_authority_is_accepted_and_its_connection_used_again(
    authority: Authority,
) -> None:
    outcome, connections = await outcome_over_tls(authority.context(), ca_file=authority.pem, times=3)
    assert outcome == Answered(200, b"Content-Length: 2\r\n", b"{}", 2)
    assert connections == 1


async def test_a_certificate_of_an_unknown_authority_is_untrusted(authority: Authority) -> None:
    assert await cause_over_tls(authority.context(), ca_file=None) is Cause.TLS_UNTRUSTED


async def test_an_expired_certificate_is_told_as_such(authority: Authority) -> None:
    assert await cause_over_tls(authority.context(expired=True), ca_file=authority.pem) is Cause.TLS_EXPIRED


async def test_a_certificate_for_another_host_is_told_as_such(authority: Authority) -> None:
    assert await cause_over_tls(authority.context(host="10.9.8.7"), ca_file=authority.pem) is Cause.TLS_WRONG_HOST
    assert await cause_over_tls(authority.context(host="a.example"), ca_file=authority.pem) is Cause.TLS_WRONG_HOST


async def test_an_old_version_of_tls_is_told_as_such() -> None:
    async def refuse(stream: Stream) -> None:
        await stream.reader.read(1)
        await stream.answer(b"\x15\x03\x01\x00\x02\x02\x46")  # a fatal alert: protocol version
        await stream.reader.read()

    assert await cause_over_tls(None, ca_file=None, handler=refuse) is Cause.TLS_VERSION


async def test_a_handshake_that_is_cut_off_is_a_failure_of_tls() -> None:
    async def hang_up(stream: Stream) -> None:
        await stream.reader.read(1)

    assert await cause_over_tls(None, ca_file=None, handler=hang_up) is Cause.TLS_FAILED


async def test_authorities_that_cannot_be_read_are_refused_at_the_start(tmp_path: Path) -> None:
    for content in (None, "no certificate"):
        path = tmp_path / f"{content}.pem"
        if content is not None:
            path.write_text(content)
        with pytest.raises(InvalidSetting, match="cannot be used"):
            await outcome_over_tls(None, ca_file=path)
