"""A delivery's timeline, and one of its sends in full: pure functions from the API's JSON to lines.

They ask nothing of the server and leave text as it was recorded; `output` escapes it.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from swiftclaw_local.cli.delivery_texts import cause_text, result_text
from swiftclaw_local.cli.view import View, in_text
from swiftclaw_local.errors import NotFound

Json = dict[str, Any]

BODY_SHOWN: Final = 80  # characters of an answer on a terminal
_WORDS: Final = {"retrying": "retrying", "delivered": "delivered", "sending": "being sent"}
_NOT_COUNTED: Final = {
    "interrupted": "cut off by the end of the server; uses up no retry",
    "superseded": "came too late; changed nothing",
    "again": "sent again at once on a fresh connection; uses up no retry",
}


def timeline(delivery: Json, view: View) -> list[str]:
    """Return the lines of `deliveries show`; on a terminal a long answer is cut to one line."""
    lines = [_headline(delivery)]
    if delivery["replay_of"]:
        lines.append(f"  replay of {delivery['replay_of']}")
    rows = _made(delivery, view) + _planned(delivery, view)
    width = max((len(name) for name, *_ in rows), default=0)
    at_width = max((len(at) for _, at, _ in rows), default=0)
    lines += [f"  {name:<{width}}   {at:<{at_width}}   {rest}".rstrip() for name, at, rest in rows]
    if delivery["state"] in ("failed", "canceled") or delivery["held"]:
        lines.append(f"  {result_text(delivery)}")
    return lines


def attempt_of(delivery: Json, number: int | None) -> Json:
    """Return a delivery's attempt by its number from 1, the last one for None. Raises: NotFound."""
    attempts: list[Json] = delivery["attempts"] or []
    if not attempts:
        raise NotFound(f"{delivery['id']} has no sends yet.", hint=f"See swiftclaw deliveries show {delivery['id']}")
    found = [attempts[-1]] if number is None else [attempt for attempt in attempts if attempt["n"] == number]
    if not found:
        count = len(attempts)
        raise NotFound(f"{delivery['id']} has no send {number}: it has {count}, numbered from 1.", field="--send")
    return found[0]


def answer_bytes(attempt: Json) -> bytes:
    """Return the recorded bytes of an answer's body; empty when there was no answer."""
    response = attempt["response"]
    if response is None:
        return b""
    if response["body_base64"] is not None:
        try:
            return base64.b64decode(response["body_base64"], validate=True)
        except binascii.Error:
            return b""
    return str(response["body"]).encode()


def exchange(delivery: Json, attempt: Json, view: View) -> list[str]:
    """Return one send in full: the request's head, the answer's head and body."""
    request, response = attempt["request"], attempt["response"]
    name = send_name(attempt, delivery)
    lines = [f"send {attempt['n']}   {name}   {view.time(attempt['started_at'])}   {_answer(attempt)}"]
    if nothing_sent(attempt):
        return [*lines, f"(nothing was sent: fault {attempt['fault']})"]
    lines.append(f"> POST {attempt['url']}")
    lines += [f"> {name}: {value}" for name, value in request["headers"].items()]
    lines.append(
        f"> ({request['bytes']} bytes, sha256 {request['sha256']}; swiftclaw events body {delivery['event_id']})"
    )
    if response is None:
        return lines
    lines.append(f"< {response['status']}")
    lines += [f"< {name}: {value}" for name, value in response["headers"]]
    lines += ["", *response["body"].splitlines()]
    return lines if response["truncated"] is None else [*lines, f"({_cut(response)})"]


def send_name(attempt: Json, delivery: Json) -> str:
    """Return which send an attempt was: `first send`, `retry 1/5`, `again`."""
    if attempt["kind"] == "again":
        return "again"
    return f"retry {attempt['retry']}/{delivery['retries_max']}" if attempt["retry"] else "first send"


def nothing_sent(attempt: Json) -> bool:
    """Return whether nothing went out: a fault held it back, dropped it, or made up what came of it."""
    return bool(attempt.get("fault")) and not attempt["request"]["headers"]


def next_commands(delivery: Json) -> str:
    """Return what can be typed next about a delivery."""
    name = delivery["id"]
    commands = {
        "retrying": (f"replay {name} --now", f"cancel {name}", f"curl {name}"),
        "scheduled": (f"replay {name} --now", f"cancel {name}"),
        "sending": (f"wait {name}",),
    }.get(delivery["state"], (f"replay {name}", f"curl {name}"))
    return "Next: " + " | ".join(f"swiftclaw deliveries {command}" for command in commands)


def _headline(delivery: Json) -> str:
    state = _WORDS.get(delivery["state"], delivery["state"])
    origin = f"{delivery['webhook_id']} ({delivery['agent']})"
    return (
        f"{delivery['id']}   {delivery['event_type']} -> {delivery['url']}   {state}"
        f"        {delivery['event_id']}  {origin}  {delivery['bytes']} bytes"
    )


def _made(delivery: Json, view: View) -> list[tuple[str, str, str]]:
    rows = []
    before: Json | None = None
    for attempt in delivery["attempts"] or []:
        parts = [_answer(attempt), _said(attempt, before, view)]
        parts.append(_not_counted(attempt))
        rows.append((send_name(attempt, delivery), view.time(attempt["started_at"]), "   ".join(filter(None, parts))))
        before = attempt
    return rows


def _not_counted(attempt: Json) -> str:
    """Return why an attempt changed nothing, or what was done to it on purpose."""
    if not attempt.get("fault"):
        return _NOT_COUNTED.get(attempt["outcome"], "")
    told = {"again": "; sent again, uses up no retry", "superseded": "; the other one decides"}
    return f"fault {attempt['fault']}{told.get(attempt['outcome'], '')}"


def _planned(delivery: Json, view: View) -> list[tuple[str, str, str]]:
    plan: list[Json] = delivery["planned"] or []
    rows = []
    for position, step in enumerate(plan):
        name = f"retry {step['retry']}/{delivery['retries_max']}" if step["retry"] else "first send"
        notes = [in_text(delivery["next_in_s"])] if position == 0 and not delivery["held"] else []
        if position == len(plan) - 1 and step["retry"]:
            notes.append("last; then failed")
        rows.append((name, view.time(step["at"]), "   ".join(notes)))
    return rows


def _answer(attempt: Json) -> str:
    response = attempt["response"]
    status = "-" if response is None else str(response["status"])
    return f"{status:>3}   {attempt['duration_ms']} ms"


def _said(attempt: Json, before: Json | None, view: View) -> str:
    """Return what the receiver said, or why there is no answer."""
    response, error = attempt["response"], attempt["error"]
    if response is None:
        return str(error["message"] or cause_text(error["kind"])) if error else ""
    if nothing_sent(attempt):
        return "nothing was sent"
    if before and before["response"] and _same(before["response"], response):
        return "same response"
    body = " ".join(response["body"].split()) if response["body_base64"] is None else f"{response['body']} (not UTF-8)"
    cut = f"{body[:BODY_SHOWN]}…" if view.terminal and len(body) > BODY_SHOWN else body
    return cut or "(empty body)"


def answer_start(delivery: Json) -> str:
    """Return the first line of what the receiver answered last, cut to a line; empty when it said nothing."""
    attempts = delivery["attempts"] or []
    response = attempts[-1]["response"] if attempts else None
    lines = str(response["body"]).strip().splitlines() if response else []
    return f"{lines[0][:BODY_SHOWN]}…" if lines and len(lines[0]) > BODY_SHOWN else "".join(lines[:1])


def _same(one: Json, other: Json) -> bool:
    return all(one[name] == other[name] for name in ("status", "body", "body_base64", "truncated"))


def _cut(response: Json) -> str:
    why = {"size": "more than is recorded", "time": "took too long", "early_close": "the connection closed early"}
    size = f" of {response['size']} bytes" if response["size"] is not None else ""
    return f"cut off{size}: {why.get(response['truncated'], response['truncated'])}"
