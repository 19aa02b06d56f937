"""The engine's clock: real, manual, N times as fast; it never goes back, whatever the wall clock does."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftclaw_local.errors import ClockBackwards, ClockNotManual, InvalidSetting
from swiftclaw_local.scheduler.clock import Clock, ClockSetting, restored, text, whole_second

START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class FakeTime:
    """An operating system's clocks, moved by hand: `pass_s` moves both, `set_wall` only the wall clock."""

    def __init__(self) -> None:
        self._wall = START.timestamp()
        self._monotonic = 1000.0

    def wall(self) -> float:
        return self._wall

    def monotonic(self) -> float:
        return self._monotonic

    def pass_s(self, seconds: float) -> None:
        self._wall += seconds
        self._monotonic += seconds

    def set_wall(self, by_s: float) -> None:
        self._wall += by_s


@pytest.fixture
def real() -> FakeTime:
    return FakeTime()


def test_a_real_clock_runs_with_real_time(real: FakeTime) -> None:
    clock = Clock(real=real)
    real.pass_s(90)
    assert (clock.mode, clock.now()) == ("real", START + 90 * SECOND)


def test_a_fast_clock_runs_n_times_as_fast(real: FakeTime) -> None:
    clock = Clock(rate=60, real=real)
    real.pass_s(2)
    assert (clock.mode, clock.now()) == ("fast", START + 120 * SECOND)
    assert clock.real_seconds_until(clock.now() + timedelta(minutes=1)) == 1


def test_a_manual_clock_stands_still_until_it_is_moved(real: FakeTime) -> None:
    clock = Clock(rate=0, real=real)
    real.pass_s(3600)
    assert (clock.mode, clock.now()) == ("manual", START)
    clock.move_to(START + 6 * SECOND)
    assert clock.now() == START + 6 * SECOND
    assert clock.real_seconds_until(clock.now() + SECOND) is None
    assert clock.real_seconds_until(clock.now()) == 0


def test_only_a_manual_clock_may_be_moved_and_only_forward(real: FakeTime) -> None:
    clock = Clock(real=real)
    with pytest.raises(ClockNotManual, match="lie to your receiver's timestamps"):
        clock.move_to(START + SECOND)
    clock.freeze()
    with pytest.raises(ClockBackwards):
        clock.move_to(START - SECOND)
    assert clock.now() == START


def test_freezing_stops_at_the_next_whole_second_and_twice_is_once(real: FakeTime) -> None:
    clock = Clock(real=real)
    real.pass_s(1.25)
    assert clock.freeze() == START + 2 * SECOND
    real.pass_s(10)
    assert clock.freeze() == START + 2 * SECOND


def test_resuming_goes_on_from_the_later_of_engine_time_and_wall_clock(real: FakeTime) -> None:
    behind, ahead = Clock(rate=0, real=real), Clock(rate=0, real=real)
    ahead.move_to(START + timedelta(hours=7))
    real.pass_s(60)
    assert behind.resume() == START + 60 * SECOND
    assert ahead.resume() == START + timedelta(hours=7)
    assert ahead.lead() == timedelta(hours=7) - 60 * SECOND


def test_a_rate_that_is_none_is_refused(real: FakeTime) -> None:
    clock = Clock(real=real)
    for rate in (0, -1, math.inf, math.nan):
        with pytest.raises(InvalidSetting):
            clock.run_at(rate)
    assert clock.mode == "real"


def test_whoever_sleeps_is_woken_by_every_move(real: FakeTime) -> None:
    clock, woken = Clock(real=real), []
    clock.on_move(lambda: woken.append(clock.mode))
    clock.freeze()
    clock.move_to(START + SECOND)
    clock.run_at(2)
    clock.resume()
    assert woken == ["manual", "manual", "fast", "real"]


def test_a_wall_clock_set_forward_is_followed_and_one_set_back_is_not(real: FakeTime) -> None:
    clock = Clock(real=real)
    real.set_wall(6 * 3600)
    assert clock.resync() == timedelta(hours=6)
    assert clock.now() == START + timedelta(hours=6)
    real.set_wall(-3 * 86_400)
    assert clock.resync() == timedelta(days=-3)
    assert clock.now() == START + timedelta(hours=6)
    real.pass_s(1)
    assert (clock.resync(), clock.now()) == (timedelta(), START + timedelta(hours=6) + SECOND)


def test_a_wall_clock_that_flaps_does_not_drive_the_clock_ahead_of_all_it_showed(real: FakeTime) -> None:
    clock = Clock(real=real)
    for _ in range(5):
        real.set_wall(3600)
        assert clock.resync() == timedelta(hours=1)
        real.set_wall(-3600)
        assert clock.resync() == timedelta(hours=-1)
    assert (clock.now(), clock.set_back) == (START + timedelta(hours=1), timedelta(hours=1))


def test_a_wall_clock_that_was_set_back_catches_up_before_it_is_followed(real: FakeTime) -> None:
    clock = Clock(real=real)
    real.set_wall(-3 * 86_400)
    clock.resync()
    real.set_wall(86_400)
    assert (clock.resync(), clock.now(), clock.set_back) == (timedelta(days=1), START, timedelta(days=2))
    real.set_wall(3 * 86_400)
    assert (clock.resync(), clock.now()) == (timedelta(days=3), START + timedelta(days=1))
    assert clock.set_back == timedelta()


def test_a_lead_that_only_a_wall_clock_set_back_has_made_is_not_kept(real: FakeTime) -> None:
    clock = Clock(real=real)
    real.set_wall(-3 * 86_400)
    clock.resync()
    kept = clock.setting()
    assert restored(kept, rate=None, real=real).set_back == timedelta(days=3)
    real.set_wall(3 * 86_400)
    assert restored(kept, rate=None, real=real).now() == START


def test_a_clock_that_is_resumed_when_the_wall_clock_has_caught_up_was_not_set_back(real: FakeTime) -> None:
    clock = Clock(real=real)
    real.set_wall(-60)
    clock.resync()
    clock.freeze()
    real.pass_s(3600)
    clock.resume()
    assert clock.set_back == timedelta()


def test_a_manual_clock_ignores_the_wall_clock(real: FakeTime) -> None:
    clock = Clock(rate=0, real=real)
    real.set_wall(86_400)
    assert (clock.resync(), clock.now()) == (timedelta(), START)


def test_a_manual_clock_stands_after_a_restart_where_it_stood_before(real: FakeTime) -> None:
    kept = ClockSetting(rate=0, at=START + timedelta(hours=7), lead=timedelta(hours=7))
    real.pass_s(3600)
    assert restored(kept, rate=None, real=real).now() == START + timedelta(hours=7)
    assert restored(kept, rate=0, real=real).now() == START + timedelta(hours=7)


def test_a_real_clock_that_was_ahead_is_ahead_by_as_much_after_a_restart(real: FakeTime) -> None:
    kept = ClockSetting(rate=1, at=START + timedelta(hours=7), lead=timedelta(hours=7))
    real.pass_s(60)
    assert restored(kept, rate=None, real=real).now() == START + timedelta(hours=7, seconds=60)


def test_a_restart_with_a_wall_clock_set_back_does_not_go_back(real: FakeTime) -> None:
    kept = ClockSetting(rate=1, at=START, lead=timedelta())
    real.set_wall(-86_400)
    assert restored(kept, rate=None, real=real).now() == START


def test_a_fresh_clock_follows_the_settings(real: FakeTime) -> None:
    assert restored(None, rate=None, real=real).mode == "real"
    assert restored(None, rate=0, real=real).mode == "manual"


def test_starting_over_is_the_one_way_back(real: FakeTime) -> None:
    clock = Clock(rate=0, real=real)
    clock.move_to(START + timedelta(days=3))
    clock.start_over(rate=0)
    assert clock.now() == START


def test_times_are_written_in_utc() -> None:
    assert text(START) == "2026-11-23 14:00:00Z"
    assert whole_second(START + timedelta(microseconds=1)) == START + SECOND
    assert whole_second(START) == START


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass_s"), st.floats(0, 1e5)),
        st.tuples(st.just("set_wall"), st.floats(-1e6, 1e6)),
        st.tuples(st.sampled_from(["freeze", "resume", "resync", "restart"]), st.just(0.0)),
        st.tuples(st.just("run_at"), st.floats(0.5, 1000)),
    ),
    max_size=20,
)


@given(STEPS)
def test_engine_time_never_goes_back(steps: list[tuple[str, float]]) -> None:
    real = FakeTime()
    clock, seen = Clock(real=real), [START]
    for name, amount in steps:
        match name:
            case "pass_s":
                real.pass_s(amount)
            case "set_wall":
                real.set_wall(amount)
            case "run_at":
                clock.run_at(amount)
            case "restart":
                clock = restored(clock.setting(), rate=None, real=real)
            case _:
                getattr(clock, name)()
        seen.append(clock.now())
    assert seen == sorted(seen)


def test_a_manual_clock_that_starts_over_may_start_at_a_time_of_its_own(real: FakeTime) -> None:
    clock = Clock(rate=0, real=real)
    clock.start_over(rate=0, at=START - timedelta(days=365))
    assert clock.now() == START - timedelta(days=365)
