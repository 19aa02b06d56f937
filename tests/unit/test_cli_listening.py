"""Whether something listens at a receiver's address; public hosts are never asked."""

from __future__ import annotations

import socket

import pytest

from swiftclaw_local.cli.listening import Place, listens, private_place
from tests.ports import free_port


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://localhost:8000/x", Place("127.0.0.1", 8000)),
        ("http://hooks.localhost/x", Place("127.0.0.1", 80)),
        ("https://192.168.1.7/x", Place("192.168.1.7", 443)),
        ("http://10.1.2.3:99", Place("10.1.2.3", 99)),
        ("http://[::1]:8000/x", Place("::1", 8000)),
    ],
)
def test_a_private_place_is_known_without_asking_anybody(url: str, place: Place) -> None:
    assert private_place(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "https://yourapp.com/x",
        "http://8.8.8.8/",
        "http://169.254.169.254/",
        "http://0.0.0.0/",
        "http://intranet/",
        "http://localhost.example.com/",
        "http://[::ffff:8.8.8.8]/",
        "http://localhost:99999/",
        "",
    ],
)
def test_what_may_be_public_has_no_place(url: str) -> None:
    assert private_place(url) is None


def test_a_listening_port_answers_and_a_closed_one_does_not() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert listens(Place("127.0.0.1", port))
    assert not listens(Place("127.0.0.1", port))
