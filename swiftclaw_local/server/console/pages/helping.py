"""The page that says which keys there are, and where everything is."""

from __future__ import annotations

from typing import Final

from swiftclaw_local import __version__
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.console.page import Page, Shown
from swiftclaw_local.server.models import Model

KEYS: Final = (
    ("/", "search"),
    ("j, k", "next row, row before"),
    ("Enter", "open the row"),
    ("r", "replay the delivery"),
    ("e", "edit its event and send it"),
    ("c", "copy it as a curl command"),
    ("x", "mark the row"),
    ("g l, g d, g w, g s", "go to Live, Deliveries, Webhooks, Send"),
    ("g f, g c, g a, g k", "go to Faults, Certify, Alerts, Clock"),
    (".", "pause the live list, and go on"),
    ("?", "this page"),
    ("Esc", "leave a field, close what is open"),
)


class KeyOut(Model):
    keys: str
    does: str


class HelpOut(Model):
    """The keys, and where the server keeps what it knows."""

    version: str
    data: str
    keys: list[KeyOut]


async def show_help(platform: Platform) -> Shown:
    """Show the keys."""
    settings = platform.settings
    data = "memory; nothing is kept after the end" if settings.ephemeral else settings.database_shown
    keys = [KeyOut(keys=keys, does=does) for keys, does in KEYS]
    return Shown("help.html", "Help", HelpOut(version=__version__, data=data, keys=keys))


PAGES: Final = (Page("/help", show_help),)
