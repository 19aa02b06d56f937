"""A kind is read as people and programs write it, and what it does not take is told with what it does."""

from __future__ import annotations

import pytest

from swiftclaw_local.dispatcher.fault_kinds import Fault, read_fault
from swiftclaw_local.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "params", "read"),
    [
        ("duplicate", {}, "duplicate"),
        ("delay", {}, "delay:30s"),
        ("delay:90s", {}, "delay:1m30s"),
        ("delay", {"delay": "2h"}, "delay:2h"),
        ("reorder", {"n": 3}, "reorder:3"),
        ("huge_body:002000", {}, "huge_body:2000"),
        ("body_shape", {"shape": "spaced"}, "body_shape:spaced"),
    ],
)
def test_a_fault_is_kept_in_one_form(text: str, params: dict[str, str | int], read: str) -> None:
    assert str(read_fault(text, params)) == read


def test_what_is_kept_is_read_again_as_the_same() -> None:
    assert read_fault("old_created:1d12h") == Fault("old_created", "1d12h")


@pytest.mark.parametrize(
    ("text", "params", "told"),
    [
        ("nothing_like_it", {}, 'There is no fault "nothing_like_it".'),
        ("duplicate:2", {}, "duplicate takes no value."),
        ("duplicate", {"n": 2}, "duplicate takes no value."),
        ("delay:1s", {"delay": "2s"}, 'The value of delay is given twice: in "delay:1s" and in params.'),
        ("delay", {"n": 2}, "delay takes no 'n'."),
        ("delay:soon", {}, '"soon" is not a duration.'),
        ("delay:0s", {}, "delay takes more than 0s and at most 30d."),
        ("delay:31d", {}, "delay takes more than 0s and at most 30d."),
        ("reorder:1", {}, 'reorder takes a whole number from 2 to 100, not "1".'),
        ("reorder:٣", {}, 'reorder takes a whole number from 2 to 100, not "٣".'),
        ("body_shape:round", {}, 'There is no shape "round".'),
    ],
)
def test_what_cannot_be_read_is_told(text: str, params: dict[str, str | int], told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_fault(text, params)
    assert refused.value.message == told
