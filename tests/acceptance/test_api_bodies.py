"""What comes in as a body: JSON whatever its type says, and nothing else; thousands of hostile ones change nothing."""

from __future__ import annotations

import io
import random

import pytest

from tests.acceptance.api import Api

EVENTS = "/v1/agents/my-agent/events"


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({}, b"x" * (1024 * 1024 + 1), 413, "body_too_large"),
        ({"Content-Encoding": "gzip"}, b"\x1f\x8b", 400, "invalid_input"),
        ({"Content-Type": "application/json; charset=utf-16"}, '{"a":1}'.encode("utf-16"), 400, "invalid_json"),
        ({"Content-Type": "text/plain"}, b'{"type":"agent.failed","id":"evt\\u0000"}', 400, "invalid_input"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--", 400, "invalid_json"),
        ({}, b'{"type":"agent.failed","data":[]}', 400, "invalid_input"),
        ({}, b'{"type":"agent.failed","type":"agent.failed"}', 400, "invalid_json"),
        ({}, b'{"type":"agent.failed","created":-1}', 400, "invalid_input"),
    ],
)
async def test_a_body_that_is_not_what_is_asked_for_is_refused(
    api: Api, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    async with api.client.post(EVENTS, data=io.BytesIO(body), headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (status, code)
    assert (await api.get("/v1/events"))[1]["data"] == []


@pytest.mark.parametrize(
    "kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", "x/y; charset=z"]
)
async def test_a_body_is_json_whatever_its_content_type_says(api: Api, kind: str) -> None:
    async with api.client.post(EVENTS, data=b'{"type":"agent.failed"}', headers={"Content-Type": kind}) as answer:
        assert answer.status == 202


async def test_a_nul_a_huge_number_and_a_deep_nest_inside_data_reach_the_receiver_or_are_refused(api: Api) -> None:
    await api.webhook()
    await api.emitted(data={"text": "a\x00b", "n": 2**63 - 1, "deep": [[[[]]]]})
    assert b'"text":"a\\u0000b"' in api.receiver.received[0].body
    deep: list[object] = []
    for _ in range(64):
        deep = [deep]
    assert (await api.post(EVENTS, {"type": "agent.failed", "data": {"deep": deep}}))[0] == 400


async def test_hostile_bodies_at_every_route_are_answered_with_4xx_and_change_nothing(api: Api) -> None:
    seeded = random.Random(11)
    routes = [
        ("POST", EVENTS),
        ("POST", "/v1/agents/my-agent/webhooks"),
        ("POST", "/v1/alerts"),
        ("POST", "/_local/verify"),
    ]
    routes += [("PATCH", "/v1/agents/my-agent/webhooks/webhook-123"), ("POST", "/_local/clock/to")]
    pieces = [b"{", b"}", b"[", b"]", b'"', b"\\u", b'"\\ud800"', b"\\", b":", b",", b"1e999", b"NaN", b"\x00", b"\xff"]
    pieces += [b'{"type":', b'"agent.failed"', b'{"url":', b"9" * 25, b'"to":', b"null", b"[" * 100, b"-"]
    for number in range(600):
        method, path = routes[number % len(routes)]
        body = b"".join(seeded.choices(pieces, k=seeded.randint(1, 10)))
        status, answer = await api.call(method, path, body)
        assert (400 <= status <= 499, answer["error"]["message"] != "") == (True, True), (path, body)
    counts = await api.platform.reads.counts()
    assert (counts["webhooks"], counts["events"]) == (0, 0)
