"""Routes that only a fake has, besides the clock: status, reset, verify."""

from __future__ import annotations

import base64
import binascii
import os
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from swiftclaw_local import __version__
from swiftclaw_local.dispatcher.explain import explain
from swiftclaw_local.durations import parse_duration
from swiftclaw_local.errors import (
    ClockNotManual,
    InvalidDuration,
    InvalidInput,
    InvalidJson,
    StorageFull,
    StorageUnavailable,
)
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.adapter import Answer, Route
from swiftclaw_local.server.bodies import PruneRequest, ResetRequest, VerifyRequest
from swiftclaw_local.server.models import PrunedOut, StatusOut, VerifyOut
from swiftclaw_local.server.routes.clock import show_clock
from swiftclaw_local.server.shapes import COUNTED


async def show_status(platform: Platform, request: web.Request) -> StatusOut:
    """Show the whole server at a glance."""
    counts = await platform.reads.counts()
    settings = platform.settings
    return StatusOut(
        version=__version__,
        pid=os.getpid(),
        address=str(request.url.origin()),
        console=not settings.no_console,
        data="memory" if settings.ephemeral else settings.database_shown,
        durability=settings.kept,
        ephemeral=settings.ephemeral,
        clock=await show_clock(platform),
        agents=await platform.reads.agents(),
        webhooks=counts["webhooks"],
        deliveries={name: counts.get(stored, 0) for stored, name in COUNTED.items()},
        attempts=counts["attempts"],
        stuck=await platform.reads.stuck(now=platform.clock.now()),
    )


async def reset(platform: Platform, body: ResetRequest) -> Answer:
    """Forget everything and start over; `keep` may hold `webhooks`. The same `seed` and `at` give the same ids again."""
    at = None if body.at is None else datetime.fromtimestamp(body.at, UTC)
    await platform.reset(keep_webhooks="webhooks" in body.keep, seed=body.seed, at=at)
    return Answer(204)


async def prune(platform: Platform, body: PruneRequest) -> PrunedOut:
    """Delete events whose deliveries all ended longer ago than `older_than`, and all that belongs to them."""
    return PrunedOut(events=await platform.prune(older_than=parse_duration(body.older_than, field="older_than")))


async def verify_signature(body: VerifyRequest) -> VerifyOut:
    """Check a signature over a body, and say why it does not match."""
    try:
        raw = base64.b64decode(body.body_base64, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("body_base64 is not base64.", field="body_base64") from None
    found = explain(raw, body.signature, body.secret)
    return VerifyOut(match=found.match, reason=found.reason, text=found.text)


ROUTES: Final = (
    Route("GET", "/_local/status", show_status, "read", {200: StatusOut}),
    Route(
        "POST",
        "/_local/reset",
        reset,
        "admin",
        {204: None},
        (InvalidInput, InvalidJson, ClockNotManual, StorageUnavailable, StorageFull),
    ),
    Route(
        "POST",
        "/_local/prune",
        prune,
        "admin",
        {200: PrunedOut},
        (InvalidInput, InvalidJson, InvalidDuration, StorageUnavailable, StorageFull),
    ),
    Route("POST", "/_local/verify", verify_signature, "read", {200: VerifyOut}, (InvalidInput, InvalidJson)),
)
