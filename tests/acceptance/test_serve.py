"""A real server in a process of its own: how it is found, how it stops, what it refuses."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from swiftclaw_local.errors import PortInUse, SetupError
from swiftclaw_local.server.ports import bind
from tests.acceptance.running import RunningServer, receiving, serving, start_server

HOOKS = "/v1/agents/my-agent/webhooks"
EVENTS = "/v1/agents/my-agent/events"


@contextmanager
def hanging_receiver() -> Iterator[tuple[str, threading.Event, threading.Event]]:
    """A receiver that answers 200 only when told to: its URL, `arrived`, and `answer`."""
    arrived, answer = threading.Event(), threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            arrived.set()
            answer.wait(30)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/", arrived, answer
    answer.set()
    thread.join(5)
    listening.close()


def in_flight(server: RunningServer, url: str, arrived: threading.Event) -> str:
    """Emit one event to a receiver that hangs, and return its delivery's id once the request is there."""
    server.api("POST", HOOKS, {"url": url})
    _, answer = server.api("POST", EVENTS, {"type": "agent.failed"})
    assert arrived.wait(10)
    delivery_id: str = answer["deliveries"][0]["id"]
    return delivery_id


def test_the_note_beside_the_database_tells_where_it_is_while_it_runs(tmp_path: Path) -> None:
    note = tmp_path / ".swiftclaw" / "server.json"
    with serving(tmp_path) as server:
        told = json.loads(note.read_text())
        assert told == {
            "url": server.url,
            "pid": server.process.pid,
            "db": str(tmp_path / ".swiftclaw" / "swiftclaw.db"),
        }
        assert stat.S_IMODE(note.stat().st_mode) == 0o600
        assert (server.stop(), note.exists()) == (0, False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_lets_the_attempt_in_flight_end_and_records_it(tmp_path: Path, number: signal.Signals) -> None:
    with hanging_receiver() as (url, arrived, answer):
        with serving(tmp_path) as server:
            delivery_id = in_flight(server, url, arrived)
            threading.Timer(0.3, answer.set).start()
            assert server.stop(number) == 0
        with serving(tmp_path) as again:
            _, delivery = again.api("GET", f"/v1/deliveries/{delivery_id}")
    assert [attempt["outcome"] for attempt in delivery["attempts"]] == ["succeeded"]


def test_a_second_signal_ends_it_at_once_and_the_next_start_knows_what_was_cut_off(tmp_path: Path) -> None:
    with hanging_receiver() as (url, arrived, _):
        with serving(tmp_path) as server:
            delivery_id = in_flight(server, url, arrived)
            server.process.send_signal(signal.SIGTERM)
            wait_until_refused(server.url)
            started = time.monotonic()
            assert server.stop(signal.SIGTERM) == 128 + signal.SIGTERM
            assert time.monotonic() - started < 2
        with serving(tmp_path) as again:
            _, delivery = again.api("GET", f"/v1/deliveries/{delivery_id}")
    assert delivery["attempts"][0]["outcome"] == "interrupted"
    assert delivery["attempts"][0]["error"] == {
        "kind": "interrupted",
        "message": "cut off by a stop of SwiftClaw local",
    }


def wait_until_refused(url: str) -> None:
    """Return once nobody listens there any more: the first signal was taken."""
    port = int(url.rpartition(":")[2])
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError("still listening")


def test_a_client_that_waits_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    with receiving("scsec_t", 500) as receiver, serving(tmp_path) as server:
        server.api("POST", HOOKS, {"url": receiver.url, "secret": "scsec_t"})
        waiting = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))
        body = b'{"type":"agent.failed"}'
        head = f"POST {EVENTS}?wait=settled&timeout=60s HTTP/1.1\r\nHost: {server.url[7:]}\r\nContent-Length: {len(body)}\r\n\r\n"
        waiting.sendall(head.encode() + body)
        server.api("GET", "/v1/deliveries")  # answered after the emit, which came first
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 3
        waiting.close()


def test_a_webhook_that_points_at_the_server_itself_is_never_sent_to(tmp_path: Path) -> None:
    with serving(tmp_path, "--egress", "any") as server:
        server.api("POST", HOOKS, {"url": f"{server.url}/_local/reset"})
        _, answer = server.api("POST", f"{EVENTS}?wait=first", {"type": "agent.failed"})
        delivery = answer["deliveries"][0]
        assert (delivery["state"], delivery["last_error"]) == ("failed", "blocked_self")


def exchange(server: RunningServer, sent: bytes) -> bytes:
    """Send bytes as they are, and return what comes back until the server closes, which it is asked to or does itself."""
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(sent)
        if b"\r\n" not in sent:
            connection.shutdown(socket.SHUT_WR)  # else it waits for the rest of the line
        answer = b""
        while part := connection.recv(65_536):
            answer += part
        return answer


def test_what_is_not_http_is_refused_without_a_traceback(tmp_path: Path) -> None:
    with serving(tmp_path, "--ephemeral") as server:
        host = server.url[7:].encode()
        for sent in (
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: %b\r\nX: \x00\r\n\r\n" % host,
            b"GET / HTTP/1.1\r\nHost: %b\r\nX: %b\r\n\r\n" % (host, b"x" * 100_000),
            b"POST /v1/alerts HTTP/1.1\r\nHost: %b\r\nContent-Length: -1\r\n\r\n" % host,
            b"POST /v1/alerts HTTP/1.1\r\nHost: %b\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n" % host,
            b"GET / HTTP/1.1\r\nHost: %b\r\nConnection: close\r\nExpect: nonsense\r\n\r\n" % host,
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        ):
            answer = exchange(server, sent)
            assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), (sent[:60], answer[:200])
            assert b"Traceback" not in answer
        assert server.api("GET", "/healthz") == (200, {"ok": True, "reason": None})
        assert server.stop() == 0
    assert "Traceback" not in (tmp_path / "server.log").read_text()


def test_localhost_is_both_families_on_one_port() -> None:
    sockets = bind("localhost", 0)
    try:
        assert len({bound.getsockname()[1] for bound in sockets}) == 1
        assert all(bound.getsockname()[0] in ("127.0.0.1", "::1") for bound in sockets)
    finally:
        for bound in sockets:
            bound.close()


def test_a_port_that_another_program_has_is_explained_with_its_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        def hang_up() -> None:
            taken.accept()[0].close()  # it speaks no HTTP

        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(PortInUse) as refused:
            bind("127.0.0.1", port)
    name = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    assert f"Port {port} is used by another program ({name}, pid {os.getpid()})." in refused.value.message
    assert "or --port 0 for any free port." in refused.value.message


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_this_machines_is_refused(host: str) -> None:
    with pytest.raises(SetupError):
        bind(host, 0)


def test_a_second_server_on_the_same_port_and_database_is_told_to_take_others(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(PortInUse) as refused:
            bind("127.0.0.1", port, db=tmp_path / ".swiftclaw" / "swiftclaw.db")
    assert f"already runs on port {port} (pid {server.process.pid}, data " in refused.value.message


def test_tokens_open_a_server_that_others_reach(tmp_path: Path) -> None:
    token = "t" * 43
    (tmp_path / "tokens").write_text(f"{token} read\n")
    server = start_server(tmp_path, "--ephemeral", "--host", "0.0.0.0", "--token-file", "tokens")  # noqa: S104 - on purpose
    try:
        assert server.api("GET", "/v1/webhooks")[1]["error"]["code"] == "token_required"
        assert server.api("GET", "/healthz")[0] == 200
        host = server.url[7:].encode()
        asked = b"GET /v1/webhooks HTTP/1.1\r\nHost: %b\r\nConnection: close\r\nAuthorization: Bearer %b\r\n\r\n" % (
            host,
            token.encode(),
        )
        assert exchange(server, asked).startswith(b"HTTP/1.1 200")
    finally:
        server.stop(signal.SIGKILL)
