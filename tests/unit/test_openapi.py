"""The OpenAPI document says what the routes do."""

from __future__ import annotations

import json
from typing import Any

from swiftclaw_local.errors import every_error
from swiftclaw_local.server.openapi import document
from swiftclaw_local.server.routes import ROUTES

DOCUMENT: dict[str, Any] = json.loads(document(ROUTES, with_tokens=False))
OPERATIONS = [
    (path, method, operation) for path, item in DOCUMENT["paths"].items() for method, operation in item.items()
]


def references(value: Any) -> list[str]:
    """Return every $ref in a part of the document."""
    if isinstance(value, dict):
        return [value["$ref"]] if "$ref" in value else [ref for part in value.values() for ref in references(part)]
    return [ref for part in value for ref in references(part)] if isinstance(value, list) else []


def test_every_route_is_an_operation_with_a_name_of_its_own() -> None:
    assert {(route.path, route.method.lower()) for route in ROUTES} == {
        (path, method) for path, method, _ in OPERATIONS
    }
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert [name for _, _, operation in OPERATIONS if not (name := operation["summary"])] == []


def test_every_reference_leads_to_a_schema() -> None:
    found = {ref.removeprefix("#/components/schemas/") for ref in references(DOCUMENT)}
    assert found <= set(DOCUMENT["components"]["schemas"])
    assert {"WebhookCreate", "DeliveryOut", "ErrorOut"} <= found


def test_every_name_in_a_path_is_a_parameter() -> None:
    for path, _, operation in OPERATIONS:
        named = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}


def test_every_operation_tells_its_success_and_the_refusals_of_the_guard() -> None:
    for _, _, operation in OPERATIONS:
        statuses = set(operation["responses"])
        assert {"400", "403", "421", "503"} <= statuses
        assert {status for status in statuses if status.startswith("2")}


def test_errors_are_told_with_their_codes() -> None:
    emit = DOCUMENT["paths"]["/v1/agents/{agent}/events"]["post"]["responses"]
    assert "`event_id_taken`" in emit["409"]["description"]
    assert "`wait_timeout`" in emit["409"]["description"]
    assert emit["507"]["description"].startswith("`storage_full`")
    assert "401" not in emit
    codes = {error.code for error in every_error()}
    assert "event_id_taken" in codes


def test_with_tokens_each_operation_tells_its_scope_except_health() -> None:
    paths = json.loads(document(ROUTES, with_tokens=True))["paths"]
    assert paths["/_local/reset"]["post"]["security"] == [{"token": ["admin"]}]
    assert "401" in paths["/_local/reset"]["post"]["responses"]
    assert "security" not in paths["/healthz"]["get"]


def test_a_query_parameter_that_may_be_left_out_is_not_null() -> None:
    parameters = DOCUMENT["paths"]["/v1/deliveries"]["get"]["parameters"]
    told = {parameter["name"]: parameter["schema"] for parameter in parameters}
    assert told["limit"] == {"default": 20, "maximum": 500, "minimum": 1, "type": "integer"}
    assert told["state"]["enum"] == ["scheduled", "sending", "retrying", "delivered", "failed", "canceled"]
    assert "default" not in told["state"]
