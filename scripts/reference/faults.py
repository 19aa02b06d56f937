"""docs/reference/faults.md: the kinds of faults, from their table."""

from __future__ import annotations

from scripts.reference.markdown import page, table
from swiftclaw_local.dispatcher.fault_kinds import KINDS, Value
from swiftclaw_local.dispatcher.faults import OTHER_SECRET, ROTATED_SECRET, UNKNOWN_TYPE
from swiftclaw_local.events.shapes import SHAPES

INTRODUCTION = f"""
What `swiftclaw fault add KIND` can do to the next attempts, and what a receiver shows by it. A value is written behind a colon, as
`delay:30s`. Only what goes out is changed, never the stored event.

- `other_secret` signs with `{OTHER_SECRET}`, `secret_rotated_midway` with `{ROTATED_SECRET}`, `unknown_type` says `{UNKNOWN_TYPE}`.
- The shapes of `body_shape` are {", ".join(f"`{shape}`" for shape in SHAPES)}.
- `lost_reply`, `hang_up_early` and `slow_upload` end as other attempts do: no 2xx in time is retried on the schedule.
- `delay`, `reorder` and `burst` hold a delivery back on the engine's clock, `reorder` and `burst` for a minute at most if the others
  do not come. No retry is used up.
- With `drop`, `refused` and `status` nothing is sent, and the receiver is not asked. `refused` and `status` make an outcome up, which is retried,
  or not, as a real one would be.
- A fault meets the next attempt, `--times` so many, those of a chance (`--probability`), or each one `--for` so long on the engine's clock.
- Armed faults are kept in memory: they end with the server.
"""


def faults_page() -> str:
    """Return the page."""
    rows = [
        (
            f"`{kind.name}`",
            _value(kind.value),
            f"The next {kind.noun} is {kind.done.format(**_shown(kind.value))}.",
            kind.tests,
        )
        for kind in KINDS
    ]
    return page(
        "Faults", INTRODUCTION, table(("kind", "value (default)", "what happens", "a receiver shows that"), rows)
    )


def _shown(value: Value | None) -> dict[str, str]:
    return {} if value is None else {value.name: value.default}


def _value(value: Value | None) -> str:
    if value is None:
        return ""
    bounds = f", {value.least} to {value.most}" if value.form == "count" else ""
    return f"{value.name}{bounds} ({value.default})"
