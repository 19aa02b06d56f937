"""What webhooks look like to people: pure functions from the API's JSON to cells and lines."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from swiftclaw_local.cli.delivery_texts import cause_text
from swiftclaw_local.cli.output import Column, counted, status_color
from swiftclaw_local.cli.view import View

Json = dict[str, Any]

ALL_TYPES: Final = 9
COLUMNS: Final = (
    Column("ID"),
    Column("URL", flexible=True),
    Column("EVENTS", flexible=True),
    Column("STATE"),
    Column("OK", right=True),
    Column("FAIL", right=True),
    Column("RETRY", right=True),
    Column("LAST", style=lambda cell: status_color(cell.rpartition(" ")[2]) if cell != "-" else None),
)
AGENT_COLUMN: Final = Column("AGENT")
SIGNED: Final = "header X-SwiftClaw-Signature = hex HMAC-SHA256 of the raw body"


def row(webhook: Json, view: View) -> tuple[str, ...]:
    """Return the cells under COLUMNS."""
    stats = webhook["stats"]
    counts = tuple(str(stats[name]) for name in ("delivered", "failed", "retrying")) if stats else ("-", "-", "-")
    last = "-" if not stats or stats["last_at"] is None else f"{view.ago(stats['last_at'])} {_last(stats)}"
    state = "enabled" if webhook["enabled"] else "disabled"
    return (webhook["id"], webhook["url"], short_events(webhook["events"]), state, *counts, last)


def short_events(events: list[str]) -> str:
    """Return `agent.invoked,.completed,.failed`: the group once, then only what differs; `all 9` for all, `none` for none."""
    if len(events) == ALL_TYPES:
        return f"all {ALL_TYPES}"
    if not events:
        return "none"
    words: list[str] = []
    group = ""
    for event in events:
        before, _, name = event.partition(".")
        words.append(f".{name}" if before == group else event)
        group = before
    return ",".join(words)


def all_events(events: list[str]) -> str:
    """Return every type in full, or that it is all or none of them."""
    return (
        f"all {ALL_TYPES} event types" if len(events) == ALL_TYPES else ", ".join(events) or "none: for replays alone"
    )


def created_lines(webhook: Json, *, first: bool, reach: str) -> list[str]:
    """Return what is said of a new webhook; `first` when its agent had none, `reach` is what is known of its URL."""
    new = " (new agent)" if first else ""
    disabled = "" if webhook["enabled"] else "   disabled: events wait until webhooks update --enable"
    return [
        f"Created {webhook['id']} for {webhook['agent']}{new}{disabled}",
        f"  url      {webhook['url']}{reach}",
        f"  events   {all_events(webhook['events'])}",
        f"  secret   {webhook['secret']}  ({SIGNED})",
    ]


def updated_lines(changed: Json, *, secret: bool) -> list[str]:
    """Return what changed of a webhook, old -> new; `secret` when a new one was given."""
    before = changed["before"]
    lines = []
    if before["url"] != changed["url"]:
        lines.append(f"  url      {before['url']} -> {changed['url']}{note(changed)}")
    if before["events"] != changed["events"]:
        lines.append(f"  events   {_events_changed(before['events'], changed['events'])}")
    if secret:
        lines.append("  secret   changed; every attempt from now on is signed with the new one")
    if before["description"] != changed["description"]:
        lines.append(f'  description   "{before["description"]}" -> "{changed["description"]}"')
    if before["enabled"] != changed["enabled"]:
        lines.append("  state    disabled -> enabled" if changed["enabled"] else "  state    enabled -> disabled")
    title = f"Updated {changed['id']}" if lines else f"Nothing changed: {changed['id']} was like this before."
    return [title, *lines, *_pending_lines(changed)]


def note(webhook: Json) -> str:
    """Return the server's note on a webhook's URL as the end of a line."""
    return f"   ({webhook['note']})" if webhook["note"] else ""


def allow_host_hint(url: str) -> str:
    """Return what to type so that a public host is really sent to."""
    return f"This is a fake platform; to really send there: swiftclaw serve --allow-host {urlsplit(url).hostname}"


def deleted_line(deleted: Json) -> str:
    """Return what went with a webhook, and what stays."""
    name = deleted["id"]
    canceled = f" {counted(deleted['canceled'], 'scheduled delivery', 'scheduled deliveries')} canceled."
    kept = f" Its {counted(deleted['deliveries'], 'delivery log')} {'is' if deleted['deliveries'] == 1 else 'are'} kept"
    where = f" (swiftclaw deliveries list --webhook {name})."
    return f"Deleted {name}.{canceled if deleted['canceled'] else ''}" + (
        kept + where if deleted["deliveries"] else " It had no deliveries."
    )


def settings_lines(webhook: Json, view: View) -> list[str]:
    """Return a webhook's settings and rates."""
    stats = webhook["stats"]
    lines = [
        f"{webhook['id']}   {webhook['agent']}   {'enabled' if webhook['enabled'] else 'disabled'}",
        f"  url      {webhook['url']}{note(webhook)}",
        f"  events   {all_events(webhook['events'])}",
        f"  secret   shown by: swiftclaw webhooks secret {webhook['agent']} {webhook['id']}",
        f"  created  {view.time(webhook['created'])}",
    ]
    if webhook["description"]:
        lines.insert(1, f"  about    {webhook['description']}")
    if stats:
        speed = "" if stats["p50_ms"] is None else f"   p50 {stats['p50_ms']} ms, p95 {stats['p95_ms']} ms"
        counts = f"{stats['delivered']} delivered, {stats['failed']} failed, {stats['retrying']} retrying"
        lines.append(f"  so far   {counts}{speed}")
    return lines


def _last(stats: Json) -> str:
    if stats["last_status"] is not None:
        return str(stats["last_status"])
    return cause_text(stats["last_error"]) if stats["last_error"] else "-"


def _events_changed(before: list[str], after: list[str]) -> str:
    if len(after) == ALL_TYPES:
        return f"all {ALL_TYPES} event types"
    gone = [f"- {event}" for event in before if event not in after]
    new = [f"+ {event}" for event in after if event not in before]
    return "   ".join(gone + new)


def _pending_lines(changed: Json) -> list[str]:
    before, pending = changed["before"], changed["pending"]
    if not pending:
        return []
    what = counted(pending, "scheduled delivery", "scheduled deliveries")
    one = pending == 1
    if before["enabled"] and not changed["enabled"]:
        return [f"{what} {'waits' if one else 'wait'} until it is enabled again."]
    if changed["enabled"] and not before["enabled"]:
        return [f"{what} {'goes' if one else 'go'} on."]
    if before["url"] != changed["url"]:
        return [f"{what} now {'goes' if one else 'go'} to the new URL."]
    return []
