"""Which server a command finds, what it says when there is none, and how the API's refusals come back."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from swiftclaw_local.cli.address import Address, find_server
from swiftclaw_local.cli.client import Client, in_path
from swiftclaw_local.errors import InvalidUrl, NoServer, NotFound, UnknownAgent, WaitTimeout, error_of, every_error
from tests.ports import free_port
from tests.unit.fake_api import Asked, FakeApi, running_api


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with running_api() as api:
        yield api


@pytest.fixture
def client(api: FakeApi) -> Iterator[Client]:
    with closing(Client(Address(api.url), timeout_s=5)) as client:
        yield client


def written(folder: Path, *, pid: int, url: str = "http://127.0.0.1:7421") -> Path:
    file = folder / ".swiftclaw" / "server.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"url": url, "pid": pid, "db": "x"}))
    return file


def ended_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait(timeout=10)
    return done.pid


# --- which server -----------------------------------------------------------------------------------------------


def test_the_option_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, pid=os.getpid())
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    environment = {"SWIFTCLAW_API_URL": "http://two:2/"}
    assert find_server("http://one:1", environment, folder=below) == Address("http://one:1", "--api-url")
    assert find_server(None, environment, folder=below) == Address("http://two:2", "SWIFTCLAW_API_URL")
    assert find_server(None, {}, folder=below) == Address("http://127.0.0.1:7421", str(file), os.getpid())


def test_the_file_of_a_process_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    written(tmp_path, pid=os.getpid(), url="http://127.0.0.1:1")
    below = tmp_path / "project"
    written(below, pid=ended_process())
    assert find_server(None, {}, folder=below).url == "http://127.0.0.1:1"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"url": "http://a:1"}', '{"url": "http://a:1", "pid": "x"}'])
def test_a_file_that_makes_no_sense_is_passed_over(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, pid=1)
    file.write_text(text)
    assert find_server(None, {}, folder=tmp_path) == Address("http://127.0.0.1:7420")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:7420", '--api-url "localhost:7420" has no scheme. Did you mean http://localhost:7420 ?'),
        ("ftp://a", '--api-url "ftp://a" is not the address of a server.'),
        ("http://", '--api-url "http://" is not the address of a server.'),
        ("http://a:99999", '--api-url "http://a:99999" is not the address of a server.'),
        ("http://[::1", '--api-url "http://[::1" is not the address of a server.'),
    ],
)
def test_an_address_that_is_none_is_explained(url: str, message: str) -> None:
    with pytest.raises(InvalidUrl) as caught:
        find_server(url, {})
    assert caught.value.message == message


# --- no server --------------------------------------------------------------------------------------------------


def test_without_a_server_it_says_how_to_start_one() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(NoServer) as caught:
        Client(Address(url)).get("/x")
    assert (caught.value.message, caught.value.hint) == (
        f"No SwiftClaw local server at {url}.",
        "Start one: swiftclaw serve      or, with your app: swiftclaw dev -- <command>",
    )


def test_where_somebody_named_the_address_the_hint_says_who() -> None:
    with pytest.raises(NoServer) as caught:
        Client(Address(f"http://127.0.0.1:{free_port()}", "SWIFTCLAW_API_URL")).get("/x")
    assert (
        caught.value.hint
        == "Start one: swiftclaw serve      or, with your app: swiftclaw dev -- <command>   (the address comes from SWIFTCLAW_API_URL)"
    )


def test_a_host_without_an_address_is_no_server() -> None:
    with pytest.raises(NoServer, match=r"No SwiftClaw local server answers at http://nowhere\.invalid"):
        Client(Address("http://nowhere.invalid")).get("/x")


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"detail": "Not Found"}', b'["error"]'])
def test_another_programs_answer_is_not_taken_for_ours(api: FakeApi, client: Client, body: bytes) -> None:
    api.on("GET /x", body, status=404)
    with pytest.raises(NoServer, match=r"Something answers at .*, but it is not SwiftClaw local"):
        client.get("/x")


def test_something_that_speaks_no_http_is_not_taken_for_ours() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with closing(Client(Address(url))) as client:
            client._open()
            other, _ = server.accept()
            with other:
                other.sendall(b"SSH-2.0-OpenSSH\r\n")
                with pytest.raises(NoServer, match="it is not SwiftClaw local"):
                    client.get("/x")


def test_an_answer_that_does_not_come_ends_the_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with closing(Client(Address(url), timeout_s=0.05)) as client, pytest.raises(WaitTimeout) as caught:
            client.get("/x")
    assert caught.value.message == f"No answer from {url} within 0.05s."
    assert caught.value.exit_code == 124


# --- requests and answers ---------------------------------------------------------------------------------------


def test_many_requests_use_one_connection(api: FakeApi, client: Client) -> None:
    api.on("GET /x", {"n": 1})
    assert [client.get("/x") for _ in range(20)] == [{"n": 1}] * 20
    assert api.connections == 1


def test_an_answer_may_take_half_a_minute_or_for_a_long_one_any_time(api: FakeApi) -> None:
    api.on("GET /x", 1)
    patience = []
    with closing(Client(Address(api.url))) as client:
        for long in (False, True):
            client.get("/x", long=long)
            assert client._connection is not None
            patience.append(client._connection.sock.gettimeout())
    assert patience == [30, None]


def test_a_read_is_asked_again_when_the_kept_connection_was_closed(api: FakeApi, client: Client) -> None:
    api.on("GET /x", 1)
    api.on("POST /x", 2)
    client.get("/x")
    assert client._connection is not None
    client._connection.sock.shutdown(socket.SHUT_RDWR)
    assert client.get("/x") == 1
    assert client._connection is not None
    client._connection.sock.shutdown(socket.SHUT_RDWR)
    with pytest.raises(NoServer):  # a change may have been made already: never twice
        client.post("/x")
    assert api.bodies("POST /x") == []


def test_query_body_and_token_are_sent(api: FakeApi) -> None:
    api.on("POST /v1/x", None)
    with closing(Client(Address(api.url), token="sct_1")) as client:
        assert client.post("/v1/x", {"a": "ü"}, wait="first", no=None, off=False, on=True) is None
    asked = api.asked[0]
    assert (asked.query, asked.body) == ({"wait": "first", "on": "1"}, {"a": "ü"})
    assert asked.headers["authorization"] == "Bearer sct_1"
    assert asked.headers["content-type"] == "application/json"


def test_a_list_is_read_page_after_page(api: FakeApi, client: Client) -> None:
    pages = {"": ([1, 2], "b"), "b": ([3, 4], "c"), "c": ([5], None)}

    def page(asked: Asked) -> tuple[int, object]:
        data, following = pages[asked.query.get("cursor", "")]
        return 200, {"data": data, "next": following}

    api.on_call("GET /list", page)
    assert list(client.every("/list", q="x")) == [1, 2, 3, 4, 5]
    assert [asked.query.get("q") for asked in api.asked] == ["x"] * 3
    api.asked.clear()
    assert list(client.every("/list", limit=3))[:3] == [1, 2, 3]
    assert [asked.query["limit"] for asked in api.asked] == ["3", "1"]


def test_a_refusal_comes_back_as_the_error_the_server_raised(api: FakeApi, client: Client) -> None:
    api.refuse("GET /x", "unknown_agent", "No agent.", status=404, hint="Agents: a")
    with pytest.raises(UnknownAgent) as caught:
        client.get("/x")
    assert (caught.value.message, caught.value.hint, caught.value.exit_code) == ("No agent.", "Agents: a", 3)


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.code)
def test_every_error_of_the_page_has_its_code_to_itself_and_comes_back(kind: type[Exception]) -> None:
    code = kind.code  # type: ignore[attr-defined]
    back = error_of(400, {"error": {"code": code, "message": "m", "field": "f"}, "delivery": {"id": "d"}})
    assert (type(back), back.field, back.extra) == (kind, "f", {"delivery": {"id": "d"}})


@pytest.mark.parametrize(("status", "exit_code"), [(404, 3), (409, 5), (400, 2), (500, 1)])
def test_an_error_of_a_newer_server_is_judged_by_its_status(status: int, exit_code: int) -> None:
    assert error_of(status, {"error": {"code": "of_tomorrow", "message": "m"}}).exit_code == exit_code
    assert isinstance(error_of(404, {"error": {"code": "of_tomorrow", "message": "m"}}), NotFound)


@pytest.mark.parametrize(
    ("part", "written"), [("a/b", "a%2Fb"), ("..", "%2E%2E"), ("@last", "@last"), ("ä ?", "%C3%A4%20%3F")]
)
def test_a_name_stays_one_part_of_a_path(part: str, written: str) -> None:
    assert in_path(part) == written


def test_verbose_names_each_request(api: FakeApi) -> None:
    told: list[str] = []
    api.on("GET /x", 1)
    with closing(Client(Address(api.url), trace=told.append)) as client:
        client.get("/x", a="b")
    assert told == [f"GET {api.url}/x?a=b -> 200"]
