"""The nine event types, an event's bytes, and sequences."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftclaw_local.errors import InvalidInput, InvalidJson, UnknownEventType
from swiftclaw_local.events.catalog import (
    EVENT_TYPE_NAMES,
    EVENT_TYPES,
    check_event_type,
    check_event_types,
    sample_data,
)
from swiftclaw_local.events.event import encode_event, new_body
from swiftclaw_local.events.sequences import agent_run, deployment

CREATED = datetime.fromtimestamp(1709884800, UTC)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def test_the_pages_example_comes_out_byte_for_byte() -> None:
    data = {
        "agent": "my-agent",
        "request_id": "req_xyz789",
        "duration": 1250,
        "tokens_used": 450,
        "response": {"message": "Task completed successfully"},
    }
    expected = (
        b'{"id":"evt_abc123","type":"agent.completed","created":1709884800,"data":{"agent":"my-agent","request_id":"req_xyz789",'
        b'"duration":1250,"tokens_used":450,"response":{"message":"Task completed successfully"}}}'
    )
    assert encode_event(id="evt_abc123", type="agent.completed", created_at=CREATED, data=data) == expected
    assert sample_data("agent.completed", agent="my-agent", request_id="req_xyz789") == data


def test_the_types_are_the_pages_nine_in_its_order() -> None:
    assert EVENT_TYPE_NAMES == (
        "agent.invoked",
        "agent.completed",
        "agent.failed",
        "agent.timeout",
        "deployment.started",
        "deployment.completed",
        "deployment.failed",
        "system.maintenance",
        "system.incident",
    )
    assert {event_type.group for event_type in EVENT_TYPES} == {"agent", "deployment", "system"}


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_any_json_survives_as_utf8_and_in_the_pages_key_order(data: dict[str, Any]) -> None:
    body = new_body("evt_1", "agent.failed", created_at=CREATED, data=data)
    parsed = json.loads(body.decode("utf-8"))
    assert list(parsed) == ["id", "type", "created", "data"]
    assert parsed["data"] == data


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ({"n": 2**63}, "64 bits"),
        ({"n": -(2**63) - 1}, "64 bits"),
        ({"n": float("nan")}, "finite"),
        ({"n": [float("inf")]}, "finite"),
        ({"s": "\ud800"}, "surrogate"),
        ({"none": None, "n": float("-inf")}, "finite"),
        ({"\udfff": 1}, "surrogate"),
    ],
)
def test_json_that_receivers_could_not_read_is_refused(data: dict[str, Any], part: str) -> None:
    with pytest.raises(InvalidJson, match=part):
        new_body("evt_1", "agent.failed", created_at=CREATED, data=data)


def test_json_may_nest_64_levels_and_no_more() -> None:
    data: dict[str, Any] = {}
    for _ in range(63):
        data = {"d": data}
    new_body("evt_1", "agent.failed", created_at=CREATED, data=data)
    with pytest.raises(InvalidJson, match="64 levels"):
        new_body("evt_1", "agent.failed", created_at=CREATED, data={"d": data})


def test_lists_nest_as_deep_as_objects_do_and_no_deeper() -> None:
    nested: list[Any] = []
    for _ in range(62):
        nested = [nested]
    new_body("evt_1", "agent.failed", created_at=CREATED, data={"l": nested})
    with pytest.raises(InvalidJson, match="64 levels"):
        new_body("evt_1", "agent.failed", created_at=CREATED, data={"l": [nested]})


@pytest.mark.parametrize(
    "data",
    [
        {"rows": [{"n": n} for n in range(200)]},
        {"braces": "{[" * 200},
        {"digits": "1" * 40},
        {"n": 2**63 - 1},
        {"error": None},
    ],
    ids=["wide", "braces in text", "digits in text", "the greatest integer", "null"],
)
def test_what_only_looks_harmful_is_let_through(data: dict[str, Any]) -> None:
    body = new_body("evt_1", "agent.failed", created_at=CREATED, data=data)
    assert json.loads(body)["data"] == data


def test_endless_json_is_too_deep() -> None:
    data: dict[str, Any] = {}
    data["self"] = data
    with pytest.raises(InvalidJson, match="64 levels"):
        new_body("evt_1", "agent.failed", created_at=CREATED, data=data)


@pytest.mark.parametrize("id", ["", "a b", "é", "x" * 129, "a\n"])
def test_an_event_id_is_visible_ascii(id: str) -> None:
    with pytest.raises(InvalidInput):
        new_body(id, "agent.failed", created_at=CREATED, data={})


def test_a_mistyped_type_is_answered_with_the_closest_and_the_list() -> None:
    with pytest.raises(
        UnknownEventType,
        match=re.escape('Unknown event type "agent.complete" in --events. Did you mean "agent.completed"?'),
    ) as caught:
        check_event_type("agent.complete", field="--events")
    assert "deployment.*" in (caught.value.hint or "")


def test_types_of_a_webhook_come_once_and_in_the_pages_order() -> None:
    assert check_event_types(["agent.failed", "agent.invoked", "agent.failed"]) == ("agent.invoked", "agent.failed")
    with pytest.raises(InvalidInput, match="at least one"):
        check_event_types([])


@pytest.mark.parametrize("ending", ["completed", "failed", "timeout"])
def test_an_agent_run_keeps_its_request_id_and_ends_after_its_duration(ending: str) -> None:
    first, last = agent_run(agent="my-agent", ending=ending, request_id="req_1")
    assert (first.type, last.type) == ("agent.invoked", f"agent.{ending}")
    assert first.data["request_id"] == last.data["request_id"] == "req_1"
    assert last.after.total_seconds() * 1000 == last.data["duration"]
    assert first.after.total_seconds() == 0


def test_a_deployment_keeps_its_id_and_an_ending_it_does_not_have_is_refused() -> None:
    first, last = deployment(agent="my-agent", ending="failed", deployment_id="dpl_9")
    assert (first.type, last.type) == ("deployment.started", "deployment.failed")
    assert first.data["deployment_id"] == last.data["deployment_id"] == "dpl_9"
    with pytest.raises(InvalidInput, match="completed, failed"):
        deployment(agent="my-agent", ending="timeout", deployment_id="dpl_9")
