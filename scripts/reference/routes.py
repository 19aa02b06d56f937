"""docs/reference/routes.md: every route of the API and the shape of what goes in and out, from its OpenAPI document."""

from __future__ import annotations

import json
from typing import Any

from scripts.reference.markdown import code, page, table
from swiftclaw_local.server.openapi import document
from swiftclaw_local.server.routes import ROUTES

Json = dict[str, Any]

INTRODUCTION = """
The server answers on `http://127.0.0.1:7420` unless told otherwise. Bodies are JSON, whatever their content type says, so `curl -d`
works. Routes under `/v1` are shaped as the platform's; those under `/_local` are this fake's own: nothing of SwiftClaw's has them.
The running server describes itself at `/openapi.json` (OpenAPI 3.1). Errors: [errors.md](errors.md).
"""
PAGE = "ListOut_"
PAGES_TOLD = """
A page is `{"data": [...], "next": ..., "total": ...}`: send `next` back as `cursor` for the page after it; null means that this was the last.
"""


def routes_page() -> str:
    """Return the page."""
    described = json.loads(document(ROUTES, with_tokens=False))
    blocks = [INTRODUCTION]
    for tag in dict.fromkeys(operation["tags"][0] for _, _, operation in _operations(described)):
        of_tag = [found for found in _operations(described) if found[2]["tags"][0] == tag]
        blocks += [f"## {tag.capitalize()}", _overview(of_tag), *(_details(*found) for found in of_tag)]
    blocks += [
        "## Shapes",
        *(_shape(name, schema) for name, schema in sorted(described["components"]["schemas"].items())),
    ]
    return page("Routes", *blocks)


def _operations(described: Json) -> list[tuple[str, str, Json]]:
    return [
        (method.upper(), path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def _overview(operations: list[tuple[str, str, Json]]) -> str:
    rows = [
        [code(f"{method} {path}"), operation["description"], _body(operation), _answers(operation)]
        for method, path, operation in operations
    ]
    return table(["route", "does", "takes", "answers"], rows)


def _details(method: str, path: str, operation: Json) -> str:
    """Return the query of a route that has one."""
    rows = [
        [code(parameter["name"]), _type(parameter["schema"]), parameter.get("description", "")]
        for parameter in operation["parameters"]
        if parameter["in"] != "path"
    ]
    return f"`{method} {path}` also takes:\n\n{table(['query or header', 'is', 'means'], rows)}" if rows else ""


def _body(operation: Json) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    return ", ".join(_type(media["schema"]) for media in content.values())


def _answers(operation: Json) -> str:
    """Return the statuses of success with what they carry, and the codes of the route's own errors."""
    good = [
        f"{status} {_carried(answer)}".strip() for status, answer in operation["responses"].items() if status < "400"
    ]
    return ", ".join(good)


def _carried(answer: Json) -> str:
    content = answer.get("content", {})
    streamed = next((media["x-message"] for media in content.values() if "x-message" in media), None)
    if streamed is not None:
        return f"{' or '.join(code(kind) for kind in content)}, each message one of {_type(streamed)}"
    return ", ".join(_type(media["schema"]) if "schema" in media else code(kind) for kind, media in content.items())


def _shape(name: str, schema: Json) -> str:
    """Return the fields of one model."""
    needed = schema.get("required", [])
    rows = [
        [code(field), _type(about), "yes" if field in needed else "", about.get("description", "")]
        for field, about in schema.get("properties", {}).items()
    ]
    told = schema.get("description", "")
    return "\n\n".join(
        part
        for part in (f"### {name}", told, table(["field", "is", "required", "means"], rows) if rows else "")
        if part
    )


def _carried_by(page_name: str) -> list[str]:
    """Return the shapes in a page: `ListOut_Union_A__B__` carries A and B."""
    inner = page_name.removeprefix(PAGE).removeprefix("Union_")
    return [name for name in inner.split("_") if name]


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _type(schema: Json) -> str:
    """Return a schema in a few words: a link to its shape, `string or null`, `list of …`."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name.startswith(PAGE):
            return f"page of {' or '.join(_link(part) for part in _carried_by(name))}"
        return _link(name)
    if "enum" in schema or "const" in schema:
        return " or ".join(code(json.dumps(value)) for value in schema.get("enum", [schema.get("const")]))
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(_type(arm) for arm in schema[key])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = schema.get("type", "anything")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
