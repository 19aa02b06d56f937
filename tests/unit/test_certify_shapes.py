"""The raw-body fingerprint: which of the seven shapes each usual mistake rejects, as it is documented."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from swiftclaw_local.certify.shapes import SHAPES, fingerprints, mistakes

OK, NO = True, False
EVENT: dict[str, Any] = {
    "id": "evt_cert1",
    "type": "agent.completed",
    "created": 1709884800,
    "data": {"agent": "my-agent", "duration": 1250, "response": {"message": "Done"}},
}


def stringify(body: bytes) -> bytes:
    """What JSON.stringify(JSON.parse(body)) is for these events: compact, not escaped, 1250 for 1250.0."""
    event = json.loads(body, parse_float=lambda text: int(float(text)))
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


TABLE: list[tuple[str, str, Callable[[bytes], bytes], tuple[bool, ...]]] = [
    ("the raw bytes", "", lambda body: body, (OK, OK, OK, OK, OK, OK, OK)),
    ("JSON.stringify(req.body)", "JSON.stringify()", stringify, (OK, NO, NO, OK, NO, NO, NO)),
    (
        "json.dumps(event)",
        "Python's json.dumps()",
        lambda body: json.dumps(json.loads(body)).encode(),
        (NO, OK, NO, NO, NO, NO, NO),
    ),
    (
        'json.dumps(event, separators=(",",":"))',
        'Python\'s json.dumps(separators=(",", ":"))',
        lambda body: json.dumps(json.loads(body), separators=(",", ":")).encode(),
        (OK, NO, NO, NO, OK, OK, NO),
    ),
    (
        "the same with ensure_ascii=False",
        'Python\'s json.dumps(separators=(",", ":"), ensure_ascii=False)',
        lambda body: json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False).encode(),
        (OK, NO, NO, OK, NO, OK, NO),
    ),
    ("body.strip()", "the white space around it is taken off", bytes.strip, (OK, OK, OK, OK, OK, OK, NO)),
    (
        'body.decode("ascii", errors="ignore")',
        "it is read as ASCII and what is not ASCII is left out",
        lambda body: body.decode("ascii", errors="ignore").encode(),
        (OK, OK, OK, NO, OK, OK, OK),
    ),
]


def test_the_shapes_are_seven_bodies_of_json_that_differ() -> None:
    bodies = [shape.write(EVENT) for shape in SHAPES]
    assert [shape.name for shape in SHAPES] == [
        "compact",
        "spaced",
        "pretty",
        "utf-8",
        "\\u-escaped",
        "1250.0",
        "trailing \\n",
    ]
    assert len(set(bodies)) == 7
    assert {json.loads(body)["id"] for body in bodies} == {"evt_cert1"}


@pytest.mark.parametrize(("_name", "_how", "hashes", "accepted"), TABLE, ids=[row[0] for row in TABLE])
def test_a_receiver_with_this_mistake_accepts_these_shapes(
    _name: str, _how: str, hashes: Callable[[bytes], bytes], accepted: tuple[bool, ...]
) -> None:
    """The mistake itself is made here, with code of its own: the table must say of it what it does."""
    bodies = [shape.write(EVENT) for shape in SHAPES]
    assert tuple(hashes(body) == body for body in bodies) == accepted


@pytest.mark.parametrize(("_name", "how", "_hashes", "accepted"), TABLE[1:], ids=[row[0] for row in TABLE[1:]])
def test_its_fingerprint_names_the_mistake_first(
    _name: str, how: str, _hashes: Callable[[bytes], bytes], accepted: tuple[bool, ...]
) -> None:
    assert fingerprints()[how] == accepted
    assert mistakes(accepted)[0] == how


@pytest.mark.parametrize("accepted", [(OK,) * 7, (NO,) * 7, (NO, NO, NO, OK, OK, OK, OK)])
def test_right_receivers_and_strange_patterns_are_named_nothing(accepted: tuple[bool, ...]) -> None:
    assert mistakes(accepted) == []


def test_php_is_told_from_python_by_its_slash() -> None:
    assert mistakes((OK, NO, NO, NO, NO, OK, NO)) == ["PHP's json_encode()"]
