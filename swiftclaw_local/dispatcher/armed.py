"""The faults that wait for an attempt to meet, in the memory of this process; they end with it.

The same faults, seed and order of attempts always meet in the same way. What a fault then does is in `faults`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final

from swiftclaw_local.dispatcher.fault_kinds import Fault
from swiftclaw_local.dispatcher.faults import Hit
from swiftclaw_local.durations import parse_duration
from swiftclaw_local.errors import InvalidInput, UnknownFault
from swiftclaw_local.storage.records import Claim

MOST_ARMED: Final = 1000
# How long the first of several deliveries is held back for the others to come, on the engine's clock.
HELD_FOR: Final = timedelta(minutes=1)
# Kinds after which the same delivery comes again, and shall then pass.
_COMES_AGAIN: Final = frozenset({"duplicate", "delay", "reorder", "burst"})


@dataclass(slots=True)
class Armed:
    """One armed fault. `times` None is until it is cleared, or `until` (aware UTC); of `reorder` and `burst` one time is a group."""

    id: str
    fault: Fault
    webhook_id: str | None
    event_id: str | None
    times: int | None
    probability: float | None
    seed: int
    until: datetime | None = None
    fired: int = 0
    held: list[str] = field(default_factory=list)
    caught: set[str] = field(default_factory=set)
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        """Begin the series of chances."""
        self.random = Random(self.seed)  # noqa: S311 - chances that repeat, no secret

    @property
    def left(self) -> int | None:
        """How many times it will meet an attempt yet; None without an end."""
        return None if self.times is None else self.times - self.fired

    @property
    def may_meet(self) -> bool:
        """Whether it is to be asked about attempts: it can meet more, or knows deliveries that come again."""
        return self.left != 0 or bool(self.caught)

    def over(self, now: datetime) -> bool:
        """Return whether it meets no attempt that begins at `now` (aware UTC) or later."""
        return self.left == 0 or (self.until is not None and now >= self.until)

    def fits(self, claim: Claim) -> bool:
        """Return whether it is meant for this delivery's webhook and event."""
        return self.webhook_id in (None, claim.webhook_id) and self.event_id in (None, claim.event_id)


class ArmedFaults:
    """All armed faults, the oldest first; an attempt meets at most one.

    `armed` tells whether any may still meet an attempt, `releasing` whether the end of an attempt lets others go.
    """

    def __init__(self) -> None:
        self.armed = False
        self.releasing = False
        self._faults: dict[str, Armed] = {}
        self._numbers: Counter[str] = Counter()
        self._after: dict[str, deque[str]] = {}  # delivery -> those that go after it, one after the other
        self._together: dict[str, list[str]] = {}  # delivery -> those that go when it was held back, at once

    # --- arming -------------------------------------------------------------------------------------------------

    def arm(
        self,
        fault: Fault,
        *,
        webhook_id: str | None = None,
        event_id: str | None = None,
        times: int | None = 1,
        probability: float | None = None,
        seed: int = 0,
        until: datetime | None = None,
    ) -> Armed:
        """Have a fault wait for attempts. Raises: InvalidInput when too many do already."""
        if len(self._faults) >= MOST_ARMED:
            self._faults = {one.id: one for one in self._faults.values() if one.may_meet}
        if len(self._faults) >= MOST_ARMED:
            raise InvalidInput(f"{MOST_ARMED} faults are armed already.", hint="Clear them: swiftclaw fault clear")
        new_id = self._new_id(of_event=event_id is not None)
        armed = Armed(new_id, fault, webhook_id, event_id, times, probability, seed, until)
        self._faults[armed.id] = armed
        self._look()
        return armed

    def _new_id(self, *, of_event: bool) -> str:
        """Return `fault-1` and so on; those of one event, which nobody lists, are counted apart."""
        kind = "event-fault" if of_event else "fault"
        self._numbers[kind] += 1
        return f"{kind}-{self._numbers[kind]}"

    def every(self) -> Iterator[Armed]:
        """Yield all, those that have met their attempts too, the oldest first; those of one event are left out."""
        return (one for one in self._faults.values() if one.event_id is None)

    def one(self, fault_id: str) -> Armed:
        """Return one. Raises: UnknownFault."""
        if fault_id not in self._faults:
            raise UnknownFault(
                f'There is no fault "{fault_id[:80]}".', hint="See them: swiftclaw fault list", field="fault"
            )
        return self._faults[fault_id]

    def remove(self, fault_id: str) -> None:
        """Disarm one; deliveries that it holds back go out in their time. Raises: UnknownFault."""
        self.one(fault_id)
        del self._faults[fault_id]
        self._look()

    def clear(self, now: datetime) -> int:
        """Disarm all; return how many could still have met an attempt."""
        live = sum(not one.over(now) for one in self._faults.values())
        self._faults.clear()
        self._look()
        return live

    # --- meeting attempts ---------------------------------------------------------------------------------------

    def take(self, claim: Claim, now: datetime) -> Hit | None:
        """Return the fault that meets an attempt which begins at `now` (aware UTC), None when none does."""
        for one in self._faults.values():
            if claim.delivery_id in one.caught:
                one.caught.discard(claim.delivery_id)
                if claim.delivery_id in one.held:
                    one.held.remove(claim.delivery_id)
                self._look()
                return None
            if not one.over(now) and one.fits(claim) and self._happens(one):
                hit = self._meet(one, claim)
                self._look()
                return hit
        return None

    @staticmethod
    def _happens(one: Armed) -> bool:
        return one.probability is None or one.random.random() < one.probability

    def _meet(self, one: Armed, claim: Claim) -> Hit:
        if one.fault.kind in _COMES_AGAIN:
            one.caught.add(claim.delivery_id)
        match one.fault.kind:
            case "reorder" | "burst":
                return self._gather(one, claim.delivery_id)
            case "delay":
                one.fired += 1
                return Hit(one.fault, hold=parse_duration(one.fault.value))
            case _:
                one.fired += 1
                return Hit(one.fault, late=one.times is None or one.fired > one.times // 2)

    def _gather(self, one: Armed, delivery_id: str) -> Hit:
        """Hold a delivery back until enough are there; the last one of them lets the others go."""
        if len(one.held) + 1 < int(one.fault.value):
            one.held.append(delivery_id)
            return Hit(one.fault, hold=HELD_FOR)
        gathered, one.held = one.held, []
        one.fired += 1
        self.releasing = True
        if one.fault.kind == "burst":
            self._together[delivery_id] = [*gathered, delivery_id]
            return Hit(one.fault, hold=HELD_FOR)
        one.caught.discard(delivery_id)  # it goes now
        self._after[delivery_id] = deque(reversed(gathered))
        return Hit(one.fault)

    def released_by(self, delivery_id: str) -> list[str]:
        """Return the deliveries that go now that an attempt of this one is written down."""
        together = self._together.pop(delivery_id, [])
        after = self._after.pop(delivery_id, None)
        if after:
            following = after.popleft()
            together = [following]
            if after:
                self._after[following] = after
        self.releasing = bool(self._after or self._together)
        return together

    def _look(self) -> None:
        """See whether any fault may meet an attempt, and forget those of one event that may not."""
        over = [one.id for one in self._faults.values() if one.event_id is not None and not one.may_meet]
        for fault_id in over:
            del self._faults[fault_id]
        self.armed = any(one.may_meet for one in self._faults.values())
