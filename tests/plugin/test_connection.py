"""How the fixtures speak to a server: over connections that may have died, and to strangers."""

from __future__ import annotations

import socket
from threading import Thread
from urllib.parse import urlsplit

import pytest

from swiftclaw_local.errors import InvalidInput, NoServer
from swiftclaw_local.testing import Connection, Receiver, Server, Swiftclaw


def test_a_kept_connection_that_the_server_has_closed_is_not_used(swiftclaw_server: Server) -> None:
    connection = Connection(swiftclaw_server.url)
    connection.get("/_local/clock")
    connection._idle[0].sock.shutdown(socket.SHUT_RDWR)
    assert connection.get("/_local/clock")["mode"] == "manual"
    assert len(connection._idle) == 1
    connection.close()


def test_two_threads_use_two_connections_and_one_thread_always_the_same(swiftclaw_server: Server) -> None:
    connection = Connection(swiftclaw_server.url)
    for _ in range(3):
        connection.get("/_local/clock")
    assert len(connection._idle) == 1
    threads = [Thread(target=connection.get, args=("/readyz",), kwargs={"wait": "0s"}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert connection.get("/_local/clock")["mode"] == "manual"
    connection.close()
    assert len(connection._idle) == 0


def test_a_stranger_is_told_from_a_swiftclaw(swiftclaw_receiver: Receiver) -> None:
    parts = urlsplit(swiftclaw_receiver.url)
    connection = Connection(f"http://{parts.netloc}")
    with pytest.raises(NoServer, match="is not SwiftClaw local"):
        connection.get("/_local/clock")


@pytest.mark.parametrize("name", ["a/b", "..", "a?b"])
def test_a_name_that_is_no_name_is_told_as_one(swiftclaw: Swiftclaw, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        swiftclaw.emit("agent.failed", agent=name)
    assert name in refused.value.message
