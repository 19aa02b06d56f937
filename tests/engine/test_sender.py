"""The sender on real sockets: the bytes it sends, what it makes of what comes back, and whom it lets wait."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack

import pytest
import pytest_asyncio

from swiftclaw_local.dispatcher.addresses import AddressPolicy
from swiftclaw_local.dispatcher.connections import Connector
from swiftclaw_local.dispatcher.request import Request, notice_request
from swiftclaw_local.dispatcher.sender import Sender
from swiftclaw_local.dispatcher.signing import sign
from swiftclaw_local.dispatcher.wire import Wire
from swiftclaw_local.scheduler.outcome import Answered, Cause, Unanswered
from tests.receivers import OK, Handler, RawReceiver, Stream, always_ok, answering, raw_receiver

OpenSender = Callable[..., Awaitable[Sender]]
BODY = b'{"id":"evt_abc123"}'


@pytest_asyncio.fixture
async def open_sender() -> AsyncIterator[OpenSender]:
    """Start senders with short limits; they are closed at the end."""
    senders: list[Sender] = []

    async def start(policy: AddressPolicy | None = None, *, timeout_s: float = 5.0, **limits: float) -> Sender:
        sender = Sender(
            policy or AddressPolicy(egress="local"),
            timeout_s=timeout_s,
            connect_timeout_s=limits.pop("connect_timeout_s", timeout_s),
            **limits,  # type: ignore[arg-type]  # capture_bytes is given whole
        )
        senders.append(sender)
        await sender.start()
        return sender

    yield start
    for sender in senders:
        await sender.close()


def request_to(url: str, body: bytes = BODY) -> Request:
    plain = notice_request(url, body)
    signature = sign("scsec_mine", body)
    return Request(url, body, signature, plain.head + f"X-SwiftClaw-Signature: {signature}\r\n".encode())


async def outcome_of(open_sender: OpenSender, handler: Handler, **limits: float) -> Answered | Unanswered:
    """Return what comes of one request to a receiver that does as the handler does."""
    sender = await open_sender(**limits)
    async with raw_receiver(handler) as receiver:
        return (await sender.post(request_to(receiver.url))).outcome


async def cause_of(open_sender: OpenSender, handler: Handler, **limits: float) -> Cause:
    outcome = await outcome_of(open_sender, handler, **limits)
    assert isinstance(outcome, Unanswered), outcome
    return outcome.cause


# --- what is sent --------------------------------------------------------------------------------------------------


async def test_exactly_these_bytes_are_sent(open_sender: OpenSender) -> None:
    sender = await open_sender()
    async with raw_receiver(always_ok) as receiver:
        await sender.post(request_to(f"http://127.0.0.1:{receiver.port}/hook%2Fa?b=%41"))
    assert receiver.requests == [
        b"POST /hook%2Fa?b=%41 HTTP/1.1\r\n"
        b"Host: 127.0.0.1:" + str(receiver.port).encode() + b"\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: 19\r\n"
        b"User-Agent: SwiftClaw-Webhooks/1.0\r\n"
        b"Accept: */*\r\n"
        b"Accept-Encoding: identity\r\n"
        b"X-SwiftClaw-Signature: " + sign("scsec_mine", BODY).encode() + b"\r\n"
        b"\r\n" + BODY
    ]


async def test_a_body_over_a_mebibyte_arrives_whole(open_sender: OpenSender) -> None:
    sender, body = await open_sender(), b"x" * (2**20 + 1)

    async def large(stream: Stream) -> None:
        stream.reader._limit = 2**22  # type: ignore[attr-defined]  # a test's shortcut
        await stream.request()
        await stream.answer(OK)

    async with raw_receiver(large) as receiver:
        exchange = await sender.post(request_to(receiver.url, body))
    assert exchange.outcome == Answered(200, b"Content-Length: 2\r\n", b"{}", 2)
    assert receiver.requests[0].endswith(b"\r\n\r\n" + body)


async def test_cookies_are_ignored_and_the_environments_proxy_is_too(
    open_sender: OpenSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    sender = await open_sender()
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    async with raw_receiver(answering(answer, answer)) as receiver:
        await sender.post(request_to(receiver.url))
        await sender.post(request_to(receiver.url))
    assert [b"ookie" in request for request in receiver.requests] == [False, False]


# --- the verdict ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [101, 200, 204, 301, 304, 404, 429, 500, 599, 600, 999])
async def test_every_status_is_an_answer(open_sender: OpenSender, status: int) -> None:
    outcome = await outcome_of(open_sender, answering(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()))
    assert isinstance(outcome, Answered)
    assert outcome.status == status


async def test_a_redirect_is_recorded_and_not_followed(open_sender: OpenSender) -> None:
    sender = await open_sender()
    async with raw_receiver(always_ok) as elsewhere:
        head = f"Location: {elsewhere.url}\r\nContent-Length: 0\r\n"
        async with raw_receiver(answering(f"HTTP/1.1 307 X\r\n{head}\r\n".encode())) as receiver:
            outcome = (await sender.post(request_to(receiver.url))).outcome
    assert outcome == Answered(307, head.encode(), b"", 0)
    assert elsewhere.connections == 0


async def test_interim_answers_are_skipped_and_the_final_one_counts(open_sender: OpenSender) -> None:
    outcome = await outcome_of(
        open_sender, answering(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 100 C\r\n\r\n" + OK)
    )
    assert outcome == Answered(200, b"Content-Length: 2\r\n", b"{}", 2)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 2OO OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000 + b"\r\n",
    ],
    ids=lambda answer: repr(answer[:30]),
)
async def test_what_is_not_http_is_malformed(open_sender: OpenSender, answer: bytes) -> None:
    assert await cause_of(open_sender, answering(answer)) is Cause.MALFORMED


async def test_a_sloppy_answer_is_an_answer_and_its_bytes_are_kept(open_sender: OpenSender) -> None:
    outcome = await outcome_of(open_sender, answering(b"HTTP/1.1 200\r\nX-Name: caf\xe9\r\nContent-Length: 0\r\n\r\n"))
    assert outcome == Answered(200, b"X-Name: caf\xe9\r\nContent-Length: 0\r\n", b"", 0)


async def test_nobody_listening_is_refused(open_sender: OpenSender) -> None:
    sender = await open_sender()
    async with raw_receiver(always_ok) as receiver:
        pass
    outcome = (await sender.post(request_to(receiver.url))).outcome
    assert isinstance(outcome, Unanswered)
    assert outcome.cause is Cause.CONNECT_REFUSED


async def test_closing_without_a_whole_answer_is_closed_early_and_a_reset_is_a_reset(open_sender: OpenSender) -> None:
    async def reset(stream: Stream) -> None:
        await stream.request()
        stream.reset()

    assert await cause_of(open_sender, answering(b"")) is Cause.CLOSED_EARLY
    assert await cause_of(open_sender, answering(b"HTTP/1.1 200 OK\r\nContent-")) is Cause.CLOSED_EARLY
    assert await cause_of(open_sender, reset) in (Cause.RESET, Cause.CLOSED_EARLY)


async def test_a_name_that_does_not_resolve_is_dns_where_it_may_be_sent_to_and_blocked_where_not(
    open_sender: OpenSender,
) -> None:
    sender = await open_sender()
    local = (await sender.post(request_to("http://nobody-here.test:8000/"))).outcome
    public = (await sender.post(request_to("http://nobody-here.invalid/"))).outcome
    assert isinstance(local, Unanswered)
    assert isinstance(public, Unanswered)
    assert (local.cause, public.cause) == (Cause.DNS, Cause.BLOCKED_HOST)
    assert "--allow-host nobody-here.invalid" in public.detail


# --- time ----------------------------------------------------------------------------------------------------------


async def silent(stream: Stream) -> None:
    await stream.reader.read()


async def dripping(stream: Stream) -> None:
    await stream.request()
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
        await stream.answer(bytes([byte]))
        await asyncio.sleep(0.02)


async def endless_interim(stream: Stream) -> None:
    await stream.request()
    while True:
        await stream.answer(b"HTTP/1.1 103 Early\r\n\r\n")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("handler", [silent, dripping, endless_interim])
async def test_the_total_covers_everything_up_to_the_end_of_the_headers(
    open_sender: OpenSender, handler: Handler
) -> None:
    async with asyncio.timeout(3):
        assert await cause_of(open_sender, handler, timeout_s=0.3) is Cause.TIMEOUT


async def test_connecting_has_its_own_part_of_the_total(open_sender: OpenSender) -> None:
    sender = await open_sender(connect_timeout_s=0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
        for _ in range(2):  # nobody accepts these, and then there is no room for more
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        async with asyncio.timeout(3):
            outcome = (await sender.post(request_to(f"http://127.0.0.1:{full.getsockname()[1]}/"))).outcome
    assert isinstance(outcome, Unanswered)
    assert outcome.cause is Cause.CONNECT_TIMEOUT


async def test_a_tls_handshake_that_hangs_is_its_own_class(open_sender: OpenSender) -> None:
    sender = await open_sender(connect_timeout_s=0.2)
    async with raw_receiver(silent) as receiver:
        outcome = (await sender.post(request_to(f"https://127.0.0.1:{receiver.port}/"))).outcome
    assert isinstance(outcome, Unanswered)
    assert outcome.cause is Cause.TLS_TIMEOUT


async def test_without_tls_no_handshake_is_blamed_when_the_machine_is_busy(
    open_sender: OpenSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_wire = Connector._new_wire

    def held_up(self: Connector) -> Wire:
        time.sleep(0.3)
        return new_wire(self)

    monkeypatch.setattr(Connector, "_new_wire", held_up)
    sender = await open_sender(connect_timeout_s=0.1)
    async with raw_receiver(always_ok) as receiver:
        outcome = (await sender.post(request_to(f"http://127.0.0.1:{receiver.port}/"))).outcome
    assert isinstance(outcome, Unanswered)
    assert outcome.cause is Cause.CONNECT_TIMEOUT


async def test_plain_http_on_an_https_port_is_said_so(open_sender: OpenSender) -> None:
    sender = await open_sender()

    async def plain(stream: Stream) -> None:
        await stream.answer(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_receiver(plain) as receiver:
        outcome = (await sender.post(request_to(f"https://127.0.0.1:{receiver.port}/"))).outcome
    assert isinstance(outcome, Unanswered)
    assert outcome.cause is Cause.TLS_NOT_TLS


# --- the body, after the verdict -----------------------------------------------------------------------------------


async def test_a_body_that_hangs_drips_or_never_ends_does_not_change_the_verdict(open_sender: OpenSender) -> None:
    async def endless(stream: Stream) -> None:
        await stream.request()
        await stream.answer(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await stream.answer(b"x" * 65_536)

    hanging = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc", close=False)
    short = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc")
    head = b"Content-Length: 99\r\n"
    assert await outcome_of(open_sender, hanging, capture_s=0.2) == Answered(200, head, b"abc", 99, "time")
    assert await outcome_of(open_sender, short) == Answered(200, head, b"abc", None, "early_close")
    assert await outcome_of(open_sender, endless, capture_bytes=1000) == Answered(200, b"", b"x" * 1000, None, "size")


async def test_a_body_is_kept_as_it_was_received_never_inflated(open_sender: OpenSender) -> None:
    for encoding in (b"gzip", b"br", b"nonsense"):
        head = b"Content-Encoding: " + encoding + b"\r\nContent-Length: 4\r\n"
        outcome = await outcome_of(open_sender, answering(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\x1f\x8b\x00\xff"))
        assert outcome == Answered(200, head, b"\x1f\x8b\x00\xff", 4)


async def test_a_chunked_body_is_read_to_its_end_and_a_broken_one_does_not_matter(open_sender: OpenSender) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    whole = await outcome_of(open_sender, answering(head + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"))
    assert whole == Answered(200, b"Transfer-Encoding: chunked\r\n", b"abc", 3)

    async def broken(stream: Stream) -> None:
        await stream.request()
        await stream.answer(head + b"2\r\nab\r\n")
        await asyncio.sleep(0.05)
        await stream.answer(b"zz\r\n")

    outcome = await outcome_of(open_sender, broken)
    assert isinstance(outcome, Answered)
    assert (outcome.status, outcome.body, outcome.truncated is None) == (200, b"ab", False)


# --- connections that are kept -------------------------------------------------------------------------------------


async def posts(sender: Sender, receiver: RawReceiver, count: int) -> list[Answered | Unanswered]:
    return [(await sender.post(request_to(receiver.url))).outcome for _ in range(count)]


async def test_a_connection_is_used_again(open_sender: OpenSender) -> None:
    sender = await open_sender()
    async with raw_receiver(always_ok) as receiver:
        outcomes = await posts(sender, receiver, 5)
    assert {type(outcome) for outcome in outcomes} == {Answered}
    assert receiver.connections == 1


async def test_a_kept_connection_that_dies_before_any_answer_is_stale_and_the_other_idle_ones_go_too(
    open_sender: OpenSender,
) -> None:
    sender = await open_sender()

    async def once(stream: Stream) -> None:
        await stream.request()
        if stream.number <= 2:
            both.set() if stream.number == 2 else await both.wait()  # so that there are two connections
        await stream.answer(OK)
        if stream.number <= 2:
            await stream.request()  # and then closes without an answer

    both = asyncio.Event()
    async with raw_receiver(once) as receiver:
        await asyncio.gather(posts(sender, receiver, 1), posts(sender, receiver, 1))
        stale, fresh = await posts(sender, receiver, 2)
    assert isinstance(stale, Unanswered)
    assert (stale.cause, type(fresh)) == (Cause.STALE_CONNECTION, Answered)
    assert receiver.connections == 3


async def test_a_kept_connection_that_dies_in_the_middle_of_an_answer_is_not_stale(open_sender: OpenSender) -> None:
    sender = await open_sender()
    async with raw_receiver(answering(OK, b"HTTP/1.1 200 OK\r\nConte")) as receiver:
        _, second = await posts(sender, receiver, 2)
    assert isinstance(second, Unanswered)
    assert second.cause is Cause.CLOSED_EARLY


async def test_a_second_answer_nobody_asked_for_is_not_the_next_events(open_sender: OpenSender) -> None:
    sender = await open_sender()
    unasked = b"HTTP/1.1 500 Late\r\nContent-Length: 0\r\n\r\n"
    written = asyncio.Event()

    async def twice(stream: Stream) -> None:
        await stream.request()
        await stream.answer(OK)
        if stream.number == 1:
            await asyncio.sleep(0.02)
            await stream.answer(unasked)
            written.set()
        await stream.reader.read()

    async with raw_receiver(twice) as receiver:
        (first,) = await posts(sender, receiver, 1)
        await written.wait()
        await asyncio.sleep(0.02)
        (second,) = await posts(sender, receiver, 1)
    assert [first, second] == [Answered(200, b"Content-Length: 2\r\n", b"{}", 2)] * 2
    assert receiver.connections == 2


async def test_a_second_answer_in_the_same_packet_is_dropped_with_its_connection(open_sender: OpenSender) -> None:
    sender = await open_sender()
    glued = OK + b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"
    async with raw_receiver(answering(glued, glued)) as receiver:
        outcomes = await posts(sender, receiver, 2)
    assert outcomes == [Answered(200, b"Content-Length: 2\r\n", b"{}", 2)] * 2
    assert receiver.connections == 2


# --- where it may send ---------------------------------------------------------------------------------------------


async def test_nothing_is_connected_to_that_the_policy_refuses(open_sender: OpenSender) -> None:
    policy = AddressPolicy(egress="public")
    sender = await open_sender(policy)
    async with raw_receiver(always_ok) as receiver:
        for host in ("127.0.0.1", "localhost"):
            outcome = (await sender.post(request_to(f"http://{host}:{receiver.port}/"))).outcome
            assert isinstance(outcome, Unanswered)
            assert outcome.cause is Cause.BLOCKED_ADDRESS
    assert receiver.connections == 0


async def test_the_engines_own_port_is_never_connected_to(open_sender: OpenSender) -> None:
    policy = AddressPolicy(egress="any")
    sender = await open_sender(policy)
    async with raw_receiver(always_ok) as receiver:
        policy.own([("127.0.0.1", receiver.port)])
        outcome = (await sender.post(request_to(receiver.url))).outcome
    assert isinstance(outcome, Unanswered)
    assert (outcome.cause, receiver.connections) == (Cause.BLOCKED_SELF, 0)


async def test_a_public_address_is_refused_with_the_command_that_allows_it(open_sender: OpenSender) -> None:
    sender = await open_sender()
    outcome = (await sender.post(request_to("http://203.0.113.7/"))).outcome
    assert isinstance(outcome, Unanswered)
    assert outcome.cause in (Cause.BLOCKED_HOST, Cause.BLOCKED_ADDRESS)
