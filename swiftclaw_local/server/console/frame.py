"""What stands around every page: the clock, the counts, what is armed or firing, the way to the other pages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web

from swiftclaw_local.platform import Platform
from swiftclaw_local.server.adapter import Scope
from swiftclaw_local.server.console.notes import Note
from swiftclaw_local.server.console.page import Action, Page
from swiftclaw_local.server.console.preferences import Preferences
from swiftclaw_local.server.guard import CALLER
from swiftclaw_local.server.shapes import COUNTED
from swiftclaw_local.server.tokens import allows

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


class Site:
    """Which pages there are, and which scope each action needs."""

    def __init__(self, pages: Iterable[Page], actions: Iterable[Action]) -> None:
        self.pages = frozenset(page.path for page in pages)
        self._actions = [(re.compile(re.sub(r"{\w+}", "[^/]+", action.path)), action.scope) for action in actions]

    def needs(self, path: str) -> Scope:
        """Return the scope that a form needs which is sent to this address."""
        return next(scope for pattern, scope in self._actions if pattern.fullmatch(path))


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame of one page. `counts` has the words of the API: delivered, retrying, failed, … `caller` is what it is shown to."""

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
    caller: Scope
    site: Site

    def lacks(self, path: str) -> str | None:
        """Return why the caller's token does not let it send a form to this address; None when it does."""
        return lacking(self.caller, self.site.needs(path))


def lacking(caller: Scope, needed: Scope) -> str | None:
    """Return what a page says where a token does not do; None when it does."""
    return None if allows(caller, needed) else f"Your token's scope is {caller}; this needs {needed}."


async def frame_of(platform: Platform, request: web.Request, *, site: Site, note: Note | None) -> Frame:
    """Return the frame of the page that a request asks for."""
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
        ways=tuple(Way(to, name, key, _leads(to, path)) for to, name, key in WAYS if to in site.pages),
        preferences=Preferences.of(request),
        note=note,
        here=here,
        twin=("/live" if path == "/" else path) + ".json" + here.removeprefix(request.path),
        caller=request[CALLER].scope,
        site=site,
    )


def _leads(to: str, path: str) -> bool:
    return path == to or (to != "/" and path.startswith(to + "/"))
