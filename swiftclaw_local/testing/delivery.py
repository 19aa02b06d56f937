"""One delivery, as a test looks at it: every look asks the server, so that it never tells what was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from swiftclaw_local.testing.connection import Connection
from swiftclaw_local.testing.timeline import timeline


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to the receiver and what came of it.

    `number` counts from 1, `retry` is 0 for the first send; `status` is None without an answer, and then `error` says why
    (`connect_refused`, `timeout`, …). `fault` is what was done to it on purpose. `at` is the engine's time, aware UTC.
    """

    number: int
    retry: int
    status: int | None
    error: str | None
    body: str
    headers: tuple[tuple[str, str], ...]
    duration_ms: int
    at: datetime
    outcome: str
    fault: str | None


class Delivery:
    """One event owed to one webhook. `state`: scheduled, sending, retrying, delivered, failed, canceled."""

    def __init__(self, connection: Connection, id: str, event_type: str) -> None:
        self.id = id
        self.event_type = event_type
        self._connection = connection

    @property
    def state(self) -> str:
        """Where it stands now."""
        return str(self.read()["state"])

    @property
    def sends(self) -> int:
        """How many requests were made for it."""
        return int(self.read()["sends"])

    @property
    def attempts(self) -> list[Attempt]:
        """The requests that were made for it, in order."""
        return [_attempt(made) for made in self.read()["attempts"]]

    @property
    def event(self) -> dict[str, Any]:
        """The event it carries: id, type, created, data."""
        found: dict[str, Any] = self._connection.get(f"/v1/events/{self.read()['event_id']}")["event"]
        return found

    def timeline(self) -> str:
        """Return what happened to it, one line for each send."""
        return "\n".join(timeline(self.read()))

    def assert_delivered(self, sends: int | None = None) -> None:
        """Claim that the receiver answered 200-299, after so many sends. Raises: AssertionError, with the timeline."""
        __tracebackhide__ = True
        self._claim("delivered", sends)

    def assert_failed(self, sends: int | None = None) -> None:
        """Claim that it was given up, after so many sends. Raises: AssertionError, with the timeline."""
        __tracebackhide__ = True
        self._claim("failed", sends)

    def read(self) -> dict[str, Any]:
        """Return it as `GET /v1/deliveries/{id}` shows it."""
        shown: dict[str, Any] = self._connection.get(f"/v1/deliveries/{self.id}")
        return shown

    def _claim(self, state: str, sends: int | None) -> None:
        __tracebackhide__ = True
        shown = self.read()
        if shown["state"] != state or sends not in (None, shown["sends"]):
            after = "" if sends is None else f" after {sends} send{'' if sends == 1 else 's'}"
            raise AssertionError("\n".join([f"expected {state}{after}", *timeline(shown)]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Delivery) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<Delivery {self.id} {self.event_type}>"


class NoDelivery(Delivery):
    """What an event leads to that no webhook wants: whoever looks at it is told so."""

    def __init__(self, connection: Connection, event: dict[str, Any], why: str) -> None:
        super().__init__(connection, "", event["type"])
        self._event = event
        self._why = why

    @property
    def event(self) -> dict[str, Any]:
        """The event that went nowhere."""
        return self._event

    def read(self) -> dict[str, Any]:
        """Raises: AssertionError, which says why there is no delivery."""
        __tracebackhide__ = True
        raise AssertionError(f"{self.event_type} was delivered to nobody: {self._why}")

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<NoDelivery {self.event_type}>"


def _attempt(made: dict[str, Any]) -> Attempt:
    response, error = made["response"], made["error"]
    return Attempt(
        number=made["n"],
        retry=made["retry"],
        status=None if response is None else response["status"],
        error=None if error is None else error["kind"],
        body="" if response is None else response["body"],
        headers=() if response is None else tuple((name, value) for name, value in response["headers"]),
        duration_ms=made["duration_ms"],
        at=datetime.fromtimestamp(made["started_at"], UTC),
        outcome=made["outcome"],
        fault=made["fault"],
    )
