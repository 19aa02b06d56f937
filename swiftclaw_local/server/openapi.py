"""The OpenAPI 3.1 document, made from the routes themselves: what is not declared there is not in here."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from swiftclaw_local import __version__
from swiftclaw_local.errors import (
    BodyTooLarge,
    ForeignRequest,
    InvalidInput,
    StorageUnavailable,
    SwiftclawError,
    TokenRequired,
    UnknownRoute,
    WrongHost,
)
from swiftclaw_local.server.adapter import HEADERS, JSON, Route, Streamed
from swiftclaw_local.server.models import ErrorOut
from swiftclaw_local.server.written import AGENT_PATTERN

Json = dict[str, Any]

_REF: Final = "#/components/schemas/{model}"
# OpenAPI 3.1 has no word for the shape of one message of a stream.
_MESSAGE: Final = "x-message"
_ANY_ROUTE: Final = (InvalidInput, ForeignRequest, WrongHost, StorageUnavailable, SwiftclawError)

PATH_PARAMETERS: Final[dict[str, Json]] = {
    "agent": {"schema": {"type": "string", "pattern": AGENT_PATTERN}, "example": "my-agent"},
    "webhook_id": {"schema": {"type": "string", "pattern": "^webhook-[0-9]{1,15}$"}, "example": "webhook-123"},
    "alert_id": {"schema": {"type": "string", "pattern": "^alert-[0-9]{1,15}$"}, "example": "alert-1"},
    "report_id": {"schema": {"type": "string", "pattern": "^crt_[0-9]{1,15}$"}, "example": "crt_1"},
    "fault_id": {"schema": {"type": "string", "pattern": "^fault-[0-9]{1,15}$"}, "example": "fault-1"},
    "replay_id": {"schema": {"type": "string", "pattern": "^rpl_[0-9]{1,15}$"}, "example": "rpl_1"},
    "delivery_id": {
        "schema": {"type": "string", "pattern": "^[@a-z0-9_-]{1,64}$"},
        "description": "The id, its beginning or ending if only one delivery has it, `@last`, or `@last-failed`.",
    },
    "event_id": {
        "schema": {"type": "string", "pattern": "^[@A-Za-z0-9_-]{1,128}$"},
        "description": "The id, its beginning or ending if only one event has it, or `@last`.",
    },
}
HEADER_PARAMETERS: Final[dict[str, Json]] = {
    "idempotency_key": {
        "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
        "description": "The event's id, where the body gives none: the same again is the same event.",
    },
    "last_event_id": {
        "schema": {"type": "string", "pattern": "^([0-9]{1,18}-(0|[0-9a-z]{26}))?$"},
        "description": "The id of the last message that arrived: what came after it is sent first.",
    },
}


def document(routes: Sequence[Route], *, with_tokens: bool) -> bytes:
    """Return the document as JSON."""
    refs, schemas = _schemas(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        operation = _operation(route, refs, with_tokens=with_tokens)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    components: Json = {"schemas": schemas}
    written: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "SwiftClaw local",
            "version": __version__,
            "description": "A fake SwiftClaw for developing and testing webhook receivers. "
            "Routes under /v1 are shaped as the platform's; those under /_local are this fake's own.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": components,
    }
    if with_tokens:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return json.dumps(written).encode("ascii")


def _operation(route: Route, refs: dict[type[BaseModel], Json], *, with_tokens: bool) -> Json:
    needs_token = with_tokens and route.scope != "open"
    told = (inspect.getdoc(route.handle) or "").partition("\n\n")[0].replace("\n", " ")
    operation: Json = {
        "operationId": route.handle.__name__,
        "tags": [route.handle.__module__.rpartition(".")[2]],
        "summary": told.partition(". ")[0].rstrip("."),
        "description": told,
        "parameters": [*_path(route), *_query(route), *_headers(route)],
        "responses": _answers(route, refs) | _errors(route, with_tokens=needs_token),
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": any(field.is_required() for field in route.body.model_fields.values()),
            "content": {JSON: {"schema": refs[route.body]}},
        }
    if route.takes is not None:
        schema = {"type": "string", "minLength": 1}
        operation["requestBody"] = {"required": True, "content": {route.takes: {"schema": schema}}}
    if needs_token:
        operation["security"] = [{"token": [route.scope]}]
    return operation


def _path(route: Route) -> list[Json]:
    return [{"name": name, "in": "path", "required": True, **PATH_PARAMETERS[name]} for name in route.path_names]


def _query(route: Route) -> list[Json]:
    if route.query is None:
        return []
    properties = route.query.model_json_schema()["properties"]
    return [_query_parameter(name, schema) for name, schema in properties.items()]


def _query_parameter(name: str, schema: Json) -> Json:
    """Return a parameter; one that may be left out is never null in a query, whatever the model says."""
    arms = [arm for arm in schema.pop("anyOf", []) if arm != {"type": "null"}]
    whole = (arms[0] if arms else {}) | schema
    told = {key: whole.pop(key) for key in ("description",) if key in whole}
    whole.pop("title", None)
    if whole.get("default", ...) is None:
        whole.pop("default")
    return {"name": name, "in": "query", "schema": whole, **told}


def _headers(route: Route) -> list[Json]:
    return [{"name": HEADERS[name], "in": "header", **HEADER_PARAMETERS[name]} for name in route.headers]


def _answers(route: Route, refs: dict[type[BaseModel], Json]) -> Json:
    answers: Json = {}
    for status, body in route.answers.items():
        answer: Json = {"description": "Done." if body is None else "The answer."}
        if isinstance(body, Streamed):
            one_of = {"oneOf": [refs[message] for message in body.messages]}
            answer["description"] = "Messages, one after the other, until one of the two sides has enough."
            answer["content"] = {kind: {"schema": {"type": "string"}, _MESSAGE: one_of} for kind in body.content_types}
        elif isinstance(body, str):
            answer["content"] = {body: {} if body == JSON else {"schema": {"type": "string"}}}
        elif body is not None:
            answer["content"] = {JSON: {"schema": refs[body]}}
        answers[str(status)] = answer
    return answers


def _errors(route: Route, *, with_tokens: bool) -> Json:
    """Return the errors by status, each with its codes and what they mean."""
    errors: list[type[SwiftclawError]] = [*route.errors, *_ANY_ROUTE]
    errors += [UnknownRoute] if route.path_names else []
    errors += [BodyTooLarge] if route.body is not None or route.takes is not None else []
    errors += [TokenRequired] if with_tokens else []
    by_status: dict[int, list[type[SwiftclawError]]] = {}
    for error in dict.fromkeys(errors):
        by_status.setdefault(error.http_status, []).append(error)
    schema = {"schema": {"$ref": _REF.format(model=ErrorOut.__name__)}}
    return {
        str(status): {"description": _told(kinds), "content": {JSON: schema}}
        for status, kinds in sorted(by_status.items())
        if status not in route.answers
    }


def _told(errors: Iterable[type[SwiftclawError]]) -> str:
    return " ".join(f"`{error.code}`: {(error.__doc__ or '').strip().splitlines()[0]}" for error in errors)


def _schemas(routes: Sequence[Route]) -> tuple[dict[type[BaseModel], Json], Json]:
    """Return a reference for each model, and the schemas they point to."""
    into = {route.body for route in routes if route.body is not None}
    answers = [body for route in routes for body in route.answers.values()]
    out = {body for body in answers if isinstance(body, type)}
    out |= {message for body in answers if isinstance(body, Streamed) for message in body.messages}
    refs, found = models_json_schema(
        [(model, "validation") for model in sorted(into | out | {ErrorOut}, key=lambda model: model.__name__)],
        ref_template=_REF,
    )
    return {model: ref for (model, _), ref in refs.items() if issubclass(model, BaseModel)}, found["$defs"]
