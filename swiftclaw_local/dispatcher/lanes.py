"""The ready queues: claims waiting for a slot, one lane per webhook, so that nobody waits for another's receiver.

Only counts and queues; it sends nothing and knows no time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from swiftclaw_local.storage.records import Claim

_NONE: Final[frozenset[str]] = frozenset()


def is_late(claim: Claim, now: float) -> bool:
    """Return whether the attempt of a claim may not begin any more: its lease might end, and another send, before it does."""
    return claim.begin_by is not None and now > claim.begin_by


@dataclass(slots=True)
class Lane:
    """One webhook's claims: those that wait, and the number in flight."""

    webhook_id: str
    waiting: deque[Claim] = field(default_factory=deque)
    in_flight: int = 0
    in_turn: bool = False


class Lanes:
    """All lanes, and whose turn it is: lanes with a waiting claim take turns, full ones step aside."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}
        self._turn: deque[Lane] = deque()
        self.in_flight = 0
        self.waiting = 0

    def put(self, claim: Claim) -> None:
        """Queue a claim behind its webhook's others."""
        lane = self._lanes.get(claim.webhook_id)
        if lane is None:
            lane = self._lanes[claim.webhook_id] = Lane(claim.webhook_id)
        lane.waiting.append(claim)
        self.waiting += 1
        self._line_up(lane)

    def take(self, *, slots: int) -> Claim | None:
        """Return the next claim of a lane with fewer than `slots` in flight, counted as in flight from now on."""
        while self._turn:
            lane = self._turn.popleft()
            lane.in_turn = False
            if lane.waiting and lane.in_flight < slots:
                claim = lane.waiting.popleft()
                lane.in_flight += 1
                self.in_flight += 1
                self.waiting -= 1
                self._line_up(lane)
                return claim
        return None

    def done(self, webhook_id: str) -> int:
        """Count one attempt of this webhook as no longer in flight; return how many of its claims wait."""
        lane = self._lanes[webhook_id]
        lane.in_flight -= 1
        self.in_flight -= 1
        if lane.waiting:
            self._line_up(lane)
        elif lane.in_flight == 0:
            del self._lanes[webhook_id]
        return len(lane.waiting)

    def withdraw(self, webhook_id: str | None = None) -> list[Claim]:
        """Take waiting claims out again, one webhook's or all, and return them."""
        chosen = [lane for lane in self._lanes.values() if webhook_id in (None, lane.webhook_id)]
        claims = [claim for lane in chosen for claim in lane.waiting]
        for lane in chosen:
            lane.waiting.clear()
            if lane.in_flight == 0:
                del self._lanes[lane.webhook_id]
        self.waiting -= len(claims)
        return claims

    def withdraw_late(self, now: float) -> list[Claim]:
        """Take out the waiting claims whose attempts may not begin any more at `now` (monotonic seconds), and return them."""
        late: list[Claim] = []
        for lane in list(self._lanes.values()):
            gone = [claim for claim in lane.waiting if is_late(claim, now)]
            if gone:
                late += gone
                lane.waiting = deque(claim for claim in lane.waiting if not is_late(claim, now))
                if not lane.waiting and lane.in_flight == 0:
                    del self._lanes[lane.webhook_id]
        self.waiting -= len(late)
        return late

    def clear(self) -> None:
        """Forget all that waits or is in flight: there is nothing of it any more."""
        self._lanes.clear()
        self._turn.clear()
        self.in_flight = self.waiting = 0

    def load(self) -> dict[str, int]:
        """Return, per webhook, how many claims are waiting or in flight."""
        return {lane.webhook_id: len(lane.waiting) + lane.in_flight for lane in self._lanes.values()}

    def full(self, most: int) -> frozenset[str]:
        """Return the webhooks with at least `most` claims waiting or in flight."""
        if self.waiting + self.in_flight < most:
            return _NONE  # asked at every event, and most often there is nothing to look through
        return frozenset(lane.webhook_id for lane in self._lanes.values() if len(lane.waiting) + lane.in_flight >= most)

    def _line_up(self, lane: Lane) -> None:
        if not lane.in_turn and lane.waiting:
            lane.in_turn = True
            self._turn.append(lane)
