"""docs/reference/states.md: the states of a delivery and the edges between them, drawn from the table the store obeys."""

from __future__ import annotations

from scripts.reference.markdown import code, page, table
from swiftclaw_local.storage.states import EDGES, ENDED, State

# state -> what it means, and the words people see for it
MEANINGS = {
    State.PENDING: ("waits for its due time", "scheduled; after a failure: retrying"),
    State.IN_FLIGHT: ("is being sent, under a lease", "sending"),
    State.SUCCEEDED: ("the receiver answered 200-299", "delivered"),
    State.DEAD: ("ended without success; can be replayed", "failed"),
    State.CANCELED: ("will not be sent: by a person, or because its webhook was deleted", "canceled"),
}


def states_page() -> str:
    """Return the page."""
    rows = [[code(state.value), meaning, shown] for state, (meaning, shown) in MEANINGS.items()]
    return page(
        "States of a delivery",
        "```mermaid\n" + "\n".join(diagram_lines()) + "\n```",
        table(["state", "means", "people see"], rows),
        "An ended delivery never changes again: a replay is a new delivery, linked to the old one.",
    )


def diagram_lines() -> list[str]:
    """Return the diagram's lines: one arrow per edge, and the ends that are ends."""
    edges = [f"    {start} --> {end}: {name}" for name, (start, end) in EDGES.items()]
    ends = [f"    {state} --> [*]" for state in State if state in ENDED]
    return ["stateDiagram-v2", f"    [*] --> {State.PENDING}: add", *edges, *ends]
