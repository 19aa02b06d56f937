"""What a play looks like to people: a line for each thing that happens, and what came of it all. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, assert_never

from swiftclaw_local.cli.clock import send_text
from swiftclaw_local.cli.delivery_texts import sent_line
from swiftclaw_local.cli.output import Column, Output, after_text, counted, wait_text
from swiftclaw_local.cli.view import View
from swiftclaw_local.plays.playing import Delivered, Happening, NobodyTook, Played, Ran, Said
from swiftclaw_local.plays.verdicts import Counted, Finding, alike, came_twice

Json = dict[str, Any]

_TIME: Final = 8
_COLORS: Final = {"PASS": "green", "WARN": "yellow", "FAIL": "red"}
_START: Final = (Column("RESULT", style=_COLORS.get), Column("DELIVERIES", right=True))
_END: Final = (Column("SENT"), Column("A RIGHT RECEIVER"), Column("THIS ONE", flexible=True))
_WEBHOOK: Final = Column("WEBHOOK")


def happening_line(happening: Happening, view: View, output: Output, *, began_at: float) -> str:
    """Return one line: when it was on the engine's clock, counted from the beginning, and what."""
    time = after_text(happening.at - began_at)
    return f"{time:<{_TIME}} {_what(happening, view, output)}"


def _what(happening: Happening, view: View, output: Output) -> str:
    match happening:
        case Said(text=text):
            return f"--  {text}"
        case Delivered(delivery=delivery):
            return f"{sent_line(delivery, view)}{_sends(delivery)}"
        case NobodyTook(event=event):
            return f"{view.id(event['id'])}  {event['type']}  ->  nobody: no webhook takes this type."
        case Ran(send=send):
            return send_text(send, output)
        case _:
            assert_never(happening)


def _sends(delivery: Json) -> str:
    """Return how often it was sent, if more than once, and the faults it met."""
    faults = dict.fromkeys(attempt["fault"] for attempt in delivery["attempts"] or [] if attempt["fault"])
    times = f"   {delivery['sends']} sends" if delivery["sends"] > 1 else ""
    met = f"   fault {', '.join(faults)}" if faults else ""
    return f"{times}{met}"


def columns(findings: list[Counted]) -> tuple[Column, ...]:
    """Return the columns of the table of findings; the webhook's only where there are several."""
    return (*_START, *((_WEBHOOK,) if _several(findings) else ()), *_END)


def cells(one: Counted, *, several: bool) -> tuple[str, ...]:
    """Return the cells under `columns`."""
    found = one.finding
    webhook = (found.webhook,) if several else ()
    return (found.result.upper(), str(one.count), *webhook, found.sent, found.wanted, found.got)


def rows(played: Played) -> tuple[tuple[Column, ...], list[tuple[str, ...]]]:
    """Return the table of what was found: like things once, counted."""
    findings = alike(played.findings)
    several = _several(findings)
    return columns(findings), [cells(one, several=several) for one in findings]


def _several(findings: list[Counted]) -> bool:
    return len({one.finding.webhook for one in findings}) > 1


def ending_lines(played: Played) -> Iterator[str]:
    """Yield what came of it, in a line or two."""
    took = wait_text(played.ended_at - played.began_at)
    through = sum(delivery["state"] == "delivered" for delivery in played.deliveries)
    total = counted(len(played.deliveries), "delivery", "deliveries")
    results = Counter(finding.result for finding in played.findings)
    told = f"{results['pass']} right, {results['warn']} with a warning, {results['fail']} wrong"
    events = counted(len(played.events), "event")
    yield f"{played.scenario}: {events}, {total}, {through} delivered, in {took} of the engine's clock. {told}."
    if played.undelivered:
        yield f"{counted(played.undelivered, 'delivery', 'deliveries')} left undelivered: swiftclaw deliveries list --unresolved --group cause"
    if any(came_twice(delivery) for delivery in played.deliveries):
        yield "Some came twice, and answers do not show whether the work was done once: swiftclaw certify … --effects-url tells."
    for (agent, webhook), checks in _to_look_into(played.findings).items():
        yield f"Why, and how to mend it: swiftclaw certify {agent} {webhook} --only {','.join(checks)}"


def _to_look_into(findings: list[Finding]) -> dict[tuple[str, str], list[str]]:
    """Return by agent and webhook the checks of a certification that would say more."""
    found: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        if finding.result != "pass" and finding.check:
            checks = found.setdefault((finding.agent, finding.webhook), [])
            checks += [finding.check] if finding.check not in checks else []
    return found


def document(played: Played, happened: list[Happening]) -> Json:
    """Return a play as JSON has it."""
    return {
        "scenario": played.scenario,
        "passed": played.passed,
        "began": played.began_at,
        "ended": played.ended_at,
        "events": played.events,
        "deliveries": [{"id": one["id"], "event": one["event_id"], "state": one["state"]} for one in played.deliveries],
        "findings": [finding.document() for finding in played.findings],
        "undelivered": played.undelivered,
        "canceled": played.canceled,
        "happened": [_happened(one) for one in happened],
    }


def _happened(happening: Happening) -> Json:
    match happening:
        case Said(text=text, at=at):
            return {"at": at, "kind": "said", "text": text}
        case Delivered(delivery=delivery, at=at):
            return {"at": at, "kind": "delivery", "delivery": delivery["id"], "state": delivery["state"]}
        case NobodyTook(event=event, at=at):
            return {"at": at, "kind": "nobody", "event": event["id"]}
        case Ran(send=send, at=at):
            return {"at": at, "kind": "send", "send": send}
        case _:
            assert_never(happening)
