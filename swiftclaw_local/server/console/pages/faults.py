"""Faults: arm one, see what is armed, disarm. Each kind says what a receiver shows by it."""

from __future__ import annotations

from typing import Final

from swiftclaw_local.dispatcher.fault_kinds import KINDS, Kind
from swiftclaw_local.events.shapes import SHAPES
from swiftclaw_local.platform import Platform
from swiftclaw_local.plays.library import BUILT_IN
from swiftclaw_local.server.console.blanks import MaybeChance, MaybeCount, MaybeText
from swiftclaw_local.server.console.page import Action, Page, Shown, Went
from swiftclaw_local.server.console.pages.frame_actions import Back
from swiftclaw_local.server.models import FaultOut, Model
from swiftclaw_local.server.routes.faults import list_faults
from swiftclaw_local.server.shapes import fault_out

# What the kinds are about, in the order in which they are shown; a kind that is not named stands at the end.
GROUPS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "Again, late, in another order",
        ("duplicate", "duplicate_simultaneous", "lost_reply", "reorder", "delay", "burst"),
    ),
    (
        "Signatures",
        ("wrong_signature", "missing_signature", "other_secret", "tampered_body", "secret_rotated_midway"),
    ),
    (
        "Bodies",
        (
            "body_shape",
            "truncated_body",
            "not_json",
            "empty_body",
            "huge_body",
            "unknown_type",
            "old_created",
        ),
    ),
    ("The network", ("slow_upload", "hang_up_early", "drop", "refused", "status")),
)
_GROUPED: Final = frozenset(name for _, names in GROUPS for name in names)
REST: Final = tuple(kind for kind in KINDS if kind.name not in _GROUPED)


class FaultsOut(Model):
    """The faults, the oldest first; those that have met all their attempts too, until they are cleared."""

    faults: list[FaultOut]


class FaultForm(Model):
    """A fault to arm. Without anything else it meets the next attempt."""

    kind: str
    value: MaybeText = None
    webhook: MaybeText = None
    times: MaybeCount = None
    probability: MaybeChance = None
    lasts: MaybeText = None
    back: str = "/faults"


async def show_faults(platform: Platform) -> Shown:
    """Show what is armed, and what can be."""
    webhooks = (await platform.reads.webhooks(limit=200)).rows
    by_name = {kind.name: kind for kind in KINDS}
    groups = [(title, [by_name[name] for name in names]) for title, names in GROUPS]
    more = {
        "groups": groups + ([("Others", list(REST))] if REST else []),
        "shapes": SHAPES,
        "choices": [(webhook.id, f"{webhook.id} ({webhook.agent})") for webhook in webhooks],
        "values": {kind.name: _values(kind) for kind in KINDS},
        "stories": BUILT_IN,
    }
    return Shown("faults.html", "Faults", FaultsOut(faults=(await list_faults(platform)).data), more)


async def arm_fault(platform: Platform, form: FaultForm) -> Went:
    """Arm a fault."""
    text = form.kind if form.value is None else f"{form.kind}:{form.value.strip()}"
    armed = await platform.faults.arm(
        text, webhook=form.webhook, times=form.times, probability=form.probability, lasts=form.lasts
    )
    shown = fault_out(armed, left=platform.faults.left(armed), text=platform.faults.text(armed))
    return Went("/faults", f"{armed.id} armed: {shown.text}", data=shown)


async def clear_fault(platform: Platform, fault_id: str, form: Back) -> Went:
    """Disarm a fault."""
    platform.faults.remove(fault_id)
    return Went("/faults", f"Disarmed {fault_id}.")


async def clear_faults(platform: Platform, form: Back) -> Went:
    """Disarm all faults."""
    cleared = platform.faults.clear()
    one = "1 fault" if cleared == 1 else f"{cleared} faults"
    return Went("/faults", f"Disarmed all; {one} had still to meet an attempt.")


def _values(kind: Kind) -> str:
    """Return what its value may be, for people."""
    match kind.value:
        case None:
            return ""
        case value if value.form == "count":
            return f"{value.least} to {value.most}"
        case value if value.form == "duration":
            return "as 90s, 5m, 1h30m"
        case _:
            return ", ".join(SHAPES)


PAGES: Final = (Page("/faults", show_faults),)
ACTIONS: Final = (
    Action("/faults", arm_fault, "admin"),
    Action("/faults/clear", clear_faults, "admin"),
    Action("/faults/{fault_id}/clear", clear_fault, "admin"),
)
