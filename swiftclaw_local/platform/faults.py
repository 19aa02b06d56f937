"""Arming faults, and saying in one line what they will do; applying them is the dispatcher's."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from swiftclaw_local.dispatcher.armed import Armed, ArmedFaults
from swiftclaw_local.dispatcher.fault_kinds import Fault, kind_of, read_fault
from swiftclaw_local.dispatcher.watch import Watch
from swiftclaw_local.durations import duration_text, parse_duration
from swiftclaw_local.errors import InvalidDuration, InvalidInput, UnknownWebhook
from swiftclaw_local.scheduler.clock import Clock
from swiftclaw_local.scheduler.clock import text as time_text
from swiftclaw_local.scheduler.policy import Schedule
from swiftclaw_local.storage.reads import Reads

# These gather several deliveries, so that there is nothing for them to do with those of one event.
GATHERING: Final = frozenset({"reorder", "burst"})


class Faults:
    """The faults that wait for attempts."""

    def __init__(
        self, armed: ArmedFaults, reads: Reads, *, clock: Clock, watch: Watch, schedule: Schedule, seed: int
    ) -> None:
        self._armed = armed
        self._reads = reads
        self._clock = clock
        self._watch = watch
        self._schedule = schedule
        self._seed = seed

    async def arm(
        self,
        kind: str,
        *,
        params: dict[str, Any] | None = None,
        webhook: str | None = None,
        times: int | None = None,
        probability: float | None = None,
        seed: int | None = None,
        lasts: str | None = None,
    ) -> Armed:
        """Have a fault wait for the attempts of a webhook, or of all: the next one, `times` of them, or each by chance.

        With `lasts`, as `3m` of the engine's clock, it meets each attempt until then.

        Raises: UnknownFaultKind, UnknownWebhook, InvalidInput.
        """
        fault = read_fault(kind, params)
        if webhook is not None and (await self._reads.webhook(webhook)).deleted_at is not None:
            raise UnknownWebhook(f"{webhook} was deleted.", field="webhook")
        if seed is not None and probability is None:
            raise InvalidInput(
                "A seed goes with a probability.", hint="Give both: --probability 0.2 --seed 7", field="seed"
            )
        armed = self._armed.arm(
            fault,
            webhook_id=webhook,
            times=1 if times is None and probability is None and lasts is None else times,
            probability=probability,
            seed=self._seed if seed is None else seed,
            until=None if lasts is None else self._until(lasts),
        )
        self._watch.look()
        return armed

    def _until(self, lasts: str) -> datetime:
        duration = parse_duration(lasts, field="lasts")
        if not duration:
            raise InvalidDuration(f'"{lasts}" leaves no time.', hint="Write 3m.", field="lasts")
        return self._clock.now() + duration

    def read_for_event(self, text: str) -> Fault:
        """Return the fault of one event's deliveries. Raises: UnknownFaultKind, InvalidInput."""
        fault = read_fault(text)
        if fault.kind in GATHERING:
            raise InvalidInput(
                f"{fault.kind} is about several events, and this is one.",
                hint=f"Arm it first: swiftclaw fault add {fault}   then: swiftclaw trigger TYPE --count {fault.value}",
                field="fault",
            )
        return fault

    def arm_for_event(self, fault: Fault, event_id: str, *, deliveries: int) -> None:
        """Have a fault meet the first attempt of each delivery of an event, before any of them is made."""
        if deliveries:
            self._armed.arm(fault, event_id=event_id, times=deliveries)

    def every(self) -> list[Armed]:
        """Return all, those that have met their attempts too, the oldest first."""
        return list(self._armed.every())

    def one(self, fault_id: str) -> Armed:
        """Return one. Raises: UnknownFault."""
        return self._armed.one(fault_id)

    def remove(self, fault_id: str) -> None:
        """Disarm one. Raises: UnknownFault."""
        self._armed.remove(fault_id)
        self._watch.look()

    def clear(self) -> int:
        """Disarm all; return how many could still have met an attempt."""
        cleared = self._armed.clear(self._clock.now())
        self._watch.look()
        return cleared

    def left(self, armed: Armed) -> int | None:
        """Return how many attempts a fault will meet yet; None without an end."""
        return 0 if armed.over(self._clock.now()) else armed.left

    def text(self, armed: Armed) -> str:
        """Return what a fault will do, as `next delivery to webhook-123 is sent twice`."""
        kind = kind_of(armed.fault)
        value = {} if kind.value is None else {kind.value.name: armed.fault.value}
        to = "from" if kind.noun == "reply" else "to"
        who = f"{to} {armed.webhook_id or 'any webhook'}"
        done = f"{_which(armed, kind.noun, who)} {kind.done.format(**value)}"
        return f"{done}.{self._more()}" if kind.noun == "reply" else done

    def _more(self) -> str:
        if not self._schedule:
            return ""
        return f" SwiftClaw will retry in {duration_text(self._schedule[0])} with the same event id."


def _which(armed: Armed, noun: str, who: str) -> str:
    """Return `the next reply from webhook-123 is`, `the next 3 deliveries to any webhook are`."""
    many = "replies" if noun == "reply" else "deliveries"
    if armed.probability is not None or armed.until is not None:
        until = "" if armed.until is None else f", until {time_text(armed.until)}"
        chance = "" if armed.probability is None else f", with a chance of {armed.probability:g} (seed {armed.seed})"
        most = "" if armed.times is None else f", {armed.times} at most"
        return f"each {noun} {who}{until}{chance}{most}, is"
    count = (armed.times or 1) * (int(armed.fault.value) if armed.fault.kind in GATHERING else 1)
    if count > 1:
        return f"the next {count} {many} {who} are"
    return f"the next {noun} {who} is" if noun == "reply" else f"next {noun} {who} is"
