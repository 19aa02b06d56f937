"""The values of replays of many deliveries, as they go into and come out of the store. Times are aware UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from swiftclaw_local.storage.states import ENDED, State

# More than these in one replay are refused.
MOST_ITEMS: Final = 100_000

ReplayState = Literal["running", "paused", "stopped", "done"]


@dataclass(frozen=True, slots=True)
class Replayable:
    """A delivery that a replay would send again, with what a plan says of it."""

    delivery_id: str
    event_id: str
    event_type: str
    webhook_id: str
    state: State
    created_at: datetime
    last_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReplayWish:
    """How a replay is to go: deliveries a second, how many go first and are waited for, after how many failures in a row it stops.

    `to_webhook` takes the place of each delivery's own webhook; `wanted` is the filter as it was asked for, as JSON.
    """

    wanted: str
    rate: float
    canary: int
    stop_after: int | None
    with_retries: bool
    to_webhook: str | None


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay of many deliveries, and where it stands. `reason` says why it stopped."""

    id: str
    state: ReplayState
    reason: str | None
    wish: ReplayWish
    total: int
    judged_after: int
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReplayCounts:
    """What became of a replay's deliveries so far; `sending` were made and have no attempt yet, `left` have not had their turn."""

    fixed: int
    still_failing: int
    regressed: int
    still_ok: int
    skipped: int
    sending: int
    left: int


@dataclass(frozen=True, slots=True)
class ReplayItem:
    """One delivery of a replay, and how the one made for it stands; None where none was made."""

    number: int
    delivery_id: str
    was_delivered: bool
    new_id: str | None
    skipped: str | None
    state: State | None
    attempts: int
    status: int | None
    error_class: str | None
    duration_ms: int | None

    @property
    def decided(self) -> bool:
        """Whether it is known what came of it: it was attempted, or ended without."""
        return (
            self.state is not None and (self.attempts > 0 or self.state in ENDED) and self.state is not State.IN_FLIGHT
        )

    @property
    def delivered(self) -> bool:
        """Whether it got its 2xx."""
        return self.state is State.SUCCEEDED


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """What one step of a replay made: the numbers and ids of new deliveries, and how many were skipped."""

    made: tuple[tuple[int, str], ...]
    skipped: int
