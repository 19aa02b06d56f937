"""The pages of the console, one file per noun; each lists its own at the end."""

from __future__ import annotations

from typing import Final

from swiftclaw_local.server.console.page import Action, Page
from swiftclaw_local.server.console.pages import frame_actions, helping, live

PAGES: Final[tuple[Page, ...]] = (
    *live.PAGES,
    *helping.PAGES,
)
ACTIONS: Final[tuple[Action, ...]] = (*frame_actions.ACTIONS,)
