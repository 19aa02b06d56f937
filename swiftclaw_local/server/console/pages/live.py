"""The home page: every send as it happens, and how the last hour went."""

from __future__ import annotations

from typing import Final

from swiftclaw_local.platform import Platform
from swiftclaw_local.server.console.page import Page, Shown
from swiftclaw_local.server.models import Model
from swiftclaw_local.server.stream_models import AttemptTold
from swiftclaw_local.server.stream_position import Position
from swiftclaw_local.server.stream_told import Moment, attempt_told

ROWS: Final = 50


class LiveOut(Model):
    """The newest sends, newest first, and the position in the event stream that they reach to."""

    sends: list[AttemptTold]
    position: str


async def show_live(platform: Platform) -> Shown:
    """Show the newest sends."""
    head = await platform.reads.log_head()
    position = str(Position(head.seq, head.alert_change))
    moment, schedule = Moment.of(platform.clock), len(platform.settings.retry_schedule)
    sends = [
        AttemptTold.model_validate_json(
            attempt_told(entry, position=position, moment=moment, retries_max=schedule if entry.scheduled else 0).json
        )
        for entry in await platform.reads.log_page(max(0, head.seq - ROWS), head.seq, limit=ROWS)
    ]
    return Shown("live.html", "Live", LiveOut(sends=sends[::-1], position=position))


PAGES: Final = (Page("/", show_live),)
