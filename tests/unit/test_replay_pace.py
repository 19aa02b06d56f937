"""How fast a replay goes, and when it has seen enough."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from swiftclaw_local.platform.replays import FEWEST_UNDER_WAY, Replays, _Under
from swiftclaw_local.storage.replay_records import Replay, ReplayItem, ReplayWish
from swiftclaw_local.storage.states import State

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def under(*, rate: float = 10.0, canary: int = 0, stop_after: int | None = None, judged_after: int = 0) -> _Under:
    """Return a replay that is seen to since the time 0."""
    wish = ReplayWish("{}", rate, canary, stop_after, False, None)
    return _Under(Replay("rpl_1", "running", None, wish, 1000, judged_after, NOW, None), 0.0)


def item(number: int, state: State) -> ReplayItem:
    return ReplayItem(number, f"dlv_{number}", False, f"new_{number}", None, state, 1, 500, None, 3)


def test_one_goes_at_once_and_the_others_by_the_rate() -> None:
    seen = under(rate=2)
    assert [seen.room(now) for now in (0.0, 0.4, 0.5, 1.0)] == [1, 1, 2, 3]
    seen.made = 3
    assert [seen.room(now) for now in (1.0, 1.5)] == [0, 1]


def test_no_more_are_under_way_than_a_part_of_a_seconds_worth() -> None:
    seen = under(rate=10_000)
    assert seen.room(1.0) == 200
    seen.open = set(range(150))
    assert seen.room(1.0) == 50


def test_what_was_held_up_is_not_caught_up_on() -> None:
    seen = under(rate=10)
    assert seen.room(60.0) == FEWEST_UNDER_WAY  # and not 601
    seen.made += FEWEST_UNDER_WAY
    assert [seen.room(now) for now in (60.0, 60.1)] == [0, 1]


@pytest.mark.parametrize(
    ("answers", "stops"),
    [("ffff", None), ("fffff", "failures"), ("ffffsf", None), ("sfffff", "failures"), ("ffsffsff", None)],
)
def test_failures_count_only_in_a_row(answers: str, stops: str | None) -> None:
    seen = under(stop_after=5)
    for number, letter in enumerate(answers, 1):
        seen.learn(item(number, State.SUCCEEDED if letter == "s" else State.DEAD))
    assert Replays._why_stop(seen) == stops


def test_failures_that_were_accepted_do_not_count() -> None:
    seen = under(canary=2, stop_after=2, judged_after=2)
    for number in (1, 2, 3):
        seen.learn(item(number, State.DEAD))
    assert Replays._why_stop(seen) is None
    seen.learn(item(4, State.DEAD))
    assert Replays._why_stop(seen) == "failures"


def test_a_failed_canary_stops_it_and_another_does_not() -> None:
    seen = under(canary=1)
    seen.learn(item(2, State.DEAD))
    assert Replays._why_stop(seen) is None
    seen.learn(item(1, State.DEAD))
    assert Replays._why_stop(seen) == "canary"
