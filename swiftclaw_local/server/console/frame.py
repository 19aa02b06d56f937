"""What stands around every page: the clock, the counts, what is armed or firing, the way to the other pages."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web

from swiftclaw_local.platform import Platform
from swiftclaw_local.server.console.notes import Note
from swiftclaw_local.server.console.preferences import Preferences
from swiftclaw_local.server.shapes import COUNTED

# (address, name, the key that leads there after g)
WAYS: Final = (
    ("/", "Live", "l"),
    ("/deliveries", "Deliveries", "d"),
    ("/webhooks", "Webhooks", "w"),
    ("/send", "Send", "s"),
    ("/faults", "Faults", "f"),
    ("/certify", "Certify", "c"),
    ("/alerts", "Alerts", "a"),
    ("/clock", "Clock", "k"),
)


@dataclass(frozen=True, slots=True)
class Way:
    """A way to another page; `here` when it is this one, or one below it."""

    path: str
    name: str
    key: str
    here: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame of one page. `counts` has the words of the API: delivered, retrying, failed, …"""

    now: datetime
    mode: str
    rate: float
    counts: dict[str, int]
    webhooks: int
    armed: tuple[str, ...]
    firing: int
    ways: tuple[Way, ...]
    preferences: Preferences
    note: Note | None
    here: str
    twin: str


async def frame_of(platform: Platform, request: web.Request, *, known: frozenset[str], note: Note | None) -> Frame:
    """Return the frame of the page that a request asks for; `known` are the addresses that exist."""
    counts, alerts = await asyncio.gather(platform.reads.counts(), platform.reads.alerts())
    faults = platform.faults
    armed = tuple(faults.text(one) for one in faults.every() if faults.left(one) != 0)
    path = request.path.removesuffix(".json")
    # without the note it shows: a form that leads back here would ask for it again, and hide its own
    here = str(request.rel_url.without_query_params("said"))
    return Frame(
        now=platform.clock.now(),
        mode=platform.clock.mode,
        rate=platform.clock.rate,
        counts={name: counts.get(stored, 0) for stored, name in COUNTED.items()},
        webhooks=counts["webhooks"],
        armed=armed,
        firing=sum(alert.state == "firing" for alert in alerts),
        ways=tuple(Way(to, name, key, _leads(to, path)) for to, name, key in WAYS if to in known),
        preferences=Preferences.of(request),
        note=note,
        here=here,
        twin=("/live" if path == "/" else path) + ".json" + here.removeprefix(request.path),
    )


def _leads(to: str, path: str) -> bool:
    return path == to or (to != "/" and path.startswith(to + "/"))
