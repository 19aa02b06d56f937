"""The states of a delivery and the legal edges between them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a delivery stands, as stored."""

    PENDING = "pending"
    IN_FLIGHT = "in_flight"
    SUCCEEDED = "succeeded"
    DEAD = "dead"
    CANCELED = "canceled"


# edge name -> (from, to); the docs' state diagram is drawn from this table
EDGES: Final[dict[str, tuple[State, State]]] = {
    "claim": (State.PENDING, State.IN_FLIGHT),
    "give back": (State.IN_FLIGHT, State.PENDING),
    "succeeded": (State.IN_FLIGHT, State.SUCCEEDED),
    "retry": (State.IN_FLIGHT, State.PENDING),
    "interrupted": (State.IN_FLIGHT, State.PENDING),
    "dead": (State.IN_FLIGHT, State.DEAD),
    "cancel": (State.PENDING, State.CANCELED),
}

ENDED: Final = frozenset({State.SUCCEEDED, State.DEAD, State.CANCELED})
