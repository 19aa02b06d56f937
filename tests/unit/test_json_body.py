"""JSON is read strictly: what receivers could read differently is refused, with what is wrong and where."""

from __future__ import annotations

import json
import random
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swiftclaw_local.errors import InvalidJson
from swiftclaw_local.events.sendable import MAX_DEPTH
from swiftclaw_local.server.json_body import parse_json, parse_json_object

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


@given(VALUES)
@settings(max_examples=300)
def test_what_is_json_everywhere_is_read_as_it_is(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize("raw", [b"", b"  \n", b"{}"])
def test_an_empty_body_is_an_empty_object(raw: bytes) -> None:
    assert parse_json_object(raw) == {}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"a": 1,}', "line 1, column "),  # which one differs between versions of Python
        (b'{"a":\n  tru}', "line 2, column 3"),
        (b"{'a': 1}", "line 1, column 2"),
        (b'{"a": 1} x', "line 1, column 10: Extra data"),
        (b'{"a": "\x01"}', "column 8: Invalid control character"),
        (b'{"a": 01}', "column 8"),
        (b'{"a": .5}', "column 7"),
        (b'{"a": 0x10}', "column 8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a": NaN}', "NaN is not JSON."),
        (b'{"a": -Infinity}', "-Infinity is not JSON."),
        (b'{"a": 1e999}', "The number 1e999 is larger"),
        (b'{"a": -1e999}', "The number -1e999 is larger"),
        (b'{"a": 9223372036854775808}', "The integer 9223372036854775808 does not fit"),
        (b'{"a": -9223372036854775809}', "does not fit"),
        (b'{"a": ' + b"9" * 5000 + b"}", "does not fit"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', 'The key "c" appears twice'),
        (b'{"a": {"b": ["x", "\\ud800"]}}', "at a.b[1], which is not text"),
        (b'{"a": {"\\udfff": 1}}', "at a key of a, which is not text"),
        (b'{"\\udfff": 1}', "at a key of the object"),
        (b'{"a": "\xff"}', "The body is not UTF-8: byte 7 is 0xff."),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8: byte 0 is 0xff"),
        (b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}", "nests deeper than 64 levels, at a[0][0]"),
        (b"[" * 500_000, "nests deeper than 64 levels"),
        (b'{"a":' * 200_000, "nests deeper than 64 levels"),
        (b"[]", "The body is a list."),
        (b'"x"', "The body is a string."),
        (b"null", "The body is null."),
        (b"true", "The body is true or false."),
        (b"5", "The body is a number."),
    ],
)
def test_what_is_not_is_refused_with_the_place(raw: bytes, said: str) -> None:
    with pytest.raises(InvalidJson) as refused:
        parse_json_object(raw)
    assert said in refused.value.message


def test_as_deep_as_allowed_and_no_deeper() -> None:
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    with pytest.raises(InvalidJson):
        parse_json(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_a_whole_pair_of_surrogates_is_text() -> None:
    assert parse_json(b'{"a": "\\ud83d\\ude00"}') == {"a": "😀"}


def test_many_flat_brackets_are_not_deep() -> None:
    assert len(parse_json(b"[" + b"[],[]," * 200 + b"[]]")) == 401


def test_five_thousand_mangled_bodies_are_read_or_refused_and_nothing_else() -> None:
    seeded = random.Random(5000)
    pieces = [
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"\\u",
        b"\\ud800",
        b"\\",
        b":",
        b",",
        b"1",
        b"-",
        b"1e999",
        b"NaN",
        b"\x00",
    ]
    pieces += [b'{"type":"agent.failed"}', b"9" * 25, b"\xff", b"\xed\xa0\x80", b'"a":', b"null", b"[" * 100, b"\n"]
    for _ in range(5000):
        raw = b"".join(seeded.choices(pieces, k=seeded.randint(1, 12)))
        with suppress(InvalidJson):
            parse_json_object(raw)
