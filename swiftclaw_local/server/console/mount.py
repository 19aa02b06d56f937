"""Mounts the console on the API's application: each page with its `.json` twin, each action, the files, and errors as pages."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from swiftclaw_local.errors import MethodNotAllowed, SwiftclawError, UnknownRoute
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.adapter import JSON, SAFE_HEADERS, Answer, Scope, response
from swiftclaw_local.server.console.assets import PREFIX, Assets
from swiftclaw_local.server.console.forms import arguments
from swiftclaw_local.server.console.frame import Site, frame_of
from swiftclaw_local.server.console.notes import Note, Notes
from swiftclaw_local.server.console.page import Action, Asks, Page, Shown, Went
from swiftclaw_local.server.console.pages import ACTIONS, PAGES
from swiftclaw_local.server.console.pages.icon import show_icon
from swiftclaw_local.server.console.rendering import Renderer

_API: Final = ("/v1/", "/_local/")
Next = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Console:
    """The console of one platform."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._assets = Assets()
        self._renderer = Renderer(self._assets)
        self._notes = Notes()
        self._site = Site(PAGES, ACTIONS)

    def routes(self) -> list[tuple[str, str, Answering, Scope]]:
        """Return (method, path, what answers it, scope) of every route."""
        found: list[tuple[str, str, Answering, Scope]] = []
        # twins first: a name in a path would otherwise take the ending with it
        found += [("GET", page.twin_path, self._twin(page), page.scope) for page in PAGES if page.twin]
        found += [("GET", page.path, self._page(page), page.scope) for page in PAGES]
        found += [("POST", action.path, self._action(action), action.scope) for action in ACTIONS]
        found.append(("GET", PREFIX + "{name}", self._assets.handle, "read"))
        found.append(("GET", "/favicon.svg", show_icon, "read"))
        return found

    def errors(self) -> Middleware:
        """Return the middleware that shows errors as pages to whoever asks for a page."""

        @web.middleware
        async def middleware(request: web.Request, handler: Next) -> web.StreamResponse:
            try:
                return await handler(request)
            except SwiftclawError as error:
                return self._refused(request, error)
            except web.HTTPNotFound:
                return self._refused(request, UnknownRoute(f"There is no page {request.path[:200]}."))
            except web.HTTPMethodNotAllowed as error:
                if not _reads_html(request):
                    raise
                allowed = ", ".join(sorted(error.allowed_methods))
                answer = self._refused(request, MethodNotAllowed(f"{request.path[:200]} takes {allowed} only."))
                answer.headers["Allow"] = allowed
                return answer

        return middleware

    def _refused(self, request: web.Request, error: SwiftclawError) -> web.StreamResponse:
        if not _reads_html(request):
            raise error
        answer = self._renderer.error(error, request)
        if error.http_status == 401:  # a browser asks for it, and sends it with everything from then on
            answer.headers["WWW-Authenticate"] = 'Basic realm="SwiftClaw local: any name, and a token as the password"'
        return answer

    def _page(self, page: Page) -> Answering:
        asks = Asks.of(page.handle)

        async def answer(request: web.Request) -> web.StreamResponse:
            shown = await page.handle(**await arguments(asks, self._platform, request))
            return await self._html(request, shown) if isinstance(shown, Shown) else _response(shown)

        return answer

    def _twin(self, page: Page) -> Answering:
        asks = Asks.of(page.handle)

        async def answer(request: web.Request) -> web.StreamResponse:
            shown = await page.handle(**await arguments(asks, self._platform, request))
            return response(Answer(shown.status, shown.data)) if isinstance(shown, Shown) else _response(shown)

        return answer

    def _action(self, action: Action) -> Answering:
        asks = Asks.of(action.handle)

        async def answer(request: web.Request) -> web.StreamResponse:
            went = await action.handle(**await arguments(asks, self._platform, request))
            if isinstance(went, Shown):
                return await self._html(request, went)
            return self._go(request, went) if isinstance(went, Went) else _response(went)

        return answer

    async def _html(self, request: web.Request, shown: Shown) -> web.StreamResponse:
        note = None if shown.part else self._notes.take(request.query.get("said"))
        frame = await frame_of(self._platform, request, site=self._site, note=note)
        return self._renderer.page(shown, frame)

    def _go(self, request: web.Request, went: Went) -> web.StreamResponse:
        """Send the browser on, with what there is to say; tell a script, which stays where it is, in JSON."""
        if not _reads_html(request):
            data = None if went.data is None else went.data.model_dump(mode="json")
            told = {"said": went.said, "tone": went.tone, "to": went.to, "data": data}
            return web.Response(body=json.dumps(told).encode(), headers={"Content-Type": JSON, **SAFE_HEADERS})
        name = self._notes.keep(Note(went.said, went.tone)) if went.said else None
        address, hash_mark, place = went.to.partition("#")
        mark = "&" if "?" in address else "?"
        to = address if name is None else f"{address}{mark}said={name}"
        return web.Response(status=303, headers={"Location": to + hash_mark + place, **SAFE_HEADERS})


def _response(answer: object) -> web.StreamResponse:
    assert isinstance(answer, web.StreamResponse)
    return answer


def _reads_html(request: web.Request) -> bool:
    """Return whether a browser asks for a page."""
    return "text/html" in request.headers.get("Accept", "") and not request.path.startswith(_API)
