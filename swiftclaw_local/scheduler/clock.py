"""The engine's clock, and the only file that asks what time it is.

One straight line: engine time = anchor + rate x (real time passed since the anchor). Rate 1 is the real clock, N runs N
times as fast, 0 stands still until moved. It never goes back, whatever the wall clock does. It knows nothing of deliveries.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Protocol

from swiftclaw_local.errors import ClockBackwards, ClockNotManual, InvalidSetting

Mode = Literal["real", "manual", "fast"]

# A wall clock that differs from the engine's by more than this was set, not merely corrected.
JUMP: Final = timedelta(seconds=1)


class RealTime(Protocol):
    """The two clocks of the operating system: unix seconds, and seconds that never go back."""

    def wall(self) -> float: ...
    def monotonic(self) -> float: ...


class SystemTime:
    """The operating system's clocks."""

    wall = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


@dataclass(frozen=True, slots=True)
class ClockSetting:
    """What is kept of a clock between two runs: its rate (0 = manual) and where it stood, or its lead on the wall clock."""

    rate: float
    at: datetime
    lead: timedelta


class Clock:
    """Engine time: `now()` is aware UTC and never decreases."""

    def __init__(
        self,
        *,
        rate: float = 1.0,
        start: datetime | None = None,
        real: RealTime | None = None,
        set_back: timedelta = timedelta(),
    ) -> None:
        self._set_back = set_back
        self._real: RealTime = real or SystemTime()
        self._rate = rate
        self._anchor_at = start or self._wall()
        if rate == 0 and start is None:
            self._anchor_at = whole_second(self._anchor_at)
        self._anchor_monotonic = self._real.monotonic()
        self._last = self._anchor_at
        self._ahead = self._anchor_at - self._wall()
        self._moved: list[Callable[[], None]] = []

    @property
    def mode(self) -> Mode:
        """real, manual, or fast."""
        return "manual" if self._rate == 0 else "real" if self._rate == 1 else "fast"

    @property
    def rate(self) -> float:
        """How many engine seconds pass in a real second."""
        return self._rate

    def now(self) -> datetime:
        """Return the engine's time, aware UTC."""
        if self._rate:
            passed = (self._real.monotonic() - self._anchor_monotonic) * self._rate
            moment = self._anchor_at + timedelta(0, passed)
            if moment > self._last:  # noqa: PLR1730 - max() takes twice as long, and a delivery asks several times
                self._last = moment
        return self._last

    def lead(self) -> timedelta:
        """Return how far the engine's time is ahead of the wall clock (negative: behind)."""
        return self.now() - self._wall()

    @property
    def set_back(self) -> timedelta:
        """By how much the wall clock was set back and has not caught up with us: that much of the lead is none of ours."""
        return self._set_back

    def real_seconds_until(self, moment: datetime) -> float | None:
        """Return the real seconds until engine time reaches `moment`, 0 when it has; None when the clock stands still."""
        missing = (moment - self.now()).total_seconds()
        if missing <= 0:
            return 0.0
        return None if self._rate == 0 else missing / self._rate

    def on_move(self, wake: Callable[[], None]) -> None:
        """Have `wake` called whenever the clock is moved, frozen or resumed."""
        self._moved.append(wake)

    def freeze(self) -> datetime:
        """Stand still at the next whole second, and return it. A clock that stands still already stays where it is."""
        if self._rate != 0:
            self._set(rate=0.0, at=whole_second(self.now()))
        return self.now()

    def resume(self) -> datetime:
        """Run at the real pace from here, or from the wall clock's time when that is later; return the engine's time."""
        self._set(rate=1.0, at=max(self.now(), self._wall()))
        self._set_back = _noticeable(min(self._set_back, self.lead()))
        return self.now()

    def run_at(self, rate: float) -> None:
        """Run `rate` times as fast as real time from here on.

        Raises: InvalidSetting when the rate is not a finite number above 0.
        """
        if not (0 < rate < math.inf):
            raise InvalidSetting(f"A clock cannot run at x{rate:g}.", hint="Write x2 or x60.", field="clock")
        self._set(rate=rate, at=self.now())

    def check_manual(self) -> None:
        """Check that this clock may be moved. Raises: ClockNotManual."""
        if self._rate != 0:
            raise ClockNotManual(hint="Freeze it first: swiftclaw clock freeze")

    def check_not_before_now(self, moment: datetime) -> None:
        """Check that `moment` (aware UTC) has not passed. Raises: ClockBackwards."""
        if moment < self.now():
            raise ClockBackwards(
                f"The clock stands at {text(self.now())} and never goes back.",
                hint="To start over: swiftclaw reset --yes",
            )

    def move_to(self, moment: datetime) -> None:
        """Move a manual clock to `moment` (aware UTC).

        Raises: ClockNotManual; ClockBackwards.
        """
        self.check_manual()
        self.check_not_before_now(moment)
        self._set(rate=0.0, at=moment)

    def resync(self) -> timedelta:
        """Notice that the wall clock was set, and return by how much (negative: it was set back).

        A real clock follows a wall clock that was set forward, and goes on at its own pace when it was set back. What is
        then set forward again only catches up: a wall clock that flaps must not drive this one ahead of itself. Small
        differences, and clocks that do not run at the real pace, are left alone and returned as 0.
        """
        jump = self._wall() + self._ahead - self.now()
        if self._rate != 1 or abs(jump) < JUMP:
            return timedelta()
        behind = self._set_back - jump
        self._set_back = _noticeable(behind)
        self._set(rate=1.0, at=self.now() + max(-behind, timedelta()))
        return jump

    def setting(self) -> ClockSetting:
        """Return what to keep of this clock, so that `restored` can go on from it."""
        return ClockSetting(rate=self._rate, at=self.now(), lead=max(self.lead() - self._set_back, timedelta()))

    def start_over(self, *, rate: float, at: datetime | None = None) -> None:
        """Begin anew, as a fresh engine does: the one way back, for a reset that forgets everything.

        It begins at the wall clock's time, or at another (aware UTC), which only a clock that stands still should.
        """
        start = self._wall() if at is None else at
        self._set_back = timedelta()
        self._last = whole_second(start) if rate == 0 else start
        self._set(rate=rate, at=self._last)

    def _set(self, *, rate: float, at: datetime) -> None:
        self._rate = rate
        self._anchor_at = at
        self._anchor_monotonic = self._real.monotonic()
        self._ahead = at - self._wall()
        self._last = max(self._last, at)
        for wake in self._moved:
            wake()

    def _wall(self) -> datetime:
        return datetime.fromtimestamp(self._real.wall(), UTC)


def restored(setting: ClockSetting | None, *, rate: float | None, real: RealTime | None = None) -> Clock:
    """Return the clock of a new run: of the kept mode unless `rate` asks for another, and never before the kept time.

    A kept real clock that was ahead of the wall clock by `lead` is ahead by as much again.
    """
    if setting is None:
        return Clock(rate=1.0 if rate is None else rate, real=real)
    wanted = setting.rate if rate is None else rate
    real = real or SystemTime()
    wall = datetime.fromtimestamp(real.wall(), UTC)
    if wanted == 0 and setting.rate == 0:
        return Clock(rate=0.0, start=setting.at, real=real)
    if setting.rate != 1:
        start, set_back = max(setting.at, wall), timedelta()
    else:
        start = max(setting.at, wall + setting.lead)
        set_back = _noticeable(start - wall - setting.lead)
    return Clock(rate=wanted, start=whole_second(start) if wanted == 0 else start, real=real, set_back=set_back)


def _noticeable(span: timedelta) -> timedelta:
    return span if span >= JUMP else timedelta()


def whole_second(moment: datetime) -> datetime:
    """Return the first whole second at or after `moment`."""
    return moment if moment.microsecond == 0 else moment.replace(microsecond=0) + timedelta(seconds=1)


def text(moment: datetime) -> str:
    """Return `2026-11-23 14:10:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


class Stopwatch:
    """Measures real milliseconds from its making, whatever the engine's clock does."""

    __slots__ = ("_started",)

    def __init__(self) -> None:
        self._started = time.perf_counter()

    def elapsed_ms(self) -> int:
        """Return whole milliseconds since the start."""
        return round((time.perf_counter() - self._started) * 1000)


monotonic = time.monotonic
