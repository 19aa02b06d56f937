"""What happens, as lines for people: pure functions from the messages of the event stream.

They leave what a receiver wrote as it is; whoever prints a line cleans it.
"""

from __future__ import annotations

from typing import Any, Final

from swiftclaw_local.cli.delivery_texts import cause_text
from swiftclaw_local.cli.output import counted, wait_text
from swiftclaw_local.cli.replay_texts import done_count, failed, progress_text, rate_text, verdicts
from swiftclaw_local.cli.view import View

Json = dict[str, Any]

_INDENT: Final = " " * 10
_NO_TIME: Final = " " * 8
_ANSWER: Final = 100  # characters of an answer in a line
_LOST: Final = {
    "stopping": "server stopped",
    "too_slow": "too slow to follow",
    "gone": "server gone",
}


class Lines:
    """Turns messages into lines. `wide` puts what a receiver said, and hints, on lines of their own; `quiet` tells trouble only."""

    def __init__(self, view: View, *, wide: bool = False, quiet: bool = False) -> None:
        self._view = view
        self._wide = wide
        self._quiet = quiet
        self._last_sent: str | None = None
        self._sent: dict[str, None] = {}
        self._replays: dict[str, int] = {}

    def of(self, message: Json) -> list[str]:
        """Return the lines of a message, none when there is nothing to say."""
        match message["kind"]:
            case "delivery":
                return self._delivery(message)
            case "attempt":
                return self._attempt(message)
            case "alert":
                return [f"{clock_text(message)}  !!  {alert_text(message)}"]
            case "lost":
                return [f"{_NO_TIME}  --  {_LOST.get(message['why'], 'server gone')}; reconnecting every 1 s"]
            case "back":
                tries = "" if message["tries"] == 1 else f" ({message['tries']} tries)"
                return [f"{clock_text(message)}  --  back, {message['missed']} missed{tries}"]
            case "replay":
                return self._replay(message)
            case "fault" if not self._quiet:
                return [f"{clock_text(message)}  --  {fault_text(message)}"]
            case "clock" if not self._quiet:
                return [f"{clock_text(message)}  --  {clock_line(message)}"]
            case _:
                return []

    def _delivery(self, message: Json) -> list[str]:
        if self._quiet:
            return []
        if message["state"] == "sending":
            return self._sending(message)
        due_now = str(message["explanation"]).endswith("due now")  # its attempt tells more, in a moment
        if message["state"] == "canceled" or message["held"] or (message["state"] == "scheduled" and not due_now):
            return [f"{clock_text(message)}  --  {self._about(message)}  {message['explanation']}"]
        return []

    def _sending(self, message: Json) -> list[str]:
        self._last_sent = message["delivery"]
        self._sent[message["delivery"]] = None
        for old in list(self._sent)[:-200]:
            del self._sent[old]
        trigger = "" if message["trigger"] == "event" else f"  ({message['trigger']})"
        return [f"{clock_text(message)}  ->  {self._about(message)}{trigger}"]

    def _attempt(self, message: Json) -> list[str]:
        if self._quiet and message["outcome"] == "delivered":
            return []
        lines = []
        if message["n"] == 1 and message["delivery"] not in self._sent and not self._quiet:
            lines += self._sending(message)
        about = "" if self._last_sent == message["delivery"] and not self._quiet else f"{self._about(message)}  "
        self._last_sent = message["delivery"]
        status = message["status"] if message["status"] is not None else "-"
        fault = f"   [fault: {message['fault']}]" if message["fault"] else ""
        line = f"{clock_text(message)}  <-  {status:>3}  {message['ms']:>4} ms  {about}{outcome_text(message)}{fault}"
        answer = answer_line(message)
        if not self._wide:
            return [*lines, f"{line}   {answer}".rstrip()]
        said = [f"{_INDENT}{answer}"] if answer else []
        return [*lines, line, *said, *(f"{_INDENT}hint: {hint['text']}" for hint in message["hints"])]

    def _replay(self, message: Json) -> list[str]:
        """Tell that a replay began, each tenth of it, and where it stands still."""
        name, tenth = message["replay"], 10 * done_count(message) // message["total"]
        before = self._replays.pop(name, None)
        if message["state"] == "running":
            self._replays[name] = tenth
            if self._quiet or before == tenth:
                return []
        elif self._quiet and not failed(message):
            return []
        return [f"{clock_text(message)}  --  {replay_text(message)}"]

    def _about(self, message: Json) -> str:
        return f"{message['type']}  {self._view.id(message['event'])}  {message['webhook']}"


def clock_text(message: Json) -> str:
    """Return a message's time as `14:02:11`."""
    return str(message["t"])[11:19]


def answer_line(message: Json) -> str:
    """Return what a receiver that failed said, as one line."""
    said = " ".join((message["answer"] or "").split())
    return said if len(said) <= _ANSWER else f"{said[: _ANSWER - 1]}…"


def outcome_text(message: Json) -> str:
    """Return what came of an attempt: `delivered`, `retry 1/5 in 1m`, `failed, not retried (…)`."""
    match message["outcome"]:
        case "delivered":
            retry = f" by retry {message['retry']}/{message['retries_max']}" if message["retry"] else ""
            return f"delivered{retry}"
        case "retrying":
            return f"{_error(message)}{_next(message)}"
        case "failed":
            return _failed(message)
        case "again":
            return "the reused connection had died; sent again at once"
        case "interrupted":
            return "cut off by the end of a dispatcher; sent again"
        case _:
            return "came too late; changed nothing"


def alert_text(message: Json) -> str:
    """Return `alert-1 firing: 5 webhook-failures in 1h (my-agent)`."""
    state = "firing" if message["state"] == "firing" else "ok again"
    about = "" if message["metric"] is None else f" {message['metric']} in {message['window']} ({message['agent']})"
    return f"{message['alert']} {state}: {message['count']}{about}"


def fault_text(message: Json) -> str:
    """Return what became of a fault."""
    match message["change"]:
        case "armed":
            return f"{message['fault']} armed: {message['text']}"
        case "met":
            left = "" if message["left"] is None else f", {message['left']} left"
            return f"{message['fault']} met an attempt{left}"
        case _:
            return f"{message['fault']} disarmed"


def replay_text(message: Json) -> str:
    """Return how far a replay has come: `rpl_8 began: 212 deliveries, 10 per second`, `rpl_8 done: 211 fixed, …`."""
    name, state, done = message["replay"], message["state"], done_count(message)
    if state == "running" and not done:
        where = f" to {message['to']}" if message["to"] else ""
        return (
            f"{name} began: {counted(message['total'], 'delivery', 'deliveries')}{where}, {rate_text(message['rate'])}"
        )
    if state == "running":
        return f"{name} {done}/{message['total']}   {progress_text(message)}"
    where = "" if state == "done" else f" at {done}/{message['total']}"
    return f"{name} {state}{where}{_why(message)}: {', '.join(verdicts(message))}, {message['skipped']} skipped"


def _why(message: Json) -> str:
    if message["state"] != "stopped":
        return ""
    return ", its canary failed" if message["reason"] == "canary" else ", too many failures in a row"


def clock_line(message: Json) -> str:
    """Return how the clock stands: `clock frozen at 14:10:00`."""
    match message["mode"]:
        case "manual":
            return f"clock stands at {message['t'][:10]} {clock_text(message)}Z"
        case "fast":
            return f"clock runs {message['rate']:g} times as fast as real time"
        case _:
            ahead = f", {wait_text(message['lead_s'])} ahead" if message["lead_s"] >= 1 else ""
            return f"clock runs in real time{ahead}"


def _error(message: Json) -> str:
    return "" if message["status"] is not None else f"{cause_text(message['error'] or 'no answer')}; "


def _next(message: Json) -> str:
    number = f"retry {message['retry'] + 1}/{message['retries_max']}"
    if message["error"] == "held_back":
        number = "sent"
    return number if message["next_in_s"] is None else f"{number} in {wait_text(message['next_in_s'])}"


def _failed(message: Json) -> str:
    status = message["status"]
    if status is not None and not 500 <= status <= 599 and "not retried" in (message["reason"] or ""):
        return "failed, not retried (SwiftClaw retries only 500-599)"
    return f"failed: {message['reason'] or _error(message).rstrip('; ')}"
