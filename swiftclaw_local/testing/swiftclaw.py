"""A SwiftClaw for one test: register, emit, move the clock, look, claim. Each verb is one or two calls of the API.

A verb returns when the receiver has answered, so that a test needs neither to sleep nor to poll.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from swiftclaw_local.durations import duration_text
from swiftclaw_local.errors import WaitTimeout
from swiftclaw_local.plays.keeping import keep
from swiftclaw_local.plays.library import is_recording, scenario_of
from swiftclaw_local.plays.playing import Asked, play
from swiftclaw_local.plays.replaying import Replayed, contents, parse_speed, replay
from swiftclaw_local.testing.certification import Certification, certification, counting
from swiftclaw_local.testing.connection import Connection, in_path
from swiftclaw_local.testing.delivery import Delivery, NoDelivery
from swiftclaw_local.testing.played import Played, of_recording, of_scenario
from swiftclaw_local.testing.timeline import timeline

AGENT: Final = "my-agent"
# Longer than the ten seconds that a receiver is given for its answer, so that the answer is what ends the wait.
FIRST_SEND: Final = "20s"
_PAGE: Final = 500
_SHOWN: Final = 20  # deliveries in one failure's text
# Where the clock starts when a seed asks for the same ids each time: they hold the time.
SEEDED_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A registered URL."""

    id: str
    agent: str
    url: str
    events: tuple[str, ...]
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Moved:
    """What happened while the clock moved: `sends` requests were made, `delivered` of them with success.

    `now` is where the clock stands (aware UTC), `scheduled` how many deliveries still wait.
    """

    now: datetime
    sends: int
    delivered: int
    scheduled: int


class EngineClock:
    """The engine's clock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def now(self) -> datetime:
        """The engine's time, aware UTC."""
        return datetime.fromtimestamp(self._connection.get("/_local/clock")["now"], UTC)

    @property
    def mode(self) -> str:
        """`manual`, `real` or `fast`."""
        return str(self._connection.get("/_local/clock")["mode"])


class Swiftclaw:
    """A SwiftClaw at the other end of a connection. `secret` signs the events of every webhook that names no other."""

    def __init__(self, connection: Connection, *, secret: str) -> None:
        self.secret = secret
        self.clock = EngineClock(connection)
        self._connection = connection

    @property
    def url(self) -> str:
        """The address of its API."""
        return self._connection.url

    def start_over(self, *, clock: str = "manual", seed: int | None = None) -> None:
        """Forget everything. With a seed, ids and times are the same each time."""
        fresh: dict[str, Any] = {} if seed is None else {"seed": seed, "at": int(SEEDED_START.timestamp())}
        self._connection.post("/_local/reset", fresh)
        if self.clock.mode != clock:
            self._connection.post("/_local/clock", {"mode": clock})

    # --- do -----------------------------------------------------------------------------------------------------

    def webhook(
        self, url: str, *, events: list[str] | None = None, agent: str = AGENT, secret: str | None = None
    ) -> Webhook:
        """Register a receiver's URL for an agent's events: all nine types unless told otherwise.

        Raises: InvalidUrl, UnknownEventType.
        """
        wanted = {"url": url, "events": events, "secret": self.secret if secret is None else secret}
        made = self._connection.post(f"/v1/agents/{in_path(agent)}/webhooks", wanted)
        return Webhook(made["id"], made["agent"], made["url"], tuple(made["events"]), made["secret"])

    def emit(self, type: str, /, *, agent: str = AGENT, **data: Any) -> Delivery:
        """Announce an event, and return its delivery when the receiver has answered the first send.

        `data` is laid over the sample of the type. When no webhook wants the event, whoever looks at the returned delivery
        is told so. Raises: UnknownEventType; AssertionError when several webhooks got it: then `emit_all` is meant.
        """
        __tracebackhide__ = True
        document = self._emit(type, agent=agent, data=data)
        deliveries = self._of(document)
        if not deliveries:
            return NoDelivery(self._connection, document["event"], self._who_takes(type, agent=agent))
        if len(deliveries) > 1:
            names = ", ".join(one["webhook_id"] for one in document["deliveries"])
            raise AssertionError(
                f"{type} went to {len(deliveries)} webhooks: {names}. emit_all() returns all deliveries."
            )
        return deliveries[0]

    def emit_all(self, type: str, /, *, agent: str = AGENT, **data: Any) -> list[Delivery]:
        """Announce an event, and return one delivery for each webhook that got it. Raises: UnknownEventType."""
        return self._of(self._emit(type, agent=agent, data=data))

    def replay(self, delivery: Delivery, *, with_retries: bool = False) -> Delivery:
        """Send an ended delivery's event again, byte for byte, and return the new delivery after its first send.

        Raises: DeliveryPending, ReplayOpen.
        """
        made = self._connection.post(f"/v1/deliveries/{delivery.id}/replay", {"with_retries": with_retries})
        self._connection.get(f"/v1/deliveries/{made['id']}", wait="first", timeout=FIRST_SEND)
        return Delivery(self._connection, made["id"], made["event_type"])

    def advance(self, by: str) -> Moved:
        """Move the clock, as by `6m` or `1h30m`, and make every retry that becomes due on the way.

        Raises: InvalidDuration, ClockNotManual.
        """
        return _moved(self._connection.post("/_local/clock/advance", {"by": by}))

    def run_until_idle(self) -> Moved:
        """Make every retry that is scheduled, and move the clock to the last one. Raises: ClockNotManual."""
        return _moved(self._connection.post("/_local/clock/idle", {}))

    def wait(self, delivery: Delivery, state: str = "delivered", *, timeout: float = 5) -> Delivery:
        """Wait until a delivery is in a state, at most so many real seconds. Raises: AssertionError, with the timeline."""
        __tracebackhide__ = True
        wait = "first" if state == "retrying" else "settled"
        milliseconds = f"{max(1, round(timeout * 1000))}ms"
        try:
            shown = self._connection.get(f"/v1/deliveries/{delivery.id}", wait=wait, timeout=milliseconds)
        except WaitTimeout as error:
            shown = error.extra["delivery"]
        if shown["state"] != state:
            told = [f"expected {state} within {timeout:g} s", *timeline(shown), *self._why_it_waits(shown)]
            raise AssertionError("\n".join(told))
        return delivery

    def fault(
        self,
        kind: str,
        *,
        times: int | None = None,
        webhook: str | None = None,
        probability: float | None = None,
        seed: int | None = None,
        lasts: str | None = None,
        **params: str | int,
    ) -> None:
        """Misbehave on purpose: at the next attempt, at so many `times`, by chance, or for as long as it `lasts`, as `3m`.

        With a `webhook`'s id for that one, else for all.

        `params` are the kind's own, as `delay="30s"`. Raises: UnknownFaultKind, UnknownWebhook, InvalidInput.
        """
        wanted = {"kind": kind, "times": times, "webhook": webhook, "probability": probability, "seed": seed}
        self._connection.post("/_local/faults", {**wanted, "lasts": lasts, "params": params})

    def play(
        self,
        what: str | Path,
        *,
        agent: str | None = None,
        webhook: str | None = None,
        keep_ids: bool = False,
        speed: str = "max",
    ) -> Played:
        """Play a scenario by its name or file, or a recording, and return what came of it.

        A scenario waits in real time where it moves a clock that runs. `agent` is for scenarios, `keep_ids` and `speed`
        (`max`, `1x`, `10x`) for recordings; `webhook` is the id of the only one to play to.

        Raises: UnknownScenario, InvalidScenario, InvalidRecording, UnknownAgent, UnknownWebhook, EventIdTaken, InvalidInput.
        """
        name = str(what)
        if not is_recording(name):
            asked = Asked(agent, webhook, real_time=self.clock.mode != "manual")
            return of_scenario(self._connection, play(self._connection, scenario_of(name), asked))
        path = Path(name)
        contents(path)
        steps = replay(self._connection, path, keep_ids=keep_ids, webhook=webhook, speed=parse_speed(speed))
        last = deque(steps, maxlen=1)
        return of_recording(self._connection, path.name, last.pop() if last else Replayed())

    def record(self, path: str | Path, *, type: str | None = None, agent: str | None = None) -> Path:
        """Write the events announced so far in this test into a file, for `play`; over what is there. No secret is in it."""
        kept = Path(path)
        keep(kept, [self._connection.download("/_local/export", type=type, agent=agent)], overwrite=True)
        return kept

    def certify(
        self, url: str, secret: str | None = None, *, effects: Callable[[], int] | None = None
    ) -> Certification:
        """Send about forty requests to a receiver, judge its answers by SwiftClaw's page, and return the report.

        `effects` tells how many events the receiver has processed so far; without it, nobody sees whether one was done twice.
        """
        hook = self.webhook(url, secret=secret)
        with counting(effects) if effects else nullcontext() as effects_url:
            found = self._connection.post("/_local/certify", {"webhook": hook.id, "effects_url": effects_url})
        self._connection.call("DELETE", f"/v1/agents/{in_path(hook.agent)}/webhooks/{hook.id}")
        return certification(found)

    def sign(self, body: bytes | str, secret: str | None = None) -> str:
        """Return the signature of a body, as in `X-SwiftClaw-Signature`: 64 lower-case hex digits."""
        raw = body.encode() if isinstance(body, str) else body
        return hmac.new((self.secret if secret is None else secret).encode(), raw, hashlib.sha256).hexdigest()

    # --- look ---------------------------------------------------------------------------------------------------

    def deliveries(
        self,
        type: str | None = None,
        *,
        state: str | None = None,
        agent: str | None = None,
        webhook: str | None = None,
        event: str | None = None,
    ) -> list[Delivery]:
        """Return the deliveries that match, oldest first; `webhook` and `event` are ids."""
        listed = self._listed(type=type, state=state, agent=agent, webhook=webhook, event=event)
        return [Delivery(self._connection, one["id"], one["event_type"]) for one in listed]

    def timelines(self) -> str:
        """Return what happened to each delivery, oldest first; of many, the last twenty."""
        listed = self._listed()
        texts = [self._timeline(one["id"]) for one in listed[-_SHOWN:]]
        left_out = [f"({len(listed) - _SHOWN} older deliveries are not shown)"] if len(listed) > _SHOWN else []
        return "\n".join(left_out + texts) or "(no deliveries)"

    def assert_nothing_sent(self) -> None:
        """Claim that no request was made. Raises: AssertionError, with the timelines of what was sent."""
        __tracebackhide__ = True
        sent = [one for one in self._listed() if one["sends"] or one["state"] == "sending"]
        if sent:
            texts = [self._timeline(one["id"]) for one in sent[:_SHOWN]]
            raise AssertionError("\n".join(["expected that nothing is sent", *texts]))

    def assert_delivered(self, type: str, times: int = 1) -> None:
        """Claim how many deliveries of a type the receivers took. Raises: AssertionError, with all timelines."""
        __tracebackhide__ = True
        found = len(self._listed(type=type, state="delivered"))
        if found != times:
            told = f"expected {times} delivered {type}, found {found}"
            raise AssertionError("\n".join([told, self.timelines()]))

    # --- how ----------------------------------------------------------------------------------------------------

    def _emit(self, type: str, *, agent: str, data: dict[str, Any]) -> dict[str, Any]:
        path = f"/v1/agents/{in_path(agent)}/events"
        answer: dict[str, Any] = self._connection.call(
            "POST", path, body={"type": type, "data": data}, query={"wait": "first", "timeout": FIRST_SEND}
        )
        return answer

    def _of(self, emitted: dict[str, Any]) -> list[Delivery]:
        return [Delivery(self._connection, one["id"], one["event_type"]) for one in emitted["deliveries"]]

    def _who_takes(self, type: str, *, agent: str) -> str:
        every = self._connection.get("/v1/webhooks", limit=_PAGE)["data"]
        own = [one for one in every if type.startswith("system.") or one["agent"] == agent]
        if not own:
            return f"{agent} has no webhook. Register one: swiftclaw.webhook(url, agent={agent!r})"
        return "; ".join(f"{one['id']} takes {', '.join(one['events'])}" for one in own)

    def _why_it_waits(self, shown: dict[str, Any]) -> list[str]:
        if shown["next_in_s"] is None or shown["held"] or self.clock.mode != "manual":
            return []
        by = duration_text(timedelta(seconds=shown["next_in_s"]))
        return [f'The clock stands still until you move it: swiftclaw.advance("{by}")']

    def _listed(self, **wanted: str | None) -> list[dict[str, Any]]:
        """Return the deliveries that match as lists show them, oldest first."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self._connection.get("/v1/deliveries", limit=_PAGE, cursor=cursor, **wanted)
            found += page["data"]
            cursor = page["next"]
            if cursor is None:
                return found[::-1]

    def _timeline(self, delivery_id: str) -> str:
        return "\n".join(timeline(self._connection.get(f"/v1/deliveries/{delivery_id}")))


def _moved(answer: dict[str, Any]) -> Moved:
    now = datetime.fromtimestamp(answer["now"], UTC)
    return Moved(now, len(answer["sends"]), answer["delivered"], answer["scheduled"])
