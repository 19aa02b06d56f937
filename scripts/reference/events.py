"""docs/reference/events.md: the event types and a sample of each, from the catalogue."""

from __future__ import annotations

import json

from scripts.reference.markdown import page
from swiftclaw_local.events.catalog import EVENT_TYPES

INTRODUCTION = """
The nine types of SwiftClaw's page, each with the `data` of the event that `swiftclaw trigger TYPE` emits. `agent` and `request_id` are
added to it. The whole body is `{"id","type","created","data"}`, in this order, compact JSON in UTF-8; `created` is unix seconds.
"""


def events_page() -> str:
    """Return the page."""
    blocks = [
        f"### {kind.name}\n\n{kind.meaning}.\n\n```json\n{json.dumps(kind.sample, indent=2)}\n```"
        for kind in EVENT_TYPES
    ]
    return page("Event types", INTRODUCTION, *blocks)
