"""Routes for machines that watch: alive, ready, metrics, and the OpenAPI document of all routes."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from swiftclaw_local.errors import InvalidDuration, InvalidInput
from swiftclaw_local.platform import Platform
from swiftclaw_local.scheduler.clock import monotonic
from swiftclaw_local.server.adapter import JSON, Answer, Route
from swiftclaw_local.server.metrics import CONTENT_TYPE, metrics_text
from swiftclaw_local.server.models import HealthOut
from swiftclaw_local.server.queries import ReadyQuery, wait_seconds

DOCUMENT: Final = web.AppKey("openapi_document", bytes)
_LOOK_AGAIN_S: Final = 0.05


async def alive() -> HealthOut:
    """Say that the process answers."""
    return HealthOut(ok=True)


async def ready(platform: Platform, query: ReadyQuery) -> Answer:
    """Say whether events are taken and delivered; `wait` until they are."""
    deadline = monotonic() + wait_seconds(query.wait, field="wait")
    reason = await _not_ready(platform)
    while reason is not None and monotonic() < deadline:
        await asyncio.sleep(_LOOK_AGAIN_S)
        reason = await _not_ready(platform)
    return Answer(200 if reason is None else 503, HealthOut(ok=reason is None, reason=reason))


async def show_metrics(platform: Platform) -> Answer:
    """Show figures in the text format of Prometheus."""
    return Answer(200, await metrics_text(platform), CONTENT_TYPE)


async def show_openapi(request: web.Request) -> Answer:
    """Show this document."""
    return Answer(200, request.app[DOCUMENT])


async def _not_ready(platform: Platform) -> str | None:
    reason = platform.ready()
    if reason is not None:
        return reason
    stuck = await platform.reads.stuck(now=platform.clock.now())
    return f"{stuck} deliveries are due for a minute and were not sent." if stuck else None


ROUTES: Final = (
    Route("GET", "/healthz", alive, "open", {200: HealthOut}),
    Route("GET", "/readyz", ready, "open", {200: HealthOut, 503: HealthOut}, (InvalidInput, InvalidDuration)),
    Route("GET", "/metrics", show_metrics, "read", {200: CONTENT_TYPE}),
    Route("GET", "/openapi.json", show_openapi, "read", {200: JSON}),
)
