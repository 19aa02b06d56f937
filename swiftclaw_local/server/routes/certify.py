"""Routes that certify the receiver of a webhook, and show what was found."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from swiftclaw_local.durations import parse_duration
from swiftclaw_local.errors import (
    InvalidDuration,
    InvalidInput,
    InvalidJson,
    InvalidUrl,
    StorageUnavailable,
    UnknownReport,
    UnknownWebhook,
)
from swiftclaw_local.platform import Platform
from swiftclaw_local.platform.certifications import Kept
from swiftclaw_local.server.adapter import Route
from swiftclaw_local.server.bodies import CertifyRequest
from swiftclaw_local.server.models import CertifyOut


async def certify_receiver(platform: Platform, body: CertifyRequest) -> CertifyOut:
    """Send about forty requests to the receiver of a webhook, judge its answers, and show the report."""
    kept = await platform.certifications.certify(
        body.webhook,
        only=body.only,
        skip=body.skip,
        slow_ms=parse_duration(body.slow, field="slow") // timedelta(milliseconds=1),
        effects_url=body.effects_url,
    )
    return certification_out(kept, console=not platform.settings.no_console)


async def show_certification(platform: Platform, report_id: str) -> CertifyOut:
    """Show the report of a certification; the last 50 are kept, until the server stops."""
    return certification_out(platform.certifications.find(report_id), console=not platform.settings.no_console)


def certification_out(kept: Kept, *, console: bool = True) -> CertifyOut:
    """Return a report that is kept; where there is a console, with its page there."""
    named = {"id": kept.id, "page": f"/certify/{kept.id}" if console else None, "webhook": kept.webhook_id}
    return CertifyOut.model_validate({**named, **kept.report.document()})


ROUTES: Final = (
    Route(
        "POST",
        "/_local/certify",
        certify_receiver,
        "manage",
        {200: CertifyOut},
        (InvalidInput, InvalidJson, InvalidUrl, InvalidDuration, UnknownWebhook, StorageUnavailable),
    ),
    Route("GET", "/_local/certify/{report_id}", show_certification, "read", {200: CertifyOut}, (UnknownReport,)),
)
