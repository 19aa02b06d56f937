"""How answers look, on a terminal and in a pipe, and what is spelled out before it is shown."""

from __future__ import annotations

import io
import json

import pytest

from swiftclaw_local.cli.output import (
    Column,
    Output,
    after_text,
    counted,
    json_text,
    moment_text,
    short_id,
    state_color,
    status_color,
    time_text,
    use_color,
    wait_text,
)
from swiftclaw_local.plain_text import clean

ID = "dlv_01j5abcdefghjkmnpqrstv7qm9"
COLUMNS = (Column("ID"), Column("STATE", style=state_color), Column("MS", right=True), Column("URL", flexible=True))
ROWS = [("1", "delivered", "5", "http://localhost:8000/webhooks/swiftclaw"), ("22", "failed", "310", "http://b/")]


def shown(*, color: str = "never", terminal: bool = False, room: int | None = None) -> str:
    output = Output(color=color, environment={})
    output.out = io.StringIO()
    output.terminal = terminal
    output._room = lambda: room  # type: ignore[method-assign] # the width of a terminal
    output.table(COLUMNS, ROWS)
    return output.out.getvalue()


def test_a_table_in_a_pipe_is_aligned_and_never_cut() -> None:
    assert shown() == (
        "ID  STATE       MS  URL\n"
        "1   delivered    5  http://localhost:8000/webhooks/swiftclaw\n"
        "22  failed     310  http://b/\n"
    )


def test_a_table_on_a_terminal_is_cut_in_its_flexible_column() -> None:
    assert shown(terminal=True, room=40) == (
        "ID  STATE       MS  URL\n1   delivered    5  http://localhost:80…\n22  failed     310  http://b/\n"
    )


def test_a_terminal_too_narrow_for_anything_still_shows_every_column() -> None:
    assert "1   delivered    5  http://…\n" in shown(terminal=True, room=5)


def test_a_cell_cannot_break_out_of_its_table() -> None:
    output = Output(environment={})
    output.out = io.StringIO()
    output.table([Column("BODY"), Column("N")], [["a\x1b[2J\nb", "1"]])
    assert output.out.getvalue() == "BODY         N\na\\x1b[2J\\nb  1\n"


def test_colors_take_no_room() -> None:
    plain, colored = shown(), shown(color="always")
    assert colored != plain
    stripped = colored.replace("\x1b[1m", "").replace("\x1b[32m", "").replace("\x1b[31m", "").replace("\x1b[0m", "")
    assert stripped == plain


@pytest.mark.parametrize(
    ("choice", "environment", "terminal", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, False, False),
        ("auto", {"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"CLICOLOR_FORCE": "1"}, True, False),
    ],
)
def test_colors_follow_the_option_then_the_environment_then_the_terminal(
    choice: str, environment: dict[str, str], terminal: bool, expected: bool
) -> None:
    assert use_color(choice, environment, terminal=terminal) is expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("plain text, ünïcode → 日本", "plain text, ünïcode → 日本"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("dos\r\nlines", "dos\nlines"),
        ("\x1b]0;owned\x07\x1b[2J", "\\x1b]0;owned\\x07\\x1b[2J"),
        ("over\rwritten", "over\\x0dwritten"),
        ("c1 \x9b31m", "c1 \\x9b31m"),
        ("bidi \u202egnp.exe", "bidi \\u202egnp.exe"),
        ("isolate \u2066x\u2069", "isolate \\u2066x\\u2069"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("half \ud800", "half \\ud800"),
    ],
)
def test_what_could_move_the_cursor_or_turn_the_text_is_spelled_out(written: str, expected: str) -> None:
    assert clean(written) == expected


def test_json_is_plain_ascii_and_still_the_same_document() -> None:
    document = {"body": "\x9b31m \u202e ü"}
    assert json_text(document).isascii()
    assert json.loads(json_text(document)) == document


def test_an_id_is_short_on_a_terminal_and_whole_in_a_pipe() -> None:
    output = Output(environment={})
    output.terminal = True
    assert output.id(ID) == "dlv_…7qm9"
    output.terminal = False
    assert output.id(ID) == ID
    assert short_id("webhook-123") == "webhook-123"


def test_status_codes_and_missing_answers_have_their_colors() -> None:
    assert [status_color(s) for s in ("204", "503", "401", "308", "-", "connection refused")] == [
        "green",
        "red",
        "yellow",
        "yellow",
        None,
        "red",
    ]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0s"),
        (0.2, "0.2s"),
        (58, "58s"),
        (60, "1m"),
        (252, "4m 12s"),
        (3600, "1h"),
        (3605, "1h"),
        (26_460, "7h 21m"),
        (90_000, "1d 1h"),
    ],
)
def test_a_wait_is_told_in_two_units_at_most(seconds: float, expected: str) -> None:
    assert wait_text(seconds) == expected


def test_times_are_utc_and_name_the_day_when_it_is_another() -> None:
    noon = 1795435200.0  # 2026-11-23 12:00:00Z
    assert time_text(noon) == "12:00:00"
    assert time_text(noon, now=noon + 3600) == "12:00:00"
    assert time_text(noon, now=noon + 86_400) == "11-23 12:00:00"
    assert time_text(noon, now=noon + 366 * 86_400) == "2026-11-23 12:00:00"
    assert moment_text(noon) == "2026-11-23 12:00:00Z"
    assert [after_text(s) for s in (0, 60, 90, 26_460)] == ["+0s", "+1m", "+1m30s", "+7h21m"]


def test_numbers_agree_with_their_word() -> None:
    assert [counted(1, "send"), counted(2, "send"), counted(0, "delivery", "deliveries")] == [
        "1 send",
        "2 sends",
        "0 deliveries",
    ]


def test_messages_go_to_stderr_and_are_left_out_when_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    Output(environment={}).note("said")
    Output(environment={}, quiet=True).note("not said")
    Output(environment={}, quiet=True).error(code="c", message="went wrong \x1b[2J", hint="do this\nor that")
    assert capsys.readouterr() == ("", "said\nerror: went wrong \\x1b[2J\n  do this\n  or that\n")
