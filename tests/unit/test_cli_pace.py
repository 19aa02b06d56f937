"""So many a second, and how far it has come."""

from __future__ import annotations

import io

import pytest

from swiftclaw_local.cli.pace import Pace, Progress, bar, parse_rate
from swiftclaw_local.errors import InvalidInput


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "seconds"), [("10/s", 0.1), ("10", 0.1), ("90/m", 2 / 3), ("0.5/s", 2.0), ("3600/h", 1.0)]
)
def test_a_rate_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert parse_rate(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["fast", "0", "-1/s", "10/d", "10001/s", "", "1e3"])
def test_any_other_rate_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_rate(text)
    assert caught.value.message == f'--rate "{text}" cannot be read.'


def test_the_first_turn_comes_at_once_and_the_next_when_it_is_due() -> None:
    with Pace(0.001) as pace:
        for _ in range(3):
            pace.wait()


def test_no_turn_comes_before_its_time() -> None:
    with Pace(3600) as pace:
        pace.wait()
        assert not pace.may_pass()


def test_a_bar_is_drawn_on_a_terminal_and_taken_away_again() -> None:
    stream = Terminal()
    progress = Progress(stream, total=4, shown=True)
    progress.at(1)
    progress.clear()
    assert stream.getvalue() == f"\r{bar(1, 4)}\x1b[K\r\x1b[K"
    assert bar(1, 4) == "  [######------------------]  1/4"


@pytest.mark.parametrize(
    ("stream", "total", "shown"), [(io.StringIO(), 4, True), (Terminal(), 1, True), (Terminal(), 4, False)]
)
def test_no_bar_is_drawn_elsewhere(stream: io.StringIO, total: int, shown: bool) -> None:
    progress = Progress(stream, total=total, shown=shown)
    progress.at(1)
    progress.clear()
    assert stream.getvalue() == ""
