"""Turns typed functions into routes of aiohttp.web: reads path, query, header and body into the models they ask for.

A handler is an async function of what it names: `platform`; the names in its path; `query` and `body`, of the model they
are annotated with; `idempotency_key` and `last_event_id`; `request`. The same annotations make the OpenAPI document. What a route does is
not known here, nor who may call it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, Literal, get_args, get_type_hints

from aiohttp import web
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from swiftclaw_local.errors import InvalidInput, SwiftclawError
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.json_body import read_json_object

Scope = Literal["open", "read", "emit", "manage", "admin"]
Handler = Callable[..., Awaitable[Any]]

JSON: Final = "application/json"
# Nothing is kept by a browser, and nothing is taken for what it is not.
SAFE_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
HEADERS: Final = {"idempotency_key": "Idempotency-Key", "last_event_id": "Last-Event-ID"}
_MORE_WORDS: Final = {
    "missing": "it is required",
    "string_type": "write a string",
    "int_type": "write a whole number",
    "bool_type": "write true or false",
    "dict_type": "write an object",
    "list_type": "write a list",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose status or form is decided by the handler; `body` is a model, or bytes sent as they are, whole or as they come."""

    status: int
    body: BaseModel | bytes | AsyncIterator[bytes] | None = None
    content_type: str = JSON


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer without an end, which its handler sends: one of these content types, each message shaped as one of the models."""

    content_types: tuple[str, ...]
    messages: tuple[type[BaseModel], ...]


@dataclass(frozen=True, slots=True)
class Route:
    """One route: its handler, the scope a token needs for it, and for the OpenAPI document its answers and errors.

    The first of `answers` is the status of a plain model; a text instead of a model is the content type of raw bytes.
    `takes` is the content type of a body that the handler itself reads from the request.
    """

    method: str
    path: str
    handle: Handler
    scope: Scope
    answers: Mapping[int, type[BaseModel] | str | Streamed | None]
    errors: tuple[type[SwiftclawError], ...] = ()
    takes: str | None = None
    query: type[BaseModel] | None = field(init=False)
    body: type[BaseModel] | None = field(init=False)
    headers: tuple[str, ...] = field(init=False)
    names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Look at what the handler asks for."""
        hints = get_type_hints(self.handle)
        names = frozenset(inspect.signature(self.handle).parameters)
        object.__setattr__(self, "query", hints.get("query"))
        object.__setattr__(self, "body", hints.get("body"))
        object.__setattr__(self, "headers", tuple(name for name in HEADERS if name in names))
        object.__setattr__(self, "names", names)

    @property
    def path_names(self) -> list[str]:
        """The names in the path, in order."""
        return re.findall(r"{(\w+)}", self.path)


def aiohttp_handler(route: Route, platform: Platform) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return what aiohttp calls for this route."""
    status = next(iter(route.answers))

    async def handle(request: web.Request) -> web.StreamResponse:
        given = await _arguments(route, platform, request)
        answer = await route.handle(**given)
        if isinstance(answer, web.StreamResponse):
            return answer
        if isinstance(answer, Answer) and isinstance(answer.body, AsyncIterator):
            return await _streamed(request, answer, answer.body)
        return response(answer if isinstance(answer, Answer) else Answer(status, answer))

    return handle


async def _streamed(request: web.Request, answer: Answer, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
    """Send an answer as its pieces come. What goes wrong before the first one is still an error answer; later, the answer breaks off."""
    first = await anext(pieces, b"")
    sent = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type, **SAFE_HEADERS})
    await sent.prepare(request)
    await sent.write(first)
    try:
        async for piece in pieces:
            await sent.write(piece)
    except SwiftclawError:
        if request.transport is not None:
            request.transport.abort()  # without the end of the chunks, nobody takes it for all
        raise
    await sent.write_eof()
    return sent


def response(answer: Answer) -> web.Response:
    """Return the answer as aiohttp sends it."""
    body = answer.body
    assert not isinstance(body, AsyncIterator)
    if body is None:
        return web.Response(status=answer.status)
    sent = body.__pydantic_serializer__.to_json(body) if isinstance(body, BaseModel) else body
    return web.Response(status=answer.status, body=sent, headers={"Content-Type": answer.content_type, **SAFE_HEADERS})


async def _arguments(route: Route, platform: Platform, request: web.Request) -> dict[str, Any]:
    """Return what the handler asks for. Raises: InvalidInput and its kind, naming the field."""
    given: dict[str, Any] = dict(request.match_info)
    if "platform" in route.names:
        given["platform"] = platform
    if "request" in route.names:
        given["request"] = request
    if request.query_string:
        given |= _query(route, request)
    elif route.query is not None:
        given["query"] = _empty_query(route.query)
    for name in route.headers:
        given[name] = request.headers.get(HEADERS[name])
    if route.body is not None:
        given["body"] = validated(route.body, await read_json_object(request), where="the body")
    return given


@cache  # one for each model; nobody changes what was asked for
def _empty_query(model: type[BaseModel]) -> BaseModel:
    return validated(model, {}, where="the query", strict=False)


def _query(route: Route, request: web.Request) -> dict[str, Any]:
    names = [name for name, _ in request.query.items()]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(f'"{twice[:80]}" is given twice in the query.', field=twice[:80])
    if route.query is None:
        raise InvalidInput(
            f'This route takes no query; it got "{names[0][:80] if names else request.query_string[:80]}".'
        )
    return {"query": validated(route.query, dict(request.query), where="the query", strict=False)}


def validated(model: type[BaseModel], given: dict[str, Any], *, where: str, strict: bool = True) -> BaseModel:
    """Return what was given as the model. Raises: InvalidInput, naming the first field that is wrong, and `where`."""
    try:
        return model.model_validate(given, strict=strict)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        # a name that is not known explains the one that is missing
        problems.sort(key=lambda problem: problem["type"] != "extra_forbidden")
        raise _invalid(problems[0], model, where=where) from None


def _invalid(problem: ErrorDetails, model: type[BaseModel], *, where: str) -> InvalidInput:
    """Return the first problem in words, with the field's name."""
    name = _name([part for part in problem["loc"] if not (isinstance(part, str) and part in _UNION_ARMS)])
    match problem["type"]:
        case "extra_forbidden":
            fields = _fields_at(model, problem["loc"][:-1])
            close = get_close_matches(str(problem["loc"][-1]), fields, n=1)
            guess = f' Did you mean "{close[0]}"?' if close else ""
            known = ", ".join(fields)
            text = f'There is no "{name[:80]}" in {where}.{guess}'
            return InvalidInput(text, hint=f"It takes: {known}" if known else "It takes nothing.", field=name[:80])
        case kind if kind in _MORE_WORDS:
            return InvalidInput(f'"{name}" in {where}: {_MORE_WORDS[kind]}.', field=name)
        case _:
            told = problem["msg"].removeprefix("Value error, ")
            return InvalidInput(f'"{name}" in {where}: {told[:1].lower()}{told[1:].rstrip(".")}.', field=name)


def _fields_at(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Return the names that the object at a place inside a model takes."""
    for name in place:
        field = model.model_fields.get(str(name))
        inside = [] if field is None else [field.annotation, *get_args(field.annotation)]
        model = next((one for one in inside if isinstance(one, type) and issubclass(one, BaseModel)), model)
    return list(model.model_fields)


_UNION_ARMS: Final = frozenset(
    {"int", "float", "str"}
)  # pydantic names the arm of a union that failed; people do not care


def _name(parts: list[int | str]) -> str:
    """Return `events[1]` or `data.x`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")
