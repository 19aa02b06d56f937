"""The console's pure parts: charts, indented JSON, two attempts beside each other, words for people."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime

import pytest

from swiftclaw_local.server.console import charts, words
from swiftclaw_local.server.console.comparing import compare
from swiftclaw_local.server.console.pages.replays import stops_text
from swiftclaw_local.server.console.pretty import pretty
from swiftclaw_local.server.console.snippets import node_program, python_program
from swiftclaw_local.server.models import AttemptOut, RequestOut, ResponseOut, StatsPointOut


def minute(sent: int, delivered: int, failed: int, p50: int | None = None) -> StatsPointOut:
    return StatsPointOut(t=0, sent=sent, delivered=delivered, failed=failed, p50_ms=p50, p95_ms=p50)


def test_bars_stand_on_each_other_and_fill_the_height_at_a_round_number() -> None:
    drawn = charts.bars([minute(10, 6, 3), minute(0, 0, 0), minute(2, 2, 0)])
    assert drawn.top == 10
    first, empty, last = drawn.bars
    assert first.good + first.bad + first.rest == pytest.approx(charts.HEIGHT)
    assert (empty.good, empty.bad, empty.rest) == (0, 0, 0)
    assert last.x == 400
    assert last.good == pytest.approx(charts.HEIGHT / 5)


def test_one_send_among_thousands_is_still_seen() -> None:
    assert charts.bars([minute(1, 0, 1), minute(9000, 9000, 0)]).bars[0].bad >= 2


def test_a_line_has_holes_where_nothing_was_measured() -> None:
    line = charts.latency([minute(1, 1, 0, 10), minute(1, 1, 0, 20), minute(0, 0, 0), minute(1, 1, 0, 5)]).p50
    assert (line.d.count("M"), line.d.count("L"), len(line.dots)) == (1, 1, 1)


@pytest.mark.parametrize(("value", "top"), [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (4999, 5000)])
def test_an_axis_ends_at_a_round_number(value: int, top: int) -> None:
    assert charts.nice_above(value) == top


def test_a_timeline_has_room_for_a_minute_and_for_six_hours() -> None:
    places = charts.places([0, 60, 360, 1260, 4860, 26460])
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, 1)
    assert min(later - earlier for earlier, later in itertools.pairwise(places)) > 0.05
    assert charts.places([]) == []
    assert len(set(charts.places([5] * 8))) == 8


@pytest.mark.parametrize(
    "text",
    ['{"a":1.50,"b":[],"c":{},"d":[1,2e400,12345678901234567890123],"e":"\\u0041:{,}\\"","f":null}', "[]", '"x"', "3"],
)
def test_indented_json_keeps_every_number_and_string_as_it_was_written(text: str) -> None:
    shown = pretty(text.encode())
    assert "".join(shown.split()) == "".join(text.split())
    assert json.loads(shown) == json.loads(text)


@pytest.mark.parametrize("body", [b"", b"{", b"not json", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_shown_as_it_is(body: bytes) -> None:
    assert pretty(body) == body.decode("utf-8", "backslashreplace")


def attempt(number: int, status: int, body: str, **headers: str) -> AttemptOut:
    return AttemptOut(
        id=f"att_{number}",
        n=number,
        kind="first",
        retry=0,
        scheduled_at=0,
        started_at=0,
        ended_at=0,
        duration_ms=1,
        url="http://127.0.0.1:9/",
        request=RequestOut(headers={"Host": "x", **headers}, bytes=2, sha256="ab"),
        response=ResponseOut(status=status, headers=[("Date", str(number))], body=body, size=1, truncated=None),
        error=None,
        outcome="retry",
    )


def test_two_attempts_differ_in_what_matters() -> None:
    same = compare(attempt(1, 500, "a"), attempt(2, 500, "a"))
    assert (same.request, same.response, same.body) == ((), (), ())
    found = compare(attempt(1, 500, "a\nb"), attempt(2, 503, "a\nc", **{"X-SwiftClaw-Signature": "0"}))
    assert [(one.what, one.before, one.after) for one in found.request] == [("X-SwiftClaw-Signature", "(none)", "0")]
    assert [(one.before, one.after) for one in found.response] == [("500", "503")]
    assert [line for line in found.body if line[0] in "+-"] == ["-b", "+c"]


def test_programs_hold_the_exact_bytes() -> None:
    body = b'{"a":"\\"\xc3\xa9"}'
    program = python_program("http://127.0.0.1:9/", body, {"Host": "no", "X-SwiftClaw-Signature": "ab"})
    assert repr(body) in program
    assert ('"X-SwiftClaw-Signature": "ab"' in program, '"Host"' in program) == (True, False)
    compile(program, "program", "exec")
    assert "Buffer.from(" in node_program("http://127.0.0.1:9/", b"\xff", {})


NOW = datetime(2026, 11, 23, 14, 10, tzinfo=UTC)


def test_times_and_sizes_read_well() -> None:
    assert words.clock_time(NOW.timestamp(), NOW) == "14:10:00"
    assert words.clock_time(NOW.timestamp() - 86_400, NOW) == "11-22 14:10:00"
    assert words.clock_time(NOW.timestamp() - 400 * 86_400, NOW) == "2025-10-19 14:10:00"
    assert [words.milliseconds(value) for value in (None, 18, 2400)] == ["–", "18 ms", "2.4 s"]
    assert [words.size(value) for value in (None, 312, 65_536)] == ["size unknown", "312 B", "64.0 KiB"]
    assert words.short_id("dlv_01m8adhqtr2q75mwgbx627hn3b") == "dlv_…hn3b"
    assert words.place("http://localhost:8000/hook?a=1") == "localhost:8000/hook?a=1"
    assert words.answer(None, "connect_refused") == "connection refused"


def test_a_replay_says_what_stops_it() -> None:
    assert [stops_text(*given) for given in ((1, 5), (2, None), (0, 1), (0, None))] == [
        "1 canary, stops when it does not get through, or after 5 failures in a row",
        "2 canaries, stops when one of them does not get through",
        "no canaries, stops after 1 failure in a row",
        "no canaries, never stops by itself",
    ]
