"""What the sender makes of every status and of every exception the client can raise, without a network."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import AsyncIterator
from unittest.mock import Mock

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.client_reqrep import ConnectionKey
from aioresponses import aioresponses
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from swiftclaw_local.dispatcher.addresses import AddressPolicy
from swiftclaw_local.dispatcher.answer import Malformed
from swiftclaw_local.dispatcher.causes import LONGEST_DETAIL, NotAnswered, cause_of, one_line
from swiftclaw_local.dispatcher.request import notice_request
from swiftclaw_local.dispatcher.sender import Sender
from swiftclaw_local.scheduler.outcome import Answered, Cause, Unanswered

URL_TEXT = "http://localhost:8000/hook"
KEY = ConnectionKey("localhost", 8000, False, True, None, None, None)
INFO = aiohttp.RequestInfo(URL(URL_TEXT), "POST", Mock(), URL(URL_TEXT))


def of_certificate(code: int) -> aiohttp.ClientConnectorCertificateError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "because"
    return aiohttp.ClientConnectorCertificateError(KEY, error)


def of_tls(reason: str) -> aiohttp.ClientConnectorSSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] it failed (_ssl.c:1)")
    error.reason = reason
    return aiohttp.ClientConnectorSSLError(KEY, error)


def of_connecting(number: int | None, text: str = "text") -> aiohttp.ClientConnectorError:
    return aiohttp.ClientConnectorError(KEY, OSError(text) if number is None else OSError(number, text))


EXCEPTIONS = [
    (of_connecting(errno.ECONNREFUSED), Cause.CONNECT_REFUSED),
    (of_connecting(errno.EHOSTUNREACH), Cause.CONNECT_FAILED),
    (of_connecting(errno.ENETUNREACH), Cause.CONNECT_FAILED),
    (of_connecting(errno.EMFILE), Cause.CONNECT_FAILED),
    (of_connecting(errno.ETIMEDOUT), Cause.CONNECT_TIMEOUT),
    (of_connecting(errno.ECONNRESET), Cause.RESET),
    # what aiohappyeyeballs raises when two addresses fail in two ways
    (of_connecting(None, "Multiple exceptions: [Errno 99] a, [Errno 111] b"), Cause.CONNECT_REFUSED),
    (of_connecting(None, "Multiple exceptions: [Errno 99] a, [Errno 101] b"), Cause.CONNECT_FAILED),
    (aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-2, "Name or service not known")), Cause.DNS),
    (socket.gaierror(-3, "Temporary failure in name resolution"), Cause.DNS),
    (aiohttp.InvalidURL("http://127.1/"), Cause.DNS),
    (aiohttp.ServerDisconnectedError(), Cause.CLOSED_EARLY),
    (aiohttp.ClientConnectionError("Connection closed"), Cause.CLOSED_EARLY),
    (aiohttp.ClientOSError(errno.ECONNRESET, "Connection reset by peer"), Cause.RESET),
    (aiohttp.ClientOSError(errno.EPIPE, "Broken pipe"), Cause.RESET),
    (aiohttp.ClientOSError(errno.ETIMEDOUT, "Connection timed out"), Cause.TIMEOUT),
    (aiohttp.ClientConnectionResetError("Cannot write to closing transport"), Cause.RESET),
    (ConnectionResetError(), Cause.RESET),
    (aiohttp.ServerTimeoutError(), Cause.TIMEOUT),
    (aiohttp.SocketTimeoutError(), Cause.TIMEOUT),
    (TimeoutError(), Cause.TIMEOUT),
    (Malformed("it begins with b'SSH'"), Cause.MALFORMED),
    (of_certificate(9), Cause.TLS_EXPIRED),
    (of_certificate(10), Cause.TLS_EXPIRED),
    (of_certificate(62), Cause.TLS_WRONG_HOST),
    (of_certificate(64), Cause.TLS_WRONG_HOST),
    (of_certificate(18), Cause.TLS_UNTRUSTED),
    (of_certificate(20), Cause.TLS_UNTRUSTED),
    (of_certificate(23), Cause.TLS_UNTRUSTED),
    (of_tls("WRONG_VERSION_NUMBER"), Cause.TLS_NOT_TLS),
    (of_tls("RECORD_LAYER_FAILURE"), Cause.TLS_NOT_TLS),
    (of_tls("UNSUPPORTED_PROTOCOL"), Cause.TLS_VERSION),
    (of_tls("TLSV1_ALERT_PROTOCOL_VERSION"), Cause.TLS_VERSION),
    (of_tls("SSLV3_ALERT_HANDSHAKE_FAILURE"), Cause.TLS_FAILED),
    (NotAnswered(Cause.BLOCKED_SELF, "That is SwiftClaw itself."), Cause.BLOCKED_SELF),
]


@pytest_asyncio.fixture
async def sender() -> AsyncIterator[Sender]:
    sender = Sender(AddressPolicy(egress="local"), timeout_s=5, connect_timeout_s=5)
    await sender.start()
    yield sender
    await sender.close()


@pytest.mark.parametrize(("error", "expected"), EXCEPTIONS, ids=lambda value: repr(value)[:60])
async def test_every_exception_of_the_client_has_its_cause(
    sender: Sender, mocked: aioresponses, error: Exception, expected: Cause
) -> None:
    mocked.post(URL_TEXT, exception=error)
    outcome = (await sender.post(notice_request(URL_TEXT, b"{}"))).outcome
    assert isinstance(outcome, Unanswered)
    assert expected == outcome.cause
    assert outcome.detail
    assert outcome.detail == one_line(outcome.detail)


@pytest.mark.parametrize("status", [200, 204, 299, 300, 302, 400, 404, 408, 410, 429, 500, 503, 599, 600, 999])
async def test_every_status_is_an_answer_with_its_headers_and_body(
    sender: Sender, mocked: aioresponses, status: int
) -> None:
    mocked.post(URL_TEXT, status=status, body=b"said", headers={"Retry-After": "-1"}, content_type="text/plain")
    outcome = (await sender.post(notice_request(URL_TEXT, b"{}"))).outcome
    assert isinstance(outcome, Answered)
    said = b"" if status == 204 else b"said"  # which has no body, whatever follows it
    assert (status, said, len(said), None) == (outcome.status, outcome.body, outcome.body_size, outcome.truncated)
    assert b"Retry-After: -1\r\n" in outcome.head


async def test_a_defect_of_ours_is_raised_and_not_told_as_the_receivers(sender: Sender, mocked: aioresponses) -> None:
    mocked.post(URL_TEXT, exception=KeyError("a defect"))
    with pytest.raises(KeyError):
        await sender.post(notice_request(URL_TEXT, b"{}"))


def test_what_is_unknown_is_internal() -> None:
    assert cause_of(ZeroDivisionError("secret")) == (Cause.INTERNAL, "ZeroDivisionError")


@given(st.text())
def test_a_detail_is_one_short_line_that_can_be_shown(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= LONGEST_DETAIL
    assert one_line(line) == line
