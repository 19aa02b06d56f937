"""The routes of the API, one file per noun; each lists its own at the end."""

from typing import Final

from swiftclaw_local.server.adapter import Route
from swiftclaw_local.server.routes import (
    alerts,
    certify,
    clock,
    deliveries,
    event_types,
    events,
    faults,
    health,
    local,
    recordings,
    replays,
    stats,
    stream,
    webhooks,
)

ROUTES: Final[tuple[Route, ...]] = (
    *webhooks.ROUTES,
    *events.ROUTES,
    *deliveries.ROUTES,
    *replays.ROUTES,
    *alerts.ROUTES,
    *stats.ROUTES,
    *stream.ROUTES,
    *clock.ROUTES,
    *faults.ROUTES,
    *event_types.ROUTES,
    *local.ROUTES,
    *certify.ROUTES,
    *recordings.ROUTES,
    *health.ROUTES,
)
