"""Reads the query and the form of a request into the models that a page or an action asks for."""

from __future__ import annotations

from typing import Any, Final, get_origin
from urllib.parse import parse_qsl

from aiohttp import web
from pydantic import BaseModel

from swiftclaw_local.errors import BodyTooLarge, InvalidInput
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.adapter import validated
from swiftclaw_local.server.console.page import Asks
from swiftclaw_local.server.json_body import MAX_BODY

FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 2_000
# what a hidden field or a script adds for itself, and no model knows
_OURS: Final = ("said",)


async def arguments(asks: Asks, platform: Platform, request: web.Request) -> dict[str, Any]:
    """Return what a page or an action asks for. Raises: InvalidInput and its kind, naming the field."""
    given: dict[str, Any] = dict(request.match_info)
    if "platform" in asks.names:
        given["platform"] = platform
    if "request" in asks.names:
        given["request"] = request
    if asks.query is not None:
        # a form that filters sends its empty fields, too: they ask for nothing
        pairs = [(name, value) for name, value in request.query.items() if value != "" and name not in _OURS]
        given["query"] = _model(asks.query, pairs, where="the address")
    if asks.form is not None:
        given["form"] = _model(asks.form, await _pairs(request), where="the form")
    return given


async def _pairs(request: web.Request) -> list[tuple[str, str]]:
    """Return the fields of a form. Raises: InvalidInput, BodyTooLarge."""
    if request.content_type != FORM:
        raise InvalidInput(f"This takes a form ({FORM}).", hint="Programs have the API: /openapi.json")
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise BodyTooLarge(f"The form is larger than {MAX_BODY} bytes.") from None
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:  # UnicodeDecodeError is one, too
        raise InvalidInput("The form cannot be read.") from None
    # a browser ends the lines of a text with CR LF, whatever was typed
    return [(name, value.replace("\r\n", "\n")) for name, value in pairs]


def _model(model: type[BaseModel], pairs: list[tuple[str, str]], *, where: str) -> BaseModel:
    many = {name for name, field in model.model_fields.items() if get_origin(field.annotation) in (list, tuple)}
    given: dict[str, Any] = {}
    for name, value in pairs:
        if name in many:
            given.setdefault(name, []).append(value)
        elif name in given:
            raise InvalidInput(f'"{name[:80]}" is given twice in {where}.', field=name[:80])
        else:
            given[name] = value
    return validated(model, given, where=where, strict=False)
