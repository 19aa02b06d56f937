"""Puts the API and the console together: every route behind the guard, every error in one shape, the OpenAPI document of it all."""

from __future__ import annotations

from aiohttp import web

from swiftclaw_local import logs
from swiftclaw_local.logs import Log
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.adapter import Scope, aiohttp_handler
from swiftclaw_local.server.console.mount import Console
from swiftclaw_local.server.error_answers import answer_errors
from swiftclaw_local.server.guard import Guard
from swiftclaw_local.server.json_body import MAX_BODY
from swiftclaw_local.server.openapi import document
from swiftclaw_local.server.routes import ROUTES
from swiftclaw_local.server.routes.health import DOCUMENT
from swiftclaw_local.server.routes.stream import STREAM
from swiftclaw_local.server.stream import Stream
from swiftclaw_local.server.tokens import read_tokens


def make_app(platform: Platform, *, log: Log | None = None) -> web.Application:
    """Return the API of a platform, and its console unless the settings leave it out. Raises: SetupError when the token file cannot be used."""
    settings = platform.settings
    tokens = None if settings.token_file is None else read_tokens(settings.token_file)
    guard = Guard(names=settings.api_host, tokens=tokens)
    scopes: dict[web.AbstractRoute, Scope] = {}
    console = None if settings.no_console else Console(platform)
    outer = [answer_errors(log or logs.logger())] + ([] if console is None else [console.errors()])
    app = web.Application(middlewares=[*outer, guard.middleware(scopes)], client_max_size=MAX_BODY)
    # aiohttp tries routes of one beginning in their order: those that emit are called a thousand times as often as others.
    for route in sorted(ROUTES, key=lambda route: route.scope != "emit"):
        added = app.router.add_route(route.method, _pattern(route.path), aiohttp_handler(route, platform))
        scopes[added] = route.scope
    for method, path, answering, scope in [] if console is None else console.routes():
        scopes[app.router.add_route(method, path, answering)] = scope
    app[DOCUMENT] = document(ROUTES, with_tokens=tokens is not None)
    stream = app[STREAM] = Stream(platform, log=log or logs.logger())

    async def end_streams(_: web.Application) -> None:
        await stream.close()

    app.on_shutdown.append(end_streams)
    return app


def _pattern(path: str) -> str:
    """Return a path as aiohttp matches it: /v1/alerts/history is no alert, so that only its own methods are allowed there."""
    return path.replace("{alert_id}", "{alert_id:(?!history$)[^/]+}")
