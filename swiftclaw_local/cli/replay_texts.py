"""What a replay of many deliveries looks like to people: pure functions from the API's JSON to lines."""

from __future__ import annotations

from typing import Any, Final

from swiftclaw_local.cli.delivery_texts import cause_text
from swiftclaw_local.cli.output import counted
from swiftclaw_local.cli.view import View

Json = dict[str, Any]

_VERDICTS: Final = {
    "fixed": "fixed",
    "still_failing": "still failing",
    "regressed": "regressed",
    "still_ok": "still ok",
    "sending": "being sent",
}
_SKIPPED: Final = {
    "forgotten": "it was pruned",
    "webhook_deleted": "its webhook was deleted",
    "delivered": "it got through meanwhile",
    "replayed": "another replay of it is open",
    "canceled": "it was canceled",
}
_ORDERS: Final = {"event": "oldest first", "failed": "by the time of their failures"}


def plan_lines(plan: Json, view: View, *, order: str) -> list[str]:
    """Return what a dry run says: how many, where to, how fast, and which one goes first."""
    if not plan["total"]:
        return ["No deliveries match: there is nothing to replay."]
    what = f"Would replay {counted(plan['total'], 'delivery', 'deliveries')} to {_to(plan)}, {_ORDERS[order]}"
    lines = [f"{what}, {rate_text(plan['rate'])}: about {seconds_text(plan['about_s'])}.{_scheduled(plan)}"]
    first = plan["first"]
    name = "First canary" if plan["canary"] else "First"
    about = f"{first['type']}, {view.time(first['created'])}"
    return [*lines, f"{name}: {view.id(first['delivery'])} ({about}).  Nothing sent."]


def question(plan: Json) -> str:
    """Return what is asked before anything is sent."""
    return f"Replay {counted(plan['total'], 'delivery', 'deliveries')} to {_to(plan)}, {rate_text(plan['rate'])}?{_scheduled(plan)}"


def canary_line(replay: Json, item: Json, view: View) -> str:
    """Return the line of a canary once it is known what came of it."""
    return f"Replay {replay['id']}   canary {view.id(item['delivery'])}   {item_text(item)}"


def item_text(item: Json) -> str:
    """Return what came of one delivery: `200   41 ms   fixed`, `skipped: its webhook was deleted`."""
    if item["verdict"] == "skipped":
        return f"skipped: {_SKIPPED[item['skipped']]}"
    took = "" if item["ms"] is None else f"   {item['ms']} ms"
    return f"{answer_text(item)}{took}   {_VERDICTS[item['verdict']]}"


def answer_text(item: Json) -> str:
    """Return the status that came back, or what came instead of an answer."""
    return str(item["status"]) if item["status"] is not None else cause_text(item["error"] or "no answer")


def progress_text(replay: Json) -> str:
    """Return what stands beside the bar: the verdicts so far, and how long it still takes."""
    parts = verdicts(replay, always=("fixed",))
    if replay["eta_s"] is not None and replay["left"]:
        parts.append(f"eta {seconds_text(replay['eta_s'])}")
    return "   ".join(parts)


def done_count(replay: Json) -> int:
    """Return how many of a replay's deliveries are decided."""
    return int(replay["total"] - replay["left"] - replay["sending"])


def end_lines(replay: Json, view: View, *, answer: str) -> list[str]:
    """Return what is said when a replay stands still; `answer` is what the first that still fails got, if any does."""
    name, state = replay["id"], replay["state"]
    if state == "done":
        return [f"Replay {name} done: {_summary(replay, view, answer=answer)}."]
    resume = f"swiftclaw deliveries replay --resume {name}"
    where = f"{done_count(replay)}/{replay['total']}"
    if state == "paused":
        return [f"Replay {name} paused at {where}: {_summary(replay, view, answer=answer)}.  Resume: {resume}"]
    why = "its canary failed" if replay["reason"] == "canary" else f"{replay['stop_after']} failures in a row"
    told = f"Replay {name} stopped at {where}, {why}: {_summary(replay, view, answer=answer)}."
    return [told, f"{counted(replay['left'], 'delivery was', 'deliveries were')} not sent. Once it is mended: {resume}"]


def failed(replay: Json) -> bool:
    """Return whether a replay left failures, or has not come to its end."""
    return bool(replay["still_failing"] or replay["regressed"] or replay["state"] != "done")


def rate_text(rate: float) -> str:
    """Return `10 per second`, `30 per minute`."""
    return f"{rate:g} per second" if rate >= 1 else f"{rate * 60:g} per minute"


def seconds_text(seconds: float) -> str:
    """Return `21 s`, `4 min`, `2 h 5 min`."""
    whole = max(1, round(seconds))
    if whole < 120:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _to(plan: Json) -> str:
    if plan["secret_of"]:
        return f"{plan['to']} (to be registered with the secret of {plan['secret_of']}, for this alone)"
    return str(plan["to"]) if plan["to"] else counted(plan["webhooks"], "webhook")


def _scheduled(plan: Json) -> str:
    if not plan["scheduled"]:
        return ""
    return (
        f" Scheduled retries of {'the same deliveries' if plan['scheduled'] > 1 else 'the same delivery'} are canceled."
    )


def _summary(replay: Json, view: View, *, answer: str) -> str:
    parts = verdicts(replay)
    bad = next((item for item in replay["bad"] or [] if item["verdict"] in ("still_failing", "regressed")), None)
    if bad is not None:
        which = parts.index(f"{replay[bad['verdict']]} {_VERDICTS[bad['verdict']]}")
        parts[which] += f" ({view.id(bad['replay'])} {f'{answer_text(bad)} {answer}'.rstrip()})"
    return ", ".join([*parts, f"{replay['skipped']} skipped"])


def verdicts(replay: Json, *, always: tuple[str, ...] = ("fixed", "still_failing")) -> list[str]:
    """Return how many there are of each verdict: those of `always`, and the others where there are some."""
    names = ("fixed", "still_failing", "regressed", "still_ok")
    return [f"{replay[name]} {_VERDICTS[name]}" for name in names if replay[name] or name in always]
