"""Routes of faults: arm one, look at them, disarm them. Only a fake has these."""

from __future__ import annotations

from typing import Final

from swiftclaw_local.dispatcher.armed import Armed
from swiftclaw_local.errors import (
    InvalidDuration,
    InvalidInput,
    InvalidJson,
    UnknownFault,
    UnknownFaultKind,
    UnknownWebhook,
)
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.adapter import Answer, Route
from swiftclaw_local.server.bodies import FaultCreate
from swiftclaw_local.server.models import FaultOut, FaultsCleared, ListOut
from swiftclaw_local.server.shapes import fault_out


async def arm_fault(platform: Platform, body: FaultCreate) -> FaultOut:
    """Arm a fault: it meets the next attempts of a webhook, or of all of them."""
    armed = await platform.faults.arm(
        body.kind,
        params=body.params,
        webhook=body.webhook,
        times=body.times,
        probability=body.probability,
        seed=body.seed,
        lasts=body.lasts,
    )
    return _shown(platform, armed)


async def list_faults(platform: Platform) -> ListOut[FaultOut]:
    """List faults, the oldest first; those that have met all their attempts too, until they are cleared."""
    shown = [_shown(platform, armed) for armed in platform.faults.every()]
    return ListOut[FaultOut](data=shown, total=len(shown))


async def show_fault(platform: Platform, fault_id: str) -> FaultOut:
    """Show a fault, and how often it has met an attempt."""
    return _shown(platform, platform.faults.one(fault_id))


async def clear_fault(platform: Platform, fault_id: str) -> Answer:
    """Disarm a fault. Deliveries that it holds back go out in their time."""
    platform.faults.remove(fault_id)
    return Answer(204)


async def clear_faults(platform: Platform) -> FaultsCleared:
    """Disarm all faults."""
    return FaultsCleared(cleared=platform.faults.clear())


def _shown(platform: Platform, armed: Armed) -> FaultOut:
    return fault_out(armed, left=platform.faults.left(armed), text=platform.faults.text(armed))


ROUTES: Final = (
    Route(
        "POST",
        "/_local/faults",
        arm_fault,
        "admin",
        {201: FaultOut},
        (InvalidInput, InvalidJson, InvalidDuration, UnknownFaultKind, UnknownWebhook),
    ),
    Route("GET", "/_local/faults", list_faults, "read", {200: ListOut[FaultOut]}),
    Route("DELETE", "/_local/faults", clear_faults, "admin", {200: FaultsCleared}),
    Route("GET", "/_local/faults/{fault_id}", show_fault, "read", {200: FaultOut}, (UnknownFault,)),
    Route("DELETE", "/_local/faults/{fault_id}", clear_fault, "admin", {204: None}, (UnknownFault,)),
)
