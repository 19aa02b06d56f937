"""Every answer that is not a success, in one shape: `{"error": {"code", "message", "hint", "field", "docs"}, …extras}`.

What is not an error of ours is logged with its traceback and answered with 500, without it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from swiftclaw_local import logs
from swiftclaw_local.errors import InvalidInput, MethodNotAllowed, SwiftclawError, UnknownRoute
from swiftclaw_local.logs import Log
from swiftclaw_local.server.adapter import JSON, SAFE_HEADERS

Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer_errors(log: Log) -> Middleware:
    """Return the outermost middleware, which turns every exception into an answer."""

    @web.middleware
    async def middleware(request: web.Request, handler: Next) -> web.StreamResponse:
        try:
            return await handler(request)
        except SwiftclawError as error:
            if error.http_status == 500:
                log.error(logs.REQUEST_FAILED, method=request.method, path=request.path, exc_info=error)
            return error_answer(error)
        except web.HTTPException as error:
            return _http_answer(request, error)
        except Exception as error:  # the outermost edge: whatever it was, it was committed as a whole or not at all
            log.error(logs.REQUEST_FAILED, method=request.method, path=request.path, exc_info=error)
            return error_answer(
                SwiftclawError("Something went wrong inside SwiftClaw local.", hint="The server's log has the details.")
            )

    return middleware


def error_answer(error: SwiftclawError) -> web.Response:
    """Return an error as an answer."""
    told = {"code": error.code, "message": error.message, "hint": error.hint, "field": error.field, "docs": None}
    # escaped to ASCII: what was wrong with the input may be that it is not text
    body = json.dumps({"error": told, **error.extra}).encode("ascii")
    answer = web.Response(status=error.http_status, body=body, headers={"Content-Type": JSON, **SAFE_HEADERS})
    if error.http_status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _http_answer(request: web.Request, error: web.HTTPException) -> web.Response:
    """Return what aiohttp itself refused, in our shape."""
    match error:
        case web.HTTPNotFound():
            hint = "All routes: GET /openapi.json"
            return error_answer(UnknownRoute(f"The API has no route {request.path[:200]}.", hint=hint))
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            answer = error_answer(MethodNotAllowed(f"{request.path[:200]} takes {allowed}, not {request.method[:20]}."))
            answer.headers["Allow"] = allowed
            return answer
        case _:
            answer = error_answer(InvalidInput(error.reason))
            answer.set_status(error.status)
            return answer
