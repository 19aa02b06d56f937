"""Stands in front of every route, those that do not exist too: a web page the user happens to visit must not get in.

It decides on the parsed Host, Origin and Sec-Fetch-Site headers and the route that was found, never on the path as it
was written; and with a token file, on the token's scope. No answer ever carries a CORS header.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from aiohttp import web
from aiohttp.typedefs import Middleware

from swiftclaw_local.dispatcher.request import USER_AGENT
from swiftclaw_local.errors import ForeignRequest, TokenRequired, WrongHost
from swiftclaw_local.server.adapter import Scope
from swiftclaw_local.server.tokens import Tokens, allows

Next = Callable[[web.Request], Awaitable[web.StreamResponse]]
Scopes = Mapping[web.AbstractRoute, Scope]

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?", re.ASCII)
_HTTP_PORT: Final = 80
_NAMES_KEPT: Final = 64
_SIGNATURE: Final = "X-SwiftClaw-Signature"


class Caller(NamedTuple):
    """Who calls: `scope` is what its token opens; everything where no tokens are asked for."""

    scope: Scope


CALLER: Final = web.RequestKey("caller", Caller)


class Guard:
    """Decides who may call. `names` are further hosts, with or without a port, by which the API may be called."""

    def __init__(self, *, names: tuple[str, ...], tokens: Tokens | None) -> None:
        self._names = frozenset(name.lower() for name in names)
        self._tokens = tokens

    def middleware(self, scopes: Scopes) -> Middleware:
        """Return the middleware; a route that is not in `scopes`, as the one of a 404, needs the scope read."""

        @web.middleware
        async def middleware(request: web.Request, handler: Next) -> web.StreamResponse:
            request[CALLER] = Caller(self.check(request, scopes.get(request.match_info.route, "read")))
            return await handler(request)

        return middleware

    def check(self, request: web.Request, needed: Scope) -> Scope:
        """Check a request for a route that needs this scope, and return the caller's. Raises: WrongHost, ForeignRequest, TokenRequired."""
        host = self._check_host(request)
        _check_origin(request, host)
        _check_not_ours(request)
        if self._tokens is None:
            return "admin"
        return "open" if needed == "open" else _token_scope(request, self._tokens, needed)

    def _check_host(self, request: web.Request) -> str:
        """Return the Host header, lower-case, when it is one of ours."""
        given = request.headers.getall("Host", [])
        host = given[0].lower() if len(given) == 1 else ""
        match = _HOST.fullmatch(host)
        # an absolute request target names a host of its own, and wins over the header in some programs
        if match is None or request.host.lower() not in (host, match.group(1)) or not self._is_ours(request, match):
            shown = ", ".join(name[:100] for name in given) or "nothing"
            raise WrongHost(
                f"The Host header is {shown}, which is not this server.",
                hint="Call it by 127.0.0.1 or localhost and its own port; allow another name with the setting api_host.",
            )
        return host

    def _is_ours(self, request: web.Request, match: re.Match[str]) -> bool:
        name, port = match.group(1), int(match.group(2) or _HTTP_PORT)
        if name in self._names or f"{name}:{port}" in self._names:
            return True
        return is_loopback(name) and port == _own_port(request)


@lru_cache(maxsize=_NAMES_KEPT)
def is_loopback(name: str) -> bool:
    """Return whether a host, as it stands in a URL, is this machine by a name that nobody else can take."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _own_port(request: web.Request) -> int | None:
    """Return the port that the connection came in by."""
    address = None if request.transport is None else request.transport.get_extra_info("sockname")
    return address[1] if isinstance(address, tuple) else None


def _check_origin(request: web.Request, host: str) -> None:
    ours = (f"http://{host}", f"https://{host}")  # https: behind a proxy that ends TLS
    for origin in request.headers.getall("Origin", []):
        if origin.lower() not in ours:
            raise ForeignRequest(f"A page of {origin[:200]} may not call this server.")
    for site in request.headers.getall("Sec-Fetch-Site", []):
        if site.lower() not in ("same-origin", "none"):
            raise ForeignRequest(f"A {site[:40]} page may not call this server.")


def _check_not_ours(request: web.Request) -> None:
    """Refuse what we sent ourselves: a webhook that points back at us must not become a caller."""
    if _SIGNATURE in request.headers or request.headers.get("User-Agent", "").startswith(USER_AGENT.partition("/")[0]):
        raise ForeignRequest(
            "A webhook delivery may not call this server.", hint="Register your receiver's URL instead."
        )


def _token_scope(request: web.Request, tokens: Tokens, needed: Scope) -> Scope:
    presented = _presented(request.headers.get("Authorization", ""))
    scope = None if presented is None else tokens.scope(presented)
    if scope is None:
        raise TokenRequired(
            "This server asks for a token.", hint="Set SWIFTCLAW_TOKEN, or send Authorization: Bearer TOKEN."
        )
    if not allows(scope, needed):
        raise TokenRequired(f"The token's scope is {scope}; this needs {needed}.")
    return scope


def _presented(authorization: str) -> str | None:
    """Return the token of a header: a program's `Bearer`, or the password of a browser's `Basic`, whose name may be any."""
    kind, _, given = authorization.partition(" ")
    match kind.lower():
        case "bearer":
            return given.strip()
        case "basic":
            try:
                return base64.b64decode(given.strip(), validate=True).decode("utf-8").partition(":")[2]
            except (binascii.Error, ValueError):
                return None
        case _:
            return None
