"""A web page the user happens to visit must not reach the API: every route, asked by strangers."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from swiftclaw_local.errors import SetupError
from swiftclaw_local.server.console.pages import ACTIONS, PAGES
from swiftclaw_local.server.routes import ROUTES
from swiftclaw_local.server.serve import check_address
from swiftclaw_local.settings import Settings
from tests.acceptance.api import Api
from tests.acceptance.conftest import OpenApi

STRANGERS = {
    "a name that points here": {"Host": "evil.example"},
    "such a name with our port": {"Host": "evil.example:{port}"},
    "a name that begins like ours": {"Host": "127.0.0.1.evil.example:{port}"},
    "a name that ends like ours": {"Host": "evil-localhost:{port}"},
    "another port": {"Host": "localhost:1"},
    "no port": {"Host": "localhost"},
    "an address of nobody": {"Host": "0.0.0.0:{port}"},
    "user information": {"Host": "localhost:{port}@evil.example"},
    "a page": {"Origin": "https://evil.example"},
    "a page of another local port": {"Origin": "http://localhost:3000"},
    "a page without a name": {"Origin": "null"},
    "an empty origin": {"Origin": ""},
    "a link from elsewhere": {"Sec-Fetch-Site": "cross-site"},
    "a page of the same site": {"Sec-Fetch-Site": "same-site"},
    "a delivery of ours": {"X-SwiftClaw-Signature": "0" * 64},
    "our own sender": {"User-Agent": "SwiftClaw-Webhooks/1.0"},
}

# Ways past a guard that looks at the path as it is written, and what no route answers.
BESIDE_THE_ROUTES = [
    ("GET", "/%5flocal/status"),
    ("POST", "/%5Flocal/reset"),
    ("GET", "/_local/../_local/status"),
    ("GET", "//_local/status"),
    ("GET", "/_LOCAL/status"),
    ("GET", "/v1/agents/%2e%2e/webhooks"),
    ("GET", "/"),
    ("GET", "/nowhere"),
    ("GET", "/favicon.ico"),
    ("OPTIONS", "/v1/webhooks"),
    ("OPTIONS", "/nowhere"),
    ("OPTIONS", "/_local/reset"),
    ("DELETE", "/_local/clock"),
    ("TRACE", "/v1/webhooks"),
    ("HEAD", "/v1/webhooks"),
]


def walk(app: web.Application) -> list[tuple[str, str]]:
    """Return (method, path) of every route that the application has, with names filled in."""
    found = []
    for route in app.router.routes():
        assert route.resource is not None
        names = {"agent": "my-agent", "webhook_id": "webhook-123", "alert_id": "alert-1", "report_id": "crt_1"}
        names |= {
            "event_id": "@last",
            "delivery_id": "@last",
            "fault_id": "fault-1",
            "replay_id": "rpl_1",
            "name": "console.css",
        }
        found.append((route.method, route.resource.canonical.format(**names)))
    return found


def written() -> list[tuple[str, str]]:
    """Return (method, path) of every route that the code lists: the API's, the console's pages, twins, actions and files."""
    console = [("GET", page.path) for page in PAGES] + [("GET", page.twin_path) for page in PAGES if page.twin]
    console += [("POST", action.path) for action in ACTIONS]
    files = [("GET", "/static/{name}"), ("GET", "/favicon.svg")]
    return [(route.method, route.path) for route in ROUTES] + console + files


def headers_of(api: Api, stranger: dict[str, str]) -> dict[str, str]:
    return {name: value.format(port=api.client.port) for name, value in stranger.items()}


async def asked(api: Api, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """Return the status, and all header names of the answer in one text."""
    url = URL(f"http://127.0.0.1:{api.client.port}{path}", encoded=True)
    async with api.client.session.request(method, url, headers=headers, allow_redirects=False) as answer:
        if answer.content_type != "text/event-stream":  # which has no end
            await answer.read()
        return answer.status, " ".join(answer.headers).lower()


async def test_the_walk_knows_every_route(api: Api) -> None:
    assert api.client.app is not None
    routes = [(route.method, route.resource.canonical) for route in api.client.app.router.routes() if route.resource]
    assert sorted(routes) == sorted(written())
    assert len(ROUTES) >= 41


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
async def test_a_stranger_is_refused_by_every_route(api: Api, stranger: dict[str, str]) -> None:
    assert api.client.app is not None
    wanted = 421 if "Host" in stranger else 403
    headers = headers_of(api, stranger)
    answers = {
        (method, path): (await asked(api, method, path, headers))[0]
        for method, path in walk(api.client.app) + BESIDE_THE_ROUTES
    }
    assert {route: status for route, status in answers.items() if status != wanted} == {}


async def test_a_stranger_changes_nothing(api: Api) -> None:
    await api.webhook()
    for headers in STRANGERS.values():
        await asked(api, "POST", "/_local/reset", headers_of(api, headers))
        await asked(api, "DELETE", "/v1/agents/my-agent/webhooks/webhook-123", headers_of(api, headers))
    assert len((await api.get("/v1/webhooks"))[1]["data"]) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost:{port}"},
        {"Host": "LOCALHOST:{port}"},
        {"Host": "[::1]:{port}"},
        {"Host": "127.0.0.2:{port}"},
        {"Origin": "http://127.0.0.1:{port}"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Host": "localhost:{port}", "Origin": "http://localhost:{port}", "Sec-Fetch-Site": "same-origin"},
    ],
)
async def test_our_own_names_and_pages_are_let_in(api: Api, headers: dict[str, str]) -> None:
    assert (await asked(api, "GET", "/v1/webhooks", headers_of(api, headers)))[0] == 200


async def test_no_answer_carries_a_cors_header_and_get_changes_nothing(api: Api) -> None:
    assert api.client.app is not None
    await api.webhook()
    await api.emitted()
    before = (await api.platform.reads.counts(), api.platform.clock.now())
    origin = {"Origin": f"http://127.0.0.1:{api.client.port}", "Access-Control-Request-Method": "POST"}
    for method, path in walk(api.client.app) + BESIDE_THE_ROUTES:
        if method in ("GET", "OPTIONS", "HEAD", "TRACE"):
            status, names = await asked(api, method, path, origin)
            assert (path, status, "access-control" in names) == (path, status, False)
    assert (await api.platform.reads.counts(), api.platform.clock.now()) == before


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /v1/webhooks HTTP/1.1\r\nHost: localhost:{port}\r\nHost: evil.example\r\n\r\n",
        b"GET http://evil.example/v1/webhooks HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
        b"GET /v1/webhooks HTTP/1.0\r\n\r\n",
        b"GET /v1/webhooks HTTP/1.1\r\nHost:\r\n\r\n",
    ],
    ids=["two hosts", "a target of its own", "no host", "an empty host"],
)
async def test_a_host_that_is_not_one_is_refused(api: Api, request_bytes: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.client.port)
    writer.write(request_bytes.replace(b"{port}", str(api.client.port).encode()))
    status = (await reader.readline()).split()[1]
    writer.close()
    await writer.wait_closed()
    assert status in (b"421", b"400")


async def test_a_further_name_is_let_in_when_it_is_set(open_api: OpenApi) -> None:
    api = await open_api(Settings(ephemeral=True, api_host=("swiftclaw.test", "proxy.test:8443")))
    wanted = {"swiftclaw.test": 200, "SwiftClaw.test:99": 200, "proxy.test:8443": 200, "proxy.test": 421, "x.test": 421}
    got = {host: (await asked(api, "GET", "/v1/webhooks", {"Host": host}))[0] for host in wanted}
    assert got == wanted
    from_page = {"Host": "proxy.test:8443", "Origin": "https://proxy.test:8443"}
    assert (await asked(api, "GET", "/v1/webhooks", from_page))[0] == 200


# --- tokens -----------------------------------------------------------------------------------------------------

TOKENS = {scope: f"{scope}-" + "x" * 40 for scope in ("read", "emit", "manage", "admin")}


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """One token of each scope; that of `emit` only as its hash."""
    path = tmp_path / "tokens"
    hashed = hashlib.sha256(TOKENS["emit"].encode()).hexdigest()
    lines = ["# for the team", f"{TOKENS['read']} read", f"sha256:{hashed} emit", f"{TOKENS['manage']} manage", ""]
    path.write_text("\n".join([*lines, TOKENS["admin"]]))
    return path


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", "/v1/webhooks", "read"),
        ("GET", "/nowhere", "read"),
        ("OPTIONS", "/v1/webhooks", "read"),
        ("GET", "/metrics", "read"),
        ("POST", "/v1/agents/my-agent/events", "emit"),
        ("POST", "/v1/agents/my-agent/webhooks", "manage"),
        ("DELETE", "/v1/agents/my-agent/webhooks/webhook-1", "manage"),
        ("GET", "/v1/agents/my-agent/webhooks/webhook-1/secret", "admin"),
        ("POST", "/v1/agents/my-agent/webhooks/webhook-1/secret/rotate", "admin"),
        ("POST", "/_local/clock/freeze", "admin"),
        ("POST", "/_local/reset", "admin"),
    ],
)
async def test_a_token_opens_what_its_scope_says(
    open_api: OpenApi, token_file: Path, method: str, path: str, needed: str
) -> None:
    api = await open_api(Settings(ephemeral=True, token_file=token_file))
    refused = []
    for scope, token in TOKENS.items():
        status, _ = await asked(api, method, path, {"Authorization": f"Bearer {token}"})
        refused += [scope] if status == 401 else []
    scopes = list(TOKENS)
    assert refused == scopes[: scopes.index(needed)]


async def test_without_a_token_only_health_is_answered(open_api: OpenApi, token_file: Path) -> None:
    api = await open_api(Settings(ephemeral=True, token_file=token_file))
    assert api.client.app is not None
    for headers in ({}, {"Authorization": "Bearer " + "y" * 40}, {"Authorization": TOKENS["admin"]}):
        answered = [
            path
            for method, path in walk(api.client.app) + BESIDE_THE_ROUTES
            if (await asked(api, method, path, headers))[0] != 401
        ]
        assert answered == ["/healthz", "/readyz"]


async def test_a_token_does_not_open_the_door_for_a_page(open_api: OpenApi, token_file: Path) -> None:
    api = await open_api(Settings(ephemeral=True, token_file=token_file))
    headers = {"Authorization": f"Bearer {TOKENS['admin']}", "Origin": "https://evil.example"}
    assert (await asked(api, "GET", "/v1/webhooks", headers))[0] == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])  # noqa: S104 - refused
def test_an_address_that_others_reach_asks_for_tokens(host: str, token_file: Path) -> None:
    with pytest.raises(SetupError, match="lets others in"):
        check_address(Settings(host=host))
    check_address(Settings(host=host, token_file=token_file))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_asks_for_none(host: str) -> None:
    check_address(Settings(host=host))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no token"),
        ("# nothing\n", "holds no token"),
        ("short admin", "line 1: the token is shorter than 32 characters"),
        ("x" * 40 + " root", "line 1: write a token, then one of read, emit, manage, admin"),
        ("x" * 40 + " read now", "line 1: write a token, then one of"),
    ],
)
def test_a_token_file_that_cannot_be_used_is_refused_without_showing_it(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    with pytest.raises(SetupError, match=said) as refused:
        check_address(Settings(token_file=path))
    assert "x" * 40 not in str(refused.value)
    path.unlink()
    with pytest.raises(SetupError, match="cannot be read"):
        check_address(Settings(token_file=path))
