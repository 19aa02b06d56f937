"""What a delivery looks like to people: pure functions from the API's JSON to cells and lines.

They ask nothing of the server and leave recorded text as it is; whoever prints a line cleans it.
"""

from __future__ import annotations

from http.client import responses
from typing import Any, Final

from swiftclaw_local.cause_words import CAUSE_WORDS
from swiftclaw_local.cli.output import Column, counted, state_color, status_color
from swiftclaw_local.cli.view import View, in_text

Json = dict[str, Any]

_START: Final = (Column("DELIVERY"), Column("TIME"))
_REST: Final = (
    Column("EVENT"),
    Column("STATUS", right=True, style=status_color),
    Column("MS", right=True),
    Column("SEND"),
    Column("RESULT", flexible=True, style=state_color),
)
LOG_COLUMNS: Final = (*_START, *_REST)
LIST_COLUMNS: Final = (*_START, Column("WEBHOOK"), *_REST)
_FROM_TO: Final = (Column("FIRST"), Column("LAST"))
CAUSE_COLUMNS: Final = (
    Column("CAUSE", flexible=True),
    Column("DELIVERIES", right=True),
    Column("EVENTS", right=True),
    Column("WEBHOOKS", right=True),
    *_FROM_TO,
)
WEBHOOK_COLUMNS: Final = (
    Column("WEBHOOK"),
    Column("URL", flexible=True),
    Column("DELIVERIES", right=True),
    Column("EVENTS", right=True),
    *_FROM_TO,
)

_FINAL_WITHOUT_RETRY: Final = range(300, 500)


def cause_text(cause: str) -> str:
    """Return an error class in words, a status with its name and whether it was retried."""
    if cause.isdigit():
        named = f"{cause} {responses.get(int(cause), '')}".rstrip()
        return f"{named}  (final, no retry)" if int(cause) in _FINAL_WITHOUT_RETRY else named
    return CAUSE_WORDS.get(cause, cause.replace("_", " "))


def cause_of(text: str) -> str:
    """Return a cause as the API takes it, of what people read: `503 Service Unavailable`, `connection refused`."""
    first = text.strip().partition(" ")[0]
    if first.isdigit():
        return first
    known = {words.lower(): cause for cause, words in CAUSE_WORDS.items()}
    return known.get(text.strip().lower(), text.strip())


def status_text(delivery: Json) -> str:
    """Return the status of the last answer, or a dash."""
    return str(delivery["last_status"]) if delivery["last_status"] is not None else "-"


def send_text(delivery: Json) -> str:
    """Return which send the last one was: `first`, `retry 1/5`, `test`, `replay`, or a dash when there was none."""
    if not delivery["sends"]:
        return "-"
    if delivery["retries_done"]:
        return f"retry {delivery['retries_done']}/{delivery['retries_max']}"
    return "first" if delivery["trigger"] == "event" else str(delivery["trigger"])


def result_text(delivery: Json, *, number: bool = False) -> str:
    """Return where a delivery stands and why; with `number` it says which retry comes next."""
    state, why = delivery["state"], delivery["explanation"] or delivery["final_reason"] or ""
    match state:
        case "delivered":
            return "delivered"
        case "sending":
            return "being sent"
        case "retrying" | "scheduled" if delivery["held"]:
            return f"held: {delivery['webhook_id']} is disabled"
        case "retrying" if delivery["last_error"] == "held_back":
            return f"held back by a fault: sent {in_text(delivery['next_in_s'])}"
        case "retrying":
            return f"retrying: {_no_answer(delivery)}{_next(delivery, number=number)}"
        case "canceled" if delivery["final_reason"] == "canceled":
            return "canceled"
        case "scheduled":
            return f"scheduled: {in_text(delivery['next_in_s'])}"
        case _:
            return f"{state}: {why}" if why else str(state)


def log_cells(delivery: Json, view: View) -> tuple[str, ...]:
    """Return the cells under LOG_COLUMNS."""
    return (
        view.id(delivery["id"]),
        view.time(delivery["last_at"] or delivery["next_at"] or delivery["created_at"]),
        delivery["event_type"],
        status_text(delivery),
        _milliseconds(delivery),
        send_text(delivery),
        result_text(delivery),
    )


def log_line(delivery: Json, view: View) -> str:
    """Return the same as one line, for a list that goes on and cannot know its widths."""
    name, time, event, status, milliseconds, send, result = log_cells(delivery, view)
    return f"{name}  {time}  {event:<20}  {status:>3}  {milliseconds:>5} ms  {send:<9}  {result}"


def list_cells(delivery: Json, view: View) -> tuple[str, ...]:
    """Return the cells under LIST_COLUMNS."""
    first, second, *rest = log_cells(delivery, view)
    return (first, second, delivery["webhook_id"], *rest)


def cause_cells(group: Json, view: View) -> tuple[str, ...]:
    """Return the cells under CAUSE_COLUMNS."""
    counts = (str(group[name]) for name in ("deliveries", "events", "webhooks"))
    return (cause_text(group["cause"]), *counts, view.time(group["first"]), view.time(group["last"]))


def webhook_cells(group: Json, view: View) -> tuple[str, ...]:
    """Return the cells under WEBHOOK_COLUMNS."""
    counts = (str(group["deliveries"]), str(group["events"]))
    return (group["webhook"], group["url"], *counts, view.time(group["first"]), view.time(group["last"]))


def total_text(total: int, *, unresolved: bool, retrying: list[Json]) -> str:
    """Return the line under a grouped list: how many, and how many of them are not given up yet."""
    text = f"{total} unresolved: never delivered." if unresolved else f"{counted(total, 'delivery', 'deliveries')}."
    if retrying:
        soonest = min(delivery["next_in_s"] or 0 for delivery in retrying)
        text += f" {len(retrying)} of them still {'has' if len(retrying) == 1 else 'have'} retries scheduled (next {in_text(soonest)})."
    return text


def sent_line(delivery: Json, view: View) -> str:
    """Return one line for a delivery that was just emitted: event, webhook, answer, what comes next."""
    event = f"{view.id(delivery['event_id'])}  {delivery['event_type']}  ->  {delivery['webhook_id']}"
    return f"{event}   {_answer(delivery)}{result_text(delivery, number=True)} ({view.id(delivery['id'])})"


def test_line(delivery: Json, view: View) -> str:
    """Return one line for a test: event, URL, answer, verdict."""
    event = f"{delivery['event_type']}  {view.id(delivery['event_id'])} -> {delivery['url']}"
    return f"{event}   {_answer(delivery)}{result_text(delivery, number=True)} ({view.id(delivery['id'])})"


def replay_line(before: Json, after: Json, view: View) -> str:
    """Return one line for a replay after its first attempt: what it is, answer, verdict, what comes next."""
    event = f"{view.id(after['id'])}  {after['event_type']}  ->  {after['webhook_id']}"
    if not after["sends"] or (after["sends"] == before["sends"] and after["id"] == before["id"]):
        return f"{event}   {result_text(after)}"
    more = f"   {result_text(after, number=True)}" if after["state"] in ("retrying", "sending") else ""
    return f"{event}   {_answer(after)}{verdict(before, after)}{more}"


def verdict(before: Json, after: Json) -> str:
    """Return what a replay showed: `fixed: 503 -> 200`, `still failing: …`, `regressed: …`, `still ok: …`."""
    was, now = before["state"] == "delivered", after["state"] == "delivered"
    words = {
        (False, True): "fixed",
        (False, False): "still failing",
        (True, False): "regressed",
        (True, True): "still ok",
    }
    return f"{words[was, now]}: {last_answer(before)} -> {last_answer(after)}"


def last_answer(delivery: Json) -> str:
    """Return the last answer in a word or two: `503`, `connection refused`, `not sent`."""
    if delivery["last_status"] is not None:
        return str(delivery["last_status"])
    return cause_text(delivery["last_error"]) if delivery["last_error"] else "not sent"


def got_through(delivery: Json) -> bool:
    """Return False when a delivery did not get its 2xx; one that is only due later counts as well."""
    if delivery["state"] == "scheduled" and not delivery["held"]:
        return (delivery["next_in_s"] or 0) > 0
    return bool(delivery["state"] == "delivered")


def _answer(delivery: Json) -> str:
    return f"{status_text(delivery):>3}   {_milliseconds(delivery)} ms   " if delivery["sends"] else ""


def _milliseconds(delivery: Json) -> str:
    return str(delivery["last_ms"]) if delivery["last_ms"] is not None else "-"


def _no_answer(delivery: Json) -> str:
    return f"{cause_text(delivery['last_error'])}; " if delivery["last_error"] else ""


def _next(delivery: Json, *, number: bool) -> str:
    retry = f"retry {delivery['retries_done'] + 1} of {delivery['retries_max']}" if number else "next"
    return f"{retry} {in_text(delivery['next_in_s'])}"
