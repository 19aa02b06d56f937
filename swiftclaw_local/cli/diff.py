"""What changed between two sends of one event: the request's bytes and headers, and what came back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from swiftclaw_local.cli.app import App
from swiftclaw_local.cli.client import in_path
from swiftclaw_local.cli.delivery_texts import cause_text
from swiftclaw_local.cli.view import View
from swiftclaw_local.errors import NotFound

Json = dict[str, Any]

_SHOWN: Final = 60  # characters of a body
# These differ from send to send, or from receiver to receiver, and say nothing about the event.
_OF_THE_MOMENT: Final = frozenset({"host", "x-swiftclaw-local-delivery", "x-swiftclaw-local-attempt"})


@dataclass(frozen=True, slots=True)
class Send:
    """One send of a delivery."""

    delivery: Json
    attempt: Json

    @property
    def name(self) -> str:
        """What to call it: `send 6`, `replay`, `replay, send 2`."""
        number = f"send {self.attempt['n']}"
        if self.delivery["trigger"] == "event":
            return number
        return str(self.delivery["trigger"]) if self.attempt["n"] == 1 else f"{self.delivery['trigger']}, {number}"


def last_send(delivery: Json) -> Send:
    """Return a delivery's newest send. Raises: NotFound when there is none."""
    if not delivery["attempts"]:
        raise NotFound(
            f"{delivery['id']} has no sends yet.", hint=f"Wait for it: swiftclaw deliveries wait {delivery['id']}"
        )
    return Send(delivery, delivery["attempts"][-1])


def pair(app: App, delivery: Json) -> tuple[Send, Send]:
    """Return the two sends to compare: before a replay and of the replay, or the last two. Raises: NotFound."""
    if delivery["replay_of"]:
        return last_send(_one(app, delivery["replay_of"])), last_send(delivery)
    event = app.client.get(f"/v1/events/{in_path(delivery['event_id'])}")
    replays = [one for one in event["deliveries"] if one["replay_of"] == delivery["id"]]
    if replays:
        return last_send(delivery), last_send(_one(app, replays[-1]["id"]))
    attempts = delivery["attempts"] or []
    if len(attempts) < 2:
        raise NotFound(
            f"{delivery['id']} has nothing to compare: {len(attempts)} sends, and no replay.",
            hint=f"Replay it: swiftclaw deliveries replay {delivery['id']}   or name another: swiftclaw deliveries diff {delivery['id']} B",
        )
    return Send(delivery, attempts[-2]), Send(delivery, attempts[-1])


def changes(before: Send, after: Send) -> Json:
    """Return what changed, for programs."""
    one, two = before.attempt, after.attempt
    return {
        "before": {"delivery": before.delivery["id"], "n": one["n"], "at": one["started_at"]},
        "after": {"delivery": after.delivery["id"], "n": two["n"], "at": two["started_at"]},
        "same_event": before.delivery["event_id"] == after.delivery["event_id"],
        "same_bytes": one["request"]["sha256"] == two["request"]["sha256"],
        "headers": _headers_changed(one, two),
        "status": [_status(one), _status(two)],
        "body": [_body(one), _body(two)],
    }


def diff_line(before: Send, after: Send, view: View) -> str:
    """Return what changed in one line."""
    names = " -> ".join(f"{send.name} ({view.time(send.attempt['started_at'])})" for send in (before, after))
    return f"{names}     request: {_request_text(before, after)}      response: {_response_text(before.attempt, after.attempt)}"


def _request_text(before: Send, after: Send) -> str:
    told = changes(before, after)
    parts = [
        "identical bytes" if told["same_bytes"] else "other bytes",
        "same id" if told["same_event"] else "another event",
    ]
    if told["headers"]:
        parts.append(f"headers changed: {', '.join(told['headers'])}")
    return ", ".join(parts)


def _response_text(one: Json, two: Json) -> str:
    if _status(one) == _status(two) and _body(one) == _body(two):
        return f"the same, {_status(two)}"
    parts = [
        f"status {_status(one)} -> {_status(two)}"
        if _status(one) != _status(two)
        else f"status {_status(two)} as before"
    ]
    if _body(one) != _body(two):
        parts.append(f"body {_shown(_body(one))} -> {_shown(_body(two))}")
    return ", ".join(parts)


def _headers_changed(one: Json, two: Json) -> list[str]:
    first, second = one["request"]["headers"], two["request"]["headers"]
    names = dict.fromkeys([*first, *second])
    return [name for name in names if first.get(name) != second.get(name) and name.lower() not in _OF_THE_MOMENT]


def _status(attempt: Json) -> str:
    if attempt["response"] is not None:
        return str(attempt["response"]["status"])
    return cause_text(attempt["error"]["kind"]) if attempt["error"] else "no answer"


def _body(attempt: Json) -> str:
    return str(attempt["response"]["body"]) if attempt["response"] is not None else ""


def _shown(body: str) -> str:
    if not body:
        return "(empty)"
    line = body.strip().splitlines()[0] if body.strip() else body
    cut = f"{line[:_SHOWN]}…" if len(line) > _SHOWN else line
    return cut if cut.startswith(("{", "[")) else f'"{cut}"'


def _one(app: App, delivery_id: str) -> Json:
    found: Json = app.client.get(f"/v1/deliveries/{in_path(delivery_id)}")
    return found
