"""An event's data as it is typed."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from swiftclaw_local.cli.event_data import (
    Typed,
    assign,
    composed,
    parse_data,
    parse_setting,
    parse_unset,
    read_data,
    remove,
)
from swiftclaw_local.errors import InvalidInput, InvalidJson

SAMPLE: dict[str, Any] = {"agent": "my-agent", "tokens_used": 450, "response": {"message": "ok", "code": 1}}


def sample() -> dict[str, Any]:
    return SAMPLE


def no_sample() -> dict[str, Any]:
    raise AssertionError("the sample is not needed")


@pytest.mark.parametrize(
    ("text", "place", "expected", "caret"),
    [
        ('{\n  "a": 1,\n  "b": 2,\n  "order": "x1" "y"\n}', "line 4, column 17", "expected ',' or '}'", 18),
        ('{"a": [1 2]}', "line 1, column 10", "expected ',' or ']'", 11),
        ('{"a": "}]" 2}', "line 1, column 12", "expected ',' or '}'", 13),
        ('{"a": "\\"}" 2}', "line 1, column 13", "expected ',' or '}'", 14),
        ('["\\"]" 2]', "line 1, column 8", "expected ',' or ']'", 9),
        ('{"a" 1}', "line 1, column 6", "expected ':'", 7),
        ('{"a": }', "line 1, column 7", "expected a value", 8),
        ("{a: 1}", "line 1, column 2", "expected a name in double quotes", 3),
        ('{"a": 1} x', "line 1, column 10", "expected the end of the file", 11),
        ('{"a": "x', "line 1, column 7", "this string has no closing quote", 8),
        ('{"a":', "line 1, column 6", "expected a value, found the end of the file", 7),
        ("", "line 1, column 1", "expected a value, found the end of the file", 2),
    ],
)
def test_invalid_json_is_told_with_line_column_and_a_caret_under_it(
    text: str, place: str, expected: str, caret: int
) -> None:
    with pytest.raises(InvalidJson) as caught:
        parse_data(text, source="--data order.json")
    first, _shown, mark = caught.value.message.split("\n")
    assert first == f"--data order.json is not valid JSON: {place}: {expected}"
    assert mark == " " * caret + "^"
    assert caught.value.exit_code == 2


def test_of_a_long_line_only_what_is_near_the_caret_is_shown() -> None:
    with pytest.raises(InvalidJson) as caught:
        parse_data('{"a": "' + "x" * 500 + '" 1' + " " * 500 + "}", source="--data f")
    _, shown, mark = caught.value.message.split("\n")
    assert (len(shown) < 90, shown[len(mark) - 1]) == (True, "1")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1, "a": 2}', '--data f cannot be sent: the name "a" stands twice in one object.'),
        ('{"a": NaN}', "--data f cannot be sent: NaN is no JSON number."),
        ("[" * 100_000, "--data f nests too deeply; 64 levels are the most."),
    ],
)
def test_json_that_receivers_would_read_differently_is_refused(text: str, told: str) -> None:
    with pytest.raises(InvalidJson) as caught:
        parse_data(text, source="--data f")
    assert told == caught.value.message


@pytest.mark.parametrize(
    ("text", "kind"),
    [("[1]", "a list"), ('"x"', "a text"), ("null", "null"), ("true", "true or false"), ("4", "a number")],
)
def test_data_is_an_object_and_nothing_else(text: str, kind: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_data(text, source="--data f")
    assert caught.value.message == f"--data f holds {kind}; an event's data is a JSON object."


def test_a_file_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": "\xc3\xa9"}')
    assert read_data(str(tmp_path / "a.json")) == {"a": "é"}


def test_a_dash_reads_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"a": 1}')))
    assert read_data("-") == {"a": 1}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b'{"a": "\xe9"}')
    with pytest.raises(InvalidInput, match=r"no-file: there is no such file"):
        read_data(str(tmp_path / "no-file"))
    with pytest.raises(InvalidInput, match=r"cannot be read: Is a directory"):
        read_data(str(tmp_path))
    with pytest.raises(InvalidJson, match=r"is not UTF-8: byte 8 fits no character"):
        read_data(str(tmp_path / "latin"))


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("data.error=tool crashed", ("error",), "tool crashed"),
        ("data.tokens_used=450", ("tokens_used",), 450),
        ("data.ok=true", ("ok",), True),
        ('data.id="123"', ("id",), "123"),
        ("data.response.message=a=b", ("response", "message"), "a=b"),
        ("data.empty=", ("empty",), ""),
        ("data.number=NaN", ("number",), "NaN"),
        ('data.twice={"a":1,"a":2}', ("twice",), '{"a":1,"a":2}'),
    ],
)
def test_a_setting_is_json_where_it_is_json_else_text(text: str, path: tuple[str, ...], value: object) -> None:
    assert parse_setting(text) == (path, value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("data.error", '--set "data.error" has no value.'),
        ("error=x", '--set "error=x" is not inside the data. Did you mean --set data.error=x ?'),
        ("id=evt_1", '--set "id=evt_1" is not inside the data. Did you mean --set data.id=evt_1 ?'),
        ("data={}", '--set "data={}" names nothing inside the data.'),
        ("data..x=1", '--set "data..x=1" names nothing inside the data.'),
    ],
)
def test_a_setting_outside_the_data_is_refused_with_what_to_write(text: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_setting(text)
    assert (caught.value.message, caught.value.exit_code) == (told, 2)


def test_the_events_own_fields_have_flags_of_their_own() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_setting("id=evt_1")
    assert caught.value.hint == "The event's own id and time have flags: --id, --created."


@pytest.mark.parametrize(("text", "path"), [("k", ("k",)), ("data.k", ("k",)), ("k.l", ("k", "l"))])
def test_unset_takes_the_name_with_or_without_data(text: str, path: tuple[str, ...]) -> None:
    assert parse_unset(text) == path


def test_setting_a_place_makes_the_way_to_it_and_leaves_the_given_data_alone() -> None:
    data = {"a": 1}
    assert assign(data, ("a", "b"), 2) == {"a": {"b": 2}}
    assert data == {"a": 1}


def test_removing_what_is_not_there_names_what_is() -> None:
    assert remove({"a": {"b": 1, "c": 2}}, ("a", "b")) == {"a": {"c": 2}}
    with pytest.raises(InvalidInput) as caught:
        remove({"agent": "x", "duration": 1}, ("tokens",))
    assert caught.value.message == "--unset tokens: the data has no such name. It has: agent, duration."
    with pytest.raises(InvalidInput):
        remove({"a": 1}, ("a", "b"))


def test_nothing_typed_is_no_data_and_asks_for_no_sample() -> None:
    assert composed(Typed(), sample=no_sample) == (None, False)


def test_a_file_is_laid_over_the_sample_by_the_server() -> None:
    assert composed(Typed(file={"x": 1}), sample=no_sample) == ({"x": 1}, False)


def test_a_setting_inside_a_sample_value_keeps_the_rest_of_that_value() -> None:
    typed = Typed(settings=((("response", "message"), "hi"),))
    assert composed(typed, sample=sample) == ({"response": {"message": "hi", "code": 1}}, False)


def test_a_setting_goes_over_the_file() -> None:
    typed = Typed(file={"a": {"x": 1, "y": 2}, "b": 3}, settings=((("a", "x"), 9),))
    assert composed(typed, sample=no_sample) == ({"a": {"x": 9, "y": 2}, "b": 3}, False)


def test_what_is_left_out_makes_the_data_whole() -> None:
    typed = Typed(settings=((("extra",), 1),), unset=(("tokens_used",), ("response", "code")))
    whole = {"agent": "my-agent", "response": {"message": "ok"}, "extra": 1}
    assert composed(typed, sample=sample) == (whole, True)


def test_exact_data_has_no_sample_under_it() -> None:
    assert composed(Typed(exact=True), sample=no_sample) == ({}, True)
    typed = Typed(file={"a": 1}, settings=((("b", "c"), 2),), exact=True)
    assert composed(typed, sample=no_sample) == ({"a": 1, "b": {"c": 2}}, True)
