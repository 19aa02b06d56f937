"""A delivery's timeline as a test's report shows it: pure functions from the API's JSON to lines.

Times are counted from the delivery's birth, because under a manual clock nothing else is of interest.
"""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

BODY_SHOWN: Final = 120  # characters of a receiver's answer
_NOT_COUNTED: Final = {
    "interrupted": "cut off by the end of the server; uses up no retry",
    "superseded": "came too late; changed nothing",
    "again": "sent again at once on a fresh connection; uses up no retry",
}


def timeline(delivery: Json) -> list[str]:
    """Return what happened to a delivery, one line for each send, and what comes next."""
    sends = [_made(attempt, delivery) for attempt in delivery["attempts"] or []]
    widths = [max(len(row[column]) for row in sends) for column in range(4)] if sends else []
    lines = [_headline(delivery)]
    lines += ["  " + "  ".join([*map(_padded, row[:4], widths), row[4]]).rstrip() for row in sends]
    lines += [f"  {text}" for text in _next(delivery)]
    return lines + [f"  hint: {hint['text']}" for hint in delivery["hints"] or []]


def offset_text(seconds: float) -> str:
    """Return `+0:06:00`, or with milliseconds `+0:00:00.250`."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    return f"+{hour}:{minute:02}:{second:02}" + (f".{milliseconds:03}" if milliseconds else "")


def _padded(text: str, width: int) -> str:
    return text.rjust(width) if text[:1].isdigit() or text == "-" else text.ljust(width)


def _headline(delivery: Json) -> str:
    replay = f"   (replay of {delivery['replay_of']})" if delivery["replay_of"] else ""
    return f"delivery of {delivery['event_id']} {delivery['event_type']} -> {delivery['url']}   {delivery['state']}{replay}"


def _made(attempt: Json, delivery: Json) -> tuple[str, str, str, str, str]:
    at = offset_text(attempt["started_at"] - delivery["created_at"])
    response, error = attempt["response"], attempt["error"]
    status = "-" if response is None else str(response["status"])
    said = error["message"] if response is None and error else _body(response)
    if response is not None and attempt["fault"] and not attempt["request"]["headers"]:
        said = "nothing was sent"
    note = f"fault {attempt['fault']}" if attempt["fault"] else _NOT_COUNTED.get(attempt["outcome"])
    said = f"{said}  ({note})" if note else said
    return at, _name(attempt, delivery), status, f"{attempt['duration_ms']} ms", said


def _name(attempt: Json, delivery: Json) -> str:
    if attempt["kind"] == "again":
        return "again"
    return f"retry {attempt['retry']}/{delivery['retries_max']}" if attempt["retry"] else "first send"


def _body(response: Json | None) -> str:
    if response is None:
        return ""
    body = " ".join(response["body"].split())
    return f"{body[:BODY_SHOWN]}…" if len(body) > BODY_SHOWN else body or "(empty body)"


def _next(delivery: Json) -> list[str]:
    """Return what is to come, or why nothing is."""
    if delivery["state"] in ("failed", "canceled") or delivery["held"]:
        return [delivery["explanation"] or str(delivery["final_reason"])]
    planned = (delivery["planned"] or [])[:1]
    at = [offset_text(step["at"] - delivery["created_at"]) for step in planned]
    names = [f"retry {step['retry']}/{delivery['retries_max']}" if step["retry"] else "first send" for step in planned]
    return [f"{when}  {name}  to come" for when, name in zip(at, names, strict=True)]
