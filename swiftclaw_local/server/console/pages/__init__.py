"""The pages of the console, one file per noun; each lists its own at the end."""

from __future__ import annotations

from typing import Final

from swiftclaw_local.server.console.page import Action, Page
from swiftclaw_local.server.console.pages import (
    alerts,
    certify,
    clock,
    deliveries,
    delivery,
    faults,
    frame_actions,
    helping,
    live,
    replays,
    send,
    webhook,
    webhooks,
)

PAGES: Final[tuple[Page, ...]] = (
    *live.PAGES,
    *deliveries.PAGES,
    *delivery.PAGES,
    *replays.PAGES,
    *webhooks.PAGES,
    *webhook.PAGES,
    *send.PAGES,
    *faults.PAGES,
    *certify.PAGES,
    *alerts.PAGES,
    *clock.PAGES,
    *helping.PAGES,
)
ACTIONS: Final[tuple[Action, ...]] = (
    *deliveries.ACTIONS,
    *delivery.ACTIONS,
    *replays.ACTIONS,
    *webhooks.ACTIONS,
    *webhook.ACTIONS,
    *send.ACTIONS,
    *faults.ACTIONS,
    *certify.ACTIONS,
    *alerts.ACTIONS,
    *clock.ACTIONS,
    *frame_actions.ACTIONS,
)
