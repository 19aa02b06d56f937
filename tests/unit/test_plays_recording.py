"""A recording gives every event back byte for byte, and each mistake in one is told with its line and column."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftclaw_local.errors import InvalidRecording, RecordingTooNew
from swiftclaw_local.plays.recording import (
    MOST_LINE_BYTES,
    Reader,
    Recorded,
    Webhook,
    event_line,
    header_line,
    lines_of,
    webhook_line,
)

HEADER = header_line(made_by="swiftclaw-local 0.1.0", began_at=1)
EVENT = {"id": "evt_1", "type": "agent.completed", "created": 1, "data": {}}

_texts = st.text(st.characters(codec="utf-8"))
_numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_values = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=20,
)
# how the same event may be written: as we do, and as others may
_spellings: list[dict[str, Any]] = [
    {"separators": (",", ":"), "ensure_ascii": False},
    {"separators": (",", ":")},
    {"ensure_ascii": False},
    {"indent": 2, "sort_keys": True},
]


def read(*lines: bytes) -> Webhook | Recorded | None:
    """Return what the last line says."""
    reader, said = Reader("file"), None
    for line in lines:
        said = reader.read(line)
    reader.end()
    return said


def written(**line: Any) -> bytes:
    return json.dumps(line).encode()


@given(
    data=st.dictionaries(_texts, _values, max_size=4),
    spelling=st.sampled_from(_spellings),
    at=st.none() | st.floats(0, 2e9) | st.integers(0, 2**31),
    tail=st.sampled_from([b"", b"\n", b"\r\n  "]),
)
def test_the_bytes_of_every_event_survive(data: Any, spelling: dict[str, Any], at: float | None, tail: bytes) -> None:
    body = json.dumps({**EVENT, "data": data}, **spelling).encode() + tail
    recorded = Recorded(at, "my-agent", body)
    line = event_line(recorded)
    assert (line.count(b"\n"), read(HEADER, line)) == (1, recorded)
    assert Recorded.parsed(line) == recorded


def test_an_event_as_we_write_it_stands_in_its_line_to_be_read_and_changed() -> None:
    body = b'{"id":"evt_1","type":"agent.completed","created":1,"data":{"n":1250.0,"t":"\xc3\xa9"}}'
    assert event_line(Recorded(1.5, "a", body)) == b'{"at":1.5,"agent":"a","event":' + body + b"}\n"


def test_an_event_in_another_spelling_is_kept_as_text_or_base64() -> None:
    for body in (json.dumps(EVENT).encode(), b'{"id":"evt_1","type":"agent.completed","created":1,"data":{"n":1e2}}'):
        assert (
            event_line(Recorded(None, "a", body))
            == b'{"agent":"a","body":' + json.dumps(body.decode()).encode() + b"}\n"
        )
        assert read(HEADER, written(agent="a", body_base64=base64.b64encode(body).decode())) == Recorded(
            None, "a", body
        )


def test_a_changed_event_gets_new_bytes_and_a_system_event_no_agent() -> None:
    changed = {**EVENT, "type": "system.incident", "data": {"x": 1}}
    line = json.dumps({"agent": "ignored", "event": changed}, indent=None).encode()
    assert read(HEADER, line) == Recorded(None, None, json.dumps(changed, separators=(",", ":")).encode())


def test_a_webhook_has_no_secret_and_no_query() -> None:
    webhook = Webhook("webhook-123", "a", "http://localhost/hook?token=hush", ("agent.failed",))
    assert read(HEADER, webhook_line(webhook)) == Webhook(
        "webhook-123", "a", "http://localhost/hook", ("agent.failed",)
    )


def test_empty_lines_are_passed_over() -> None:
    assert read(b"\n", HEADER, b"  \r\n", written(agent="a", event=EVENT)) is not None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"at":1', "file: line 2, column 8: it is not JSON: expecting ',' or '}'"),
        (b'{"at":1,}', "file: line 2, column 9: it is not JSON: expecting a name in double quotes"),
        (b'{"at" 1}', "file: line 2, column 7: it is not JSON: expecting ':'"),
        (b'{"at":}', "file: line 2, column 7: it is not JSON: expecting value"),
        (b'{"at":1} x', "file: line 2, column 10: it is not JSON: expecting the end of the line"),
        (
            b'{"at":%b}' % (b"9" * 5000),
            f"file: line 2, column 1: the integer {'9' * 30}… does not fit the 64 bits that receivers can read",
        ),
        (b"[]", "file: line 2, column 1: it is not JSON: a line is one JSON object"),
        (b'{"at":1,"at":2}', 'file: line 2, column 9: it is not JSON: "at" stands twice in one object'),
        (b'{"event":{"id":1,"id":2}}', 'file: line 2, column 1: "id" stands twice in one object'),
        (b'{"at":NaN}', "file: line 2, column 1: NaN is not JSON"),
        (b'{"at":"\xff"}', "file: line 2, column 8: byte 0xff is not UTF-8."),
        (b'{"event":' + b"[" * 100_000, "file: line 2, column 1: it nests too deeply"),
        (HEADER, "file: line 2, column 2: swiftclaw_recording: a second beginning; one recording is one file"),
        (
            written(agent="a", evnt=EVENT),
            'file: line 2, column 16: there is no "evnt" in the line of an event. Did you mean "event"?',
        ),
        (written(agent="a"), "file: line 2, column 1: write one of event, body, body_base64"),
        (written(event=EVENT, body="x"), "file: line 2, column 81: body: write one of event, body, body_base64"),
        (
            written(event=EVENT),
            'file: line 2, column 1: agent.completed needs the agent that it is of, as "agent":"my-agent"',
        ),
        (
            written(agent="a b", event=EVENT),
            'file: line 2, column 2: agent: agent.completed needs the agent that it is of, as "agent":"my-agent"',
        ),
        (written(at="now", agent="a", event=EVENT), "file: line 2, column 2: at: write unix seconds"),
        (written(at=True, agent="a", event=EVENT), "file: line 2, column 2: at: write unix seconds"),
        (written(at=-1, agent="a", event=EVENT), "file: line 2, column 2: at: write unix seconds"),
        (
            written(agent="a", event={**EVENT, "dat": 1}),
            'file: line 2, column 16: event: it has a "dat"; an event has id, type, created, data',
        ),
        (
            written(agent="a", event={"id": "x"}),
            'file: line 2, column 16: event: it has no "type"; an event has id, type, created, data',
        ),
        (written(agent="a", event=[]), "file: line 2, column 16: event: an event is a JSON object"),
        (
            written(agent="a", event={**EVENT, "id": "a b"}),
            "file: line 2, column 16: event: its id is 1 to 128 visible ASCII characters",
        ),
        (
            written(agent="a", event={**EVENT, "type": ""}),
            "file: line 2, column 16: event: its type is 1 to 100 visible ASCII characters, as agent.completed",
        ),
        (
            written(agent="a", event={**EVENT, "created": 1.5}),
            "file: line 2, column 16: event: its created is unix seconds, a whole number",
        ),
        (written(agent="a", event={**EVENT, "data": []}), "file: line 2, column 16: event: its data is a JSON object"),
        (
            written(agent="a", event={**EVENT, "data": {"x": 2**64}}),
            "file: line 2, column 16: event: The JSON holds an integer outside the 64 bits that receivers can read",
        ),
        (
            b'{"agent":"a","event":{"id":"\\ud800"}}',
            "file: line 2, column 14: event: it holds half of a surrogate pair (as \\ud800), which is not text",
        ),
        (written(agent="a", body=1), "file: line 2, column 16: body: write a text in quotes"),
        (
            written(agent="a", body="x"),
            "file: line 2, column 16: body: an event is JSON, and this is not: Expecting value at character 0",
        ),
        (written(agent="a", body_base64="?"), "file: line 2, column 16: body_base64: it is not base64"),
        (
            written(agent="a", body_base64="/w=="),
            "file: line 2, column 16: body_base64: an event is UTF-8, and byte 0 of this is not",
        ),
        (
            written(webhook=1),
            "file: line 2, column 2: webhook: write its id, agent, url and events, or leave the line out",
        ),
        (written(webhook={}, secret="s"), 'file: line 2, column 17: there is no "secret" in the line of a webhook.'),
    ],
)
def test_a_mistake_is_told_with_its_place(line: bytes, told: str) -> None:
    with pytest.raises(InvalidRecording) as refused:
        read(HEADER, line)
    assert refused.value.message.splitlines()[0] == told


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (b"", 'file: it is empty; a recording begins with {"swiftclaw_recording":1}.'),
        (written(event=EVENT), "file: line 1, column 1: it does not begin as a recording does"),
        (
            b'{"swiftclaw_recording":"1"}',
            "file: line 1, column 2: swiftclaw_recording: write the format's version, which is 1",
        ),
        (
            b'{"swiftclaw_recording":1,"form":1}',
            'file: line 1, column 26: there is no "form" in the first line. Did you mean "from"?',
        ),
    ],
)
def test_a_file_that_is_no_recording_is_told(first: bytes, told: str) -> None:
    with pytest.raises(InvalidRecording) as refused:
        read(first)
    assert refused.value.message.splitlines()[0] == told


def test_a_newer_version_is_refused_whatever_else_is_in_it() -> None:
    with pytest.raises(RecordingTooNew, match="it is of format 2, and this version reads 1") as refused:
        read(b'{"swiftclaw_recording":2,"unheard_of":true}')
    assert "Update" in str(refused.value.hint)


def test_a_line_may_be_so_long_and_no_longer() -> None:
    with pytest.raises(InvalidRecording, match="line 2 has more than 4 MiB"):
        read(HEADER, b" " * (MOST_LINE_BYTES + 1))


def test_chunks_become_lines_and_one_that_never_ends_is_not_waited_for() -> None:
    assert list(lines_of([b"a\nb", b"c\n", b"d"])) == [b"a\n", b"bc\n", b"d"]
    endless = (b"x" * (1 << 20) for _ in range(1000))
    assert sum(len(line) for line in lines_of(endless)) <= MOST_LINE_BYTES + (1 << 20)
