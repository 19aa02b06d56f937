"""Plays a scenario over the API, one step after the other, and tells what happens as it happens; at the end, what came of it.

It is given an API and knows no HTTP; it asks the engine what time it is, and nobody else. It prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import sleep
from typing import Any, Final, Protocol
from urllib.parse import quote

from swiftclaw_local.durations import parse_duration
from swiftclaw_local.errors import ClockNotManual, Conflict, NotFound, UnknownAgent
from swiftclaw_local.events.catalog import is_system
from swiftclaw_local.plays.scenario import Advance, Arm, Clear, Emit, Idle, Replay, Scenario, Step
from swiftclaw_local.plays.verdicts import Finding, judged, wrong_on_purpose

Json = dict[str, Any]

_CLOCK: Final = "/_local/clock"
_FAULTS: Final = "/_local/faults"
_WAIT: Final = {"wait": "first", "timeout": "60s"}
# How long one look at what happens in real time is apart from the next (seconds).
_LOOK_AGAIN_S: Final = 0.5
_OPEN: Final = ("scheduled", "sending", "retrying")


class Api(Protocol):
    """The API of a server. Each call raises what the server answers, and NoServer."""

    def get(self, path: str, **query: Any) -> Any:
        """Return the JSON at a path."""

    def post(self, path: str, body: Any, **query: Any) -> Any:
        """Send JSON to a path and return the JSON of the answer."""

    def delete(self, path: str) -> Any:
        """Remove what is at a path."""


@dataclass(frozen=True, slots=True)
class Said:
    """What people are told at this moment; `at` is unix seconds on the engine's clock, as everywhere here."""

    text: str
    at: float


@dataclass(frozen=True, slots=True)
class Delivered:
    """A delivery after its first attempt, or after a later one."""

    delivery: Json
    at: float


@dataclass(frozen=True, slots=True)
class NobodyTook:
    """An event that no webhook wanted."""

    event: Json
    at: float


@dataclass(frozen=True, slots=True)
class Ran:
    """One attempt that ran while the clock was moved, as the clock's routes tell it."""

    send: Json
    at: float


Happening = Said | Delivered | NobodyTook | Ran


@dataclass(frozen=True, slots=True)
class Asked:
    """How to play: whose events, to which webhook alone, and whether to wait in real time where the clock is to move."""

    agent: str | None = None
    webhook: str | None = None
    real_time: bool = False


@dataclass(slots=True)
class Played:
    """What came of it. `deliveries` are those of this play, as they stand at its end."""

    scenario: str
    began_at: float
    ended_at: float = 0
    events: list[str] = field(default_factory=list)
    deliveries: list[Json] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    canceled: int = 0

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return bool(self.deliveries) and not any(one.result == "fail" for one in self.findings)

    @property
    def undelivered(self) -> int:
        """How many deliveries are not through, though nothing was wrong with them on purpose."""
        return sum(one.check in (None, "DUP-1") and one.result == "fail" for one in self.findings)


class Play:
    """One play of a scenario: `for happening in play.happenings()`, and then `play.played`."""

    def __init__(self, api: Api, scenario: Scenario, asked: Asked) -> None:
        self._api = api
        self._scenario = scenario
        self._asked = asked
        self._agent = asked.agent or scenario.agent
        self._webhook: str | None = None
        self._armed: list[str] = []
        self._own: dict[str, tuple[str | None, bool]] = {}  # delivery -> what is expected of it, whether it is a replay
        self._named: dict[str, list[str]] = {}  # an event's name -> its deliveries
        self._seen: dict[str, int] = {}  # delivery -> attempts that were told
        self.played = Played(scenario.name, 0)

    def happenings(self) -> Iterator[Happening]:
        """Play, and yield what happens. Faults that are still armed at the end, or when nobody listens any more, are disarmed.

        Raises: ClockNotManual when the clock has to move and follows real time; UnknownAgent, UnknownWebhook; and what the
        server answers.
        """
        self._check()
        self.played.began_at = self._now()
        try:
            for step in self._scenario.steps:
                if step.say is not None:
                    yield Said(step.say, self._now())
                yield from self._act(step)
        finally:
            self._disarm()
        yield from self._judge()

    # --- before -------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        """Find what cannot be played before anything is."""
        clock = self._api.get(_CLOCK)
        if self._scenario.moves_clock and clock["mode"] != "manual" and not self._asked.real_time:
            name = self._scenario.name
            raise ClockNotManual(
                f"{name} moves the clock, and the clock follows real time.",
                hint=f"Freeze it first: swiftclaw clock freeze\nOr wait in real time: swiftclaw play {name} --real-time",
            )
        if self._asked.real_time and clock["mode"] == "manual":
            raise ClockNotManual(
                "The clock is frozen: it would never get there by waiting.",
                hint="Leave out --real-time, or let it run: swiftclaw clock resume",
            )
        listed = self._api.get("/v1/webhooks", limit=500)["data"]
        own = [one["id"] for one in listed if one["agent"] == self._agent]
        wanted = self._asked.webhook
        if wanted is not None:
            self._api.get(f"/v1/agents/{_part(self._agent)}/webhooks/{_part(wanted)}")
        elif not own and not all(_is_for_all(step) for step in self._scenario.steps):
            others = ", ".join(sorted({one["agent"] for one in listed})[:10])
            raise UnknownAgent(
                f'No webhook of "{self._agent}" is there to play to.' + (f" Agents: {others}" if others else ""),
                hint=f"Register one: swiftclaw webhooks create {self._agent} --url http://localhost:8000/webhooks/swiftclaw",
                field="--agent",
            )
        self._webhook = wanted or (own[0] if len(own) == 1 else None)

    # --- steps --------------------------------------------------------------------------------------------------

    def _act(self, step: Step) -> Iterator[Happening]:
        match step.act:
            case Emit() as emit:
                yield from self._emit(emit)
            case Arm() as arm:
                yield self._arm(arm)
            case Clear():
                self._disarm()
                yield Said("Faults disarmed.", self._now())
            case Replay() as replay:
                yield from self._replay(replay)
            case Advance(by=by):
                yield from self._move(by)
            case Idle():
                yield from self._run_out()
            case None:
                pass

    def _emit(self, emit: Emit) -> Iterator[Happening]:
        if emit.every is not None:
            for _ in range(emit.count):
                yield from self._attempted(emit, self._announce(emit, **_WAIT))
                yield from self._move(emit.every)
            return
        if emit.count == 1:
            yield from self._attempted(emit, self._announce(emit, **_WAIT))
            return
        announced = [self._announce(emit) for _ in range(emit.count)]
        for one in announced:
            yield from self._attempted(emit, one)

    def _announce(self, emit: Emit, **query: str) -> Json:
        body: Json = {
            "type": emit.type,
            "data": emit.data,
            "exact": emit.exact or None,
            "fault": emit.fault,
            "id": emit.id,
            "webhook": self._asked.webhook,
        }
        given = {name: value for name, value in body.items() if value is not None}
        announced: Json = self._api.post(f"/v1/agents/{_part(emit.agent or self._agent)}/events", given, **query)
        self.played.events.append(announced["event"]["id"])
        for delivery in announced["deliveries"]:
            self._own[delivery["id"]] = (emit.expect, False)
        if emit.name is not None:
            self._named[emit.name] = [delivery["id"] for delivery in announced["deliveries"]]
        return announced

    def _attempted(self, emit: Emit, announced: Json) -> Iterator[Happening]:
        if not announced["deliveries"]:
            yield NobodyTook(announced["event"], self._now())
        for made in announced["deliveries"]:
            yield self._after_first(made["id"])

    def _after_first(self, delivery_id: str) -> Delivered:
        delivery = self._api.get(f"/v1/deliveries/{delivery_id}", **_WAIT)
        self._seen[delivery_id] = delivery["sends"]
        return Delivered(delivery, self._now())

    def _arm(self, arm: Arm) -> Said:
        body = {
            "kind": arm.kind,
            "webhook": self._webhook,
            "times": arm.times,
            "probability": arm.probability,
            "seed": arm.seed,
            "lasts": arm.lasts,
        }
        armed = self._api.post(_FAULTS, {name: value for name, value in body.items() if value is not None})
        self._armed.append(armed["id"])
        return Said(f"{armed['id']} armed: {armed['text']}", self._now())

    def _disarm(self) -> None:
        while self._armed:
            try:
                self._api.delete(f"{_FAULTS}/{self._armed.pop()}")
            except NotFound:  # somebody cleared it
                continue

    def _replay(self, replay: Replay) -> Iterator[Happening]:
        for delivery_id in self._named[replay.name]:
            try:
                made = self._api.post(f"/v1/deliveries/{delivery_id}/replay", {})
            except Conflict as error:
                yield Said(f"It is not sent again: {error.message}", self._now())
                continue
            self._own[made["id"]] = (replay.expect, True)
            yield self._after_first(made["id"])

    # --- time ---------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return float(self._api.get(_CLOCK)["now"])

    def _move(self, by: str) -> Iterator[Happening]:
        if self._asked.real_time:
            return self._wait_until(self._now() + parse_duration(by).total_seconds())
        return self._ran(self._api.post(f"{_CLOCK}/advance", {"by": by}))

    def _run_out(self) -> Iterator[Happening]:
        if self._asked.real_time:
            return self._wait_until(None)
        return self._ran(self._api.post(f"{_CLOCK}/idle", {}))

    def _ran(self, moved: Json) -> Iterator[Happening]:
        for send in moved["sends"]:
            if send["delivery"] in self._own:
                self._seen[send["delivery"]] = send["n"]
            yield Ran(send, send["at"])
        if moved["stopped_early"]:
            yield Said(f"Stopped after {len(moved['sends'])} sends: more is due.", moved["now"])

    def _wait_until(self, goal: float | None) -> Iterator[Happening]:
        """Wait until the engine's clock is there, or with None until no delivery of this play is open any more."""
        while True:
            yield from self._news()
            now = self._now()
            if (goal is not None and now >= goal) or (goal is None and not self._open()):
                return
            sleep(_LOOK_AGAIN_S)

    def _open(self) -> list[str]:
        return [name for name in self._own if self._api.get(f"/v1/deliveries/{name}")["state"] in _OPEN]

    def _news(self) -> Iterator[Happening]:
        """Yield deliveries of this play that went on since they were last told."""
        page: Json = {"data": [], "next": None}
        missing = set(self._own)
        while missing and (page["next"] or not page["data"]):
            page = self._api.get(
                "/v1/deliveries", limit=500, since=f"{self.played.began_at - 1:.0f}", cursor=page["next"]
            )
            for listed in page["data"]:
                missing.discard(listed["id"])
                if listed["id"] in self._own and listed["sends"] > self._seen.get(listed["id"], 0):
                    self._seen[listed["id"]] = listed["sends"]
                    yield Delivered(listed, self._now())
            if not page["data"]:
                return

    # --- after --------------------------------------------------------------------------------------------------

    def _judge(self) -> Iterator[Happening]:
        played = self.played
        for delivery_id, (expect, replay) in self._own.items():
            delivery = self._api.get(f"/v1/deliveries/{delivery_id}")
            if delivery["state"] in _OPEN and wrong_on_purpose(delivery) and self._canceled(delivery_id):
                played.canceled += 1
                delivery = self._api.get(f"/v1/deliveries/{delivery_id}")
            played.deliveries.append(delivery)
            finding = judged(delivery, expect=expect, replay=replay)
            if finding is not None:
                played.findings.append(finding)
        if played.canceled:
            yield Said(
                f"{played.canceled} canceled: the retry of what was wrong on purpose proves nothing.", self._now()
            )
        played.ended_at = self._now()

    def _canceled(self, delivery_id: str) -> bool:
        try:
            self._api.post(f"/v1/deliveries/{delivery_id}/cancel", {})
        except Conflict:  # it is on its way at this moment
            return False
        return True


def _is_for_all(step: Step) -> bool:
    """Return whether a step needs no webhook of the scenario's agent."""
    return not isinstance(step.act, Emit) or step.act.agent is not None or is_system(step.act.type)


def _part(name: str) -> str:
    """Return a name as one part of a path."""
    return quote(name, safe="@:") if name not in (".", "..") else name.replace(".", "%2E")


def play(api: Api, scenario: Scenario, asked: Asked) -> Played:
    """Play a scenario to its end, and return what came of it. Raises: as `Play.happenings`."""
    one = Play(api, scenario, asked)
    for _ in one.happenings():
        pass
    return one.played
