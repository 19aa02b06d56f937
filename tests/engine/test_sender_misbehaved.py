"""Receivers that misbehave, and what the sender makes of each: an answer, or a cause from the closed list, in time."""

from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
import pytest_asyncio

from swiftclaw_local.dispatcher.addresses import AddressPolicy
from swiftclaw_local.dispatcher.request import notice_request
from swiftclaw_local.dispatcher.sender import Exchange, Sender
from swiftclaw_local.scheduler.outcome import Answered, Cause, Outcome, Unanswered
from tests.receivers import OK, Handler, Stream, answering, raw_receiver

HEAD: Final = b"HTTP/1.1 200 OK\r\n"
LENGTH: Final = b"Content-Length: 2\r\n\r\nok"
CHUNKED: Final = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BUDGET_S: Final = 0.4
PATIENCE_S: Final = 10.0  # for what takes no time, on a machine that is busy
LONGEST_LAG_S: Final = 0.1


@pytest_asyncio.fixture
async def sender() -> AsyncIterator[Sender]:
    """Has so much time that what ends before `post` gives up did not end by a time-out."""
    async with started(PATIENCE_S * 3) as sender:
        yield sender


@pytest_asyncio.fixture
async def hurried() -> AsyncIterator[Sender]:
    """For receivers that let the time run out."""
    async with started(BUDGET_S) as sender:
        yield sender


@asynccontextmanager
async def started(budget_s: float) -> AsyncIterator[Sender]:
    sender = Sender(
        AddressPolicy(egress="local"), timeout_s=budget_s, connect_timeout_s=budget_s / 2, capture_s=budget_s / 2
    )
    await sender.start()
    yield sender
    await sender.close()


async def post(sender: Sender, url: str, body: bytes = b"{}") -> Exchange:
    async with asyncio.timeout(PATIENCE_S):
        return await sender.post(notice_request(url, body))


async def outcome_of(sender: Sender, handler: Handler) -> Outcome:
    async with raw_receiver(handler) as receiver:
        return (await post(sender, receiver.url)).outcome


def cause_of(outcome: Outcome) -> Cause | Answered:
    return outcome.cause if isinstance(outcome, Unanswered) else outcome


# --- what is not HTTP, and what barely is ------------------------------------------------------------------------

MALFORMED: Final = {
    "NUL in a header": HEAD + b"X: a\x00b\r\n" + LENGTH,
    "a space in a name": HEAD + b"X Y: a\r\n" + LENGTH,
    "a space before the colon": HEAD + b"X : a\r\n" + LENGTH,
    "a line without a colon": HEAD + b"nonsense\r\n" + LENGTH,
    "two lengths": HEAD + b"Content-Length: 3\r\n" + LENGTH,
    "a negative length": HEAD + b"Content-Length: -2\r\n\r\nok",
    "a length beyond 64 bits": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\nok",
    "a length and chunks": HEAD + b"Transfer-Encoding: chunked\r\n" + LENGTH,
    "chunks and a length": HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "a bad chunk size": CHUNKED + b"xyz\r\nok\r\n0\r\n\r\n",
    "garbage inside the answer": CHUNKED + b"2\r\nok\r\ngarbage",
    "HTTP/0.9": b"<html>hello</html>",
    "HTTP/0.9 with a status line": b"HTTP/0.9 200 OK\r\n" + LENGTH,
    "HTTP/2 frames": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\n" + LENGTH,
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "RTSP": b"RTSP/1.0 200 OK\r\n" + LENGTH,
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "our own request": b"POST /hook HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n" + LENGTH,
    "a status below 100": b"HTTP/1.1 099 OK\r\n" + LENGTH,
    "an 8 MB header": HEAD + b"X: " + b"a" * 8_000_000 + b"\r\n" + LENGTH,
    "200,000 headers": HEAD + b"X: y\r\n" * 200_000 + LENGTH,
    "a header folded without end": HEAD + b"X: y\r\n" + b" y\r\n" * 100_000 + LENGTH,
    "line ends without end": b"\r\n" * 1_000_000,
}


@pytest.mark.parametrize("answer", MALFORMED.values(), ids=MALFORMED.keys())
async def test_what_is_not_http_is_malformed_and_takes_no_time(sender: Sender, answer: bytes) -> None:
    assert cause_of(await outcome_of(sender, answering(answer))) is Cause.MALFORMED


async def test_tls_on_an_http_url_is_told_with_what_to_write(sender: Sender) -> None:
    outcome = await outcome_of(sender, answering(MALFORMED["a TLS alert"]))
    assert isinstance(outcome, Unanswered)
    assert "https://" in outcome.detail


SLOPPY: Final = {
    "bare LF": (b"HTTP/1.1 200 OK\nX: y\nContent-Length: 2\n\nok", b"X: y\r\nContent-Length: 2\r\n"),
    "no reason": (b"HTTP/1.1 200\r\nX: y\r\n\r\nok", b"X: y\r\n"),
    "latin-1": (HEAD + b"X: caf\xe9\r\n\r\nok", b"X: caf\xe9\r\n"),
    "control characters": (HEAD + b"X: \x1b[31mred\x07\r\n\r\nok", b"X: \x1b[31mred\x07\r\n"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\nok", b""),
    "line ends before it": (b"\r\n\r\n" + HEAD + b"\r\nok", b""),
    "a large header": (HEAD + b"X: " + b"a" * 16_000 + b"\r\n\r\nok", b"X: " + b"a" * 16_000 + b"\r\n"),
}


@pytest.mark.parametrize(("answer", "head"), SLOPPY.values(), ids=SLOPPY.keys())
async def test_a_sloppy_answer_counts_and_its_header_bytes_are_kept(sender: Sender, answer: bytes, head: bytes) -> None:
    assert await outcome_of(sender, answering(answer)) == Answered(200, head, b"ok", 2)


@pytest.mark.parametrize("answer", [OK, SLOPPY["bare LF"][0], CHUNKED + b"2\r\nok\r\n0\r\n\r\n"])
async def test_an_answer_that_comes_byte_by_byte_is_the_same_answer(sender: Sender, answer: bytes) -> None:
    async def drip(stream: Stream) -> None:
        await stream.request()
        for byte in answer:
            await stream.answer(bytes([byte]))
            await asyncio.sleep(0)

    assert await outcome_of(sender, drip) == await outcome_of(sender, answering(answer))


# --- what follows an answer --------------------------------------------------------------------------------------

GLUED: Final = {
    "a second answer": (HEAD + LENGTH + b"HTTP/1.1 500 No\r\n" + LENGTH, 200, b"ok"),
    "the beginning of a second answer": (HEAD + LENGTH + b"HTTP/1.1 500 N", 200, b"ok"),
    "garbage": (HEAD + LENGTH + b"\x00garbage", 200, b"ok"),
    "a body that a 204 must not have": (b"HTTP/1.1 204 No Content\r\n\r\nhello", 204, b""),
    "a body that a 304 must not have": (b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\nhello", 304, b""),
    "the protocol asked for by nobody": (b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n\x81\x05hello", 101, b""),
    "garbage after interim answers": (b"HTTP/1.1 103 E\r\n\r\n" * 3 + HEAD + LENGTH + b"garbage", 200, b"ok"),
}


@pytest.mark.parametrize("whole", [True, False], ids=["in one packet", "later"])
@pytest.mark.parametrize(("answer", "status", "body"), GLUED.values(), ids=GLUED.keys())
async def test_what_is_glued_to_an_answer_spoils_neither_it_nor_the_next(
    sender: Sender, answer: bytes, status: int, body: bytes, whole: bool
) -> None:
    async def glue(stream: Stream) -> None:
        await stream.request()
        first, last = (answer, b"") if whole else (answer[:-5], answer[-5:])
        await stream.answer(first)
        await asyncio.sleep(0.01)
        await stream.answer(last)
        await stream.reader.read()

    async with raw_receiver(glue) as receiver:
        for _ in range(2):
            outcome = (await post(sender, receiver.url)).outcome
            assert isinstance(outcome, Answered)
            assert (outcome.status, outcome.body) == (status, body)
            await asyncio.sleep(0.02)
    assert receiver.connections == 2


async def test_part_of_an_unasked_answer_closes_the_idle_connection_too(sender: Sender) -> None:
    """aiohttp's pool hands such a connection out, and the next answer would be parsed from its middle."""
    closed = asyncio.Event()

    async def babble(stream: Stream) -> None:
        await stream.request()
        await stream.answer(OK)
        if stream.number == 1:
            await asyncio.sleep(0.01)
            await stream.answer(b"HTTP/1.1 500 Un")
        await stream.reader.read()
        closed.set()

    async with raw_receiver(babble) as receiver:
        await post(sender, receiver.url)
        async with asyncio.timeout(2):
            await closed.wait()
        assert isinstance((await post(sender, receiver.url)).outcome, Answered)
    assert receiver.connections == 2


async def test_a_thousand_events_to_a_receiver_that_promises_keep_alive_and_closes(sender: Sender) -> None:
    async with raw_receiver(answering(OK)) as receiver:
        causes: list[Cause] = []
        for _ in range(1000):
            while isinstance(outcome := (await post(sender, receiver.url)).outcome, Unanswered):
                causes.append(outcome.cause)
    assert set(causes) <= {Cause.STALE_CONNECTION}
    assert len(causes) <= 5  # once one went stale, no connection to it is kept for a while
    assert len(receiver.requests) == 1000


async def test_after_a_stale_connection_none_to_that_receiver_is_kept_for_a_while(sender: Sender) -> None:
    async def twice(stream: Stream) -> None:
        await stream.request()
        await stream.answer(OK)
        await stream.request()  # and closes without an answer

    async with raw_receiver(twice) as receiver:
        causes = [cause_of((await post(sender, receiver.url)).outcome) for _ in range(6)]
    assert [isinstance(cause, Answered) for cause in causes] == [True, False, True, True, True, True]
    assert causes[1] is Cause.STALE_CONNECTION
    assert receiver.connections == 5


async def test_what_came_while_the_event_loop_was_busy_is_noticed_before_the_connection_is_used(sender: Sender) -> None:
    """A commit holds the loop for milliseconds, and the next request is written before anything is read again."""
    unasked = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def babble() -> None:
        with listener.accept()[0] as first:
            first.recv(65_536)
            first.sendall(OK)
            answered.wait(5)
            first.sendall(b"HTTP/1.1 500 Unasked\r\nContent-Length: 0\r\n\r\n")
            unasked.set()
            with listener.accept()[0] as second:
                second.recv(65_536)
                second.sendall(OK)
                second.recv(1)

    answered = threading.Event()
    thread = threading.Thread(target=babble)
    thread.start()
    with listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
        await post(sender, url)
        answered.set()
        unasked.wait(5)  # here the event loop stands still
        outcome = (await post(sender, url)).outcome
        await sender.close()
        await asyncio.to_thread(thread.join, 5)
    assert outcome == Answered(200, b"Content-Length: 2\r\n", b"{}", 2)


async def test_chunks_that_break_after_the_verdict_do_not_change_it_and_are_not_waited_for(sender: Sender) -> None:
    async def broken(stream: Stream) -> None:
        await stream.request()
        await stream.answer(CHUNKED + b"2\r\nok\r\n")
        await asyncio.sleep(0.02)
        await stream.answer(b"garbage\r\n")
        await stream.reader.read()

    async with raw_receiver(broken) as receiver, asyncio.timeout(PATIENCE_S):
        outcome = (await post(sender, receiver.url)).outcome
    assert outcome == Answered(200, b"Transfer-Encoding: chunked\r\n", b"ok", None, "early_close")


# --- a request that is not read ----------------------------------------------------------------------------------


async def test_a_receiver_that_never_reads_a_large_body_times_out_and_is_let_go(hurried: Sender) -> None:
    seen, sizes = asyncio.Event(), [0]

    async def deaf(stream: Stream) -> None:
        stream.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads
        await asyncio.sleep(BUDGET_S * 1.5)
        stream.writer.transport.resume_reading()  # type: ignore[attr-defined]
        while data := await stream.reader.read(65_536):
            sizes.append(len(data))
        seen.set()

    async with raw_receiver(deaf) as receiver:
        outcome = (await post(hurried, receiver.url, b"x" * 8_000_000)).outcome
        assert cause_of(outcome) is Cause.TIMEOUT
        async with asyncio.timeout(5):
            await seen.wait()
    assert sum(sizes) < 8_000_000  # the connection was ended, not left open to be read to its end later


async def test_an_answer_before_the_body_was_read_counts_and_its_connection_is_not_used_again(sender: Sender) -> None:
    async def hasty(stream: Stream) -> None:
        stream.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads
        await stream.answer(OK)
        await asyncio.sleep(BUDGET_S)

    async with raw_receiver(hasty) as receiver:
        for _ in range(2):
            outcome = (await post(sender, receiver.url, b"x" * 8_000_000)).outcome
            assert outcome == Answered(200, b"Content-Length: 2\r\n", b"{}", 2)
    assert receiver.connections == 2


# --- bombs and floods --------------------------------------------------------------------------------------------


async def test_a_bomb_is_kept_as_it_came_and_never_inflated(sender: Sender) -> None:
    bomb = gzip.compress(bytes(100_000_000), compresslevel=1)
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(bomb)
    outcome = await outcome_of(sender, answering(HEAD + head + b"\r\n" + bomb))
    assert outcome == Answered(200, head, bomb[:65_536], len(bomb), "size")


@pytest.mark.parametrize("body", [b"a\x00b", b"\xff\xfe\xc3", b"\x1b[2J", b"<script>alert(1)</script>"])
async def test_a_body_is_kept_byte_by_byte_whatever_it_is(sender: Sender, body: bytes) -> None:
    head = b"Content-Type: text/html; charset=bogus\r\n"
    assert await outcome_of(sender, answering(HEAD + head + b"\r\n" + body)) == Answered(200, head, body, len(body))


@asynccontextmanager
async def flooding(*parts: bytes) -> AsyncIterator[str]:
    """A receiver in a thread, so that what it writes does not keep the event loop that is measured."""
    listener = socket.create_server(("127.0.0.1", 0))

    def flood() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            try:
                for part in parts:
                    connection.sendall(part)
                connection.recv(1)
            except OSError:
                return  # the sender had enough

    thread = threading.Thread(target=flood)
    thread.start()
    with listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
        await asyncio.to_thread(thread.join, 5)
    assert not thread.is_alive()


FLOODS: Final = {
    "a million chunks of a byte": (CHUNKED, b"1\r\na\r\n" * 1_000_000),
    "an endless body": (HEAD + b"\r\n", *[b"x" * 1_000_000] * 500),
    "endless 100": tuple([b"HTTP/1.1 100 Continue\r\n\r\n" * 40_000] * 500),
    "endless 103": tuple([b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" * 30_000] * 500),
}


@pytest.mark.parametrize("parts", FLOODS.values(), ids=FLOODS.keys())
async def test_a_flood_ends_in_time_and_does_not_keep_the_event_loop(hurried: Sender, parts: tuple[bytes, ...]) -> None:
    loop = asyncio.get_running_loop()
    lags: list[float] = []

    def beat(due: float) -> None:
        lags.append(loop.time() - due)
        beats[0] = loop.call_later(0.002, beat, loop.time() + 0.002)

    gc.collect()
    gc.freeze()  # a collection over what thousands of other tests left behind takes half a second by itself
    beats = [loop.call_soon(beat, loop.time())]
    async with flooding(*parts) as url:
        exchange = await post(hurried, url)
    beats[0].cancel()
    gc.unfreeze()
    outcome = exchange.outcome
    if isinstance(outcome, Answered):
        assert (outcome.status, len(outcome.body), outcome.truncated) == (200, 65_536, "size")
    else:
        assert outcome.cause is Cause.TIMEOUT
    lags.sort()
    assert lags[int(len(lags) * 0.9)] < LONGEST_LAG_S


# --- where it does not go ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/hook", "file:///etc/passwd", "http://169.254.169.254/latest/meta-data/"])
async def test_a_redirect_is_an_answer_and_nothing_is_requested(sender: Sender, status: int, location: str) -> None:
    head = f"Location: {location}\r\nContent-Length: 0\r\n".encode()
    async with raw_receiver(answering(b"HTTP/1.1 %d Moved\r\n%b\r\n" % (status, head))) as receiver:
        outcome = (await post(sender, receiver.url)).outcome
    assert outcome == Answered(status, head, b"", 0)
    assert len(receiver.requests) == 1


def resolving_to(monkeypatch: pytest.MonkeyPatch, **addresses: list[str]) -> None:
    """Have the system's resolver answer for `name.test` as given, whatever it is asked."""

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        found = addresses[host.removesuffix(".test")]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


async def test_a_harmless_name_that_resolves_to_a_metadata_address_is_not_connected_to(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving_to(monkeypatch, mine=["169.254.169.254"])
    assert cause_of((await post(sender, "http://mine.test:80/")).outcome) is Cause.BLOCKED_ADDRESS


async def test_of_several_addresses_only_those_that_may_be_are_connected_to(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving_to(monkeypatch, mine=["169.254.169.254", "127.0.0.1"])
    async with raw_receiver(answering(OK)) as receiver:
        outcome = (await post(sender, f"http://mine.test:{receiver.port}/")).outcome
    assert isinstance(outcome, Answered)
    assert cause_of((await post(sender, f"http://mine.test:{receiver.port}/")).outcome) is Cause.CONNECT_REFUSED


async def test_the_address_is_judged_anew_for_each_connection(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_receiver(answering(HEAD + b"Connection: close\r\n" + LENGTH)) as receiver:
        resolving_to(monkeypatch, mine=["127.0.0.1"])
        first = (await post(sender, f"http://mine.test:{receiver.port}/")).outcome
        resolving_to(monkeypatch, mine=["169.254.169.254"])
        second = (await post(sender, f"http://mine.test:{receiver.port}/")).outcome
    assert isinstance(first, Answered)
    assert cause_of(second) is Cause.BLOCKED_ADDRESS


async def test_a_resolver_that_hangs_is_dns_and_holds_up_no_other_name(
    hurried: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        if host.startswith("hanging"):
            released.wait(10)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    async with raw_receiver(answering(OK)) as receiver:
        hanging = [post(hurried, f"http://hanging-{n}.test:{receiver.port}/") for n in range(40)]
        hung = asyncio.gather(*hanging)
        healthy = await post(hurried, f"http://healthy.test:{receiver.port}/")
        exchanges = await hung
    released.set()
    assert {cause_of(exchange.outcome) for exchange in exchanges} == {Cause.DNS}
    assert isinstance(healthy.outcome, Answered)
    assert healthy.duration_ms < BUDGET_S * 500


async def test_a_dead_first_address_does_not_keep_from_the_living_second(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving_to(monkeypatch, mine=["127.0.0.2", "127.0.0.1"])
    async with raw_receiver(answering(OK)) as receiver:
        outcome = (await post(sender, f"http://mine.test:{receiver.port}/")).outcome
    assert isinstance(outcome, Answered)
