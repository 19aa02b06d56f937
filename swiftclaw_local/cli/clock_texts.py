"""How a clock stands, in words: for `clock`, `status` and `doctor` alike. `stands` is the API's ClockOut."""

from __future__ import annotations

from typing import Any

from swiftclaw_local.cli.output import counted, moment_text, wait_text


def mode_text(stands: dict[str, Any]) -> str:
    """Return `frozen`, `60 times as fast as real time`, or `real time`, with how far it is off where it is."""
    match stands["mode"]:
        case "manual":
            return "frozen"
        case "fast":
            return f"{stands['rate']:g} times as fast as real time"
        case _:
            return "real time" + lead_text(stands)


def lead_text(stands: dict[str, Any]) -> str:
    """Return `, 6m ahead of your computer's`, or nothing when both tell the same time."""
    lead = stands["lead_s"]
    if abs(lead) < 1:
        return ""
    return f", {wait_text(abs(lead))} {'ahead of' if lead > 0 else 'behind'} your computer's"


def clock_text(stands: dict[str, Any]) -> str:
    """Return the whole in one line, as `real time, 2026-11-23 14:10:00Z`."""
    return f"{mode_text(stands)}, {moment_text(stands['now'])}"


def scheduled_text(stands: dict[str, Any]) -> str:
    """Return `2 attempts scheduled. The next is due in 4m 12s.`"""
    if not stands["scheduled"]:
        return "Nothing is scheduled."
    wait = max(stands["next_at"] - stands["now"], 0) if stands["next_at"] is not None else None
    when = "" if wait is None else f" The next is due {'in ' + wait_text(wait) if wait else 'now'}."
    return f"{counted(stands['scheduled'], 'attempt')} scheduled.{when}"
