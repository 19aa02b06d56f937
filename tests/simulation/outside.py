"""What is known outside of the process under test: what emitters and people were told, and what receivers saw.

It survives every crash, and the checks hold SQL against it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from swiftclaw_local.events.catalog import is_system


@dataclass(slots=True)
class Hook:
    """A webhook as its owner knows it. `secrets` are all it ever had; `deleted` when its deletion was asked for."""

    id: str
    agent: str
    url: str
    types: tuple[str, ...]
    secrets: list[str]
    enabled: bool = True
    deleted: bool = False
    delete_answered: bool = False
    delete_answered_at: float | None = None  # in seconds of the world

    def wants(self, emit: Emit) -> bool:
        """Return whether an event of this kind is owed to it (decision D17)."""
        return emit.type in self.types and (is_system(emit.type) or emit.agent == self.agent)


@dataclass(slots=True)
class Emit:
    """An event as its emitter knows it; `owed` the webhooks that it must reach once it is acknowledged."""

    id: str
    agent: str
    type: str
    data: dict[str, Any]
    body: bytes | None = None  # as acknowledged
    ambiguous: bool = False  # an answer got lost: it may exist
    under_way: bool = False  # nobody was answered yet
    owed: frozenset[str] = frozenset()
    created: datetime | None = None  # when given: not before that

    @property
    def acknowledged(self) -> bool:
        """Whether the emitter was told that it is accepted."""
        return self.body is not None


@dataclass(slots=True)
class Post:
    """One request as the receiver side saw it. Times are the engine's; `outcome` is what the sender was told, when it was."""

    process: int
    delivery_id: str
    number: int
    event_id: str
    url: str
    body: bytes
    signature: str
    sent_at: float = 0.0  # in seconds of the world
    arrived: bool = False
    answered: int | None = None
    outcome: str | None = None
    ended_at: datetime | None = None


@dataclass(slots=True)
class Outside:
    """All of it."""

    hooks: dict[str, Hook] = field(default_factory=dict)
    emits: dict[str, Emit] = field(default_factory=dict)
    replays: dict[str, str] = field(default_factory=dict)  # acknowledged replay -> what it repeats
    canceled: set[str] = field(default_factory=set)
    brought_forward: set[str] = field(default_factory=set)
    posts: list[Post] = field(default_factory=list)
    by_attempt: dict[tuple[str, int], Post] = field(default_factory=dict)
    deaths: int = 0
    cut_offs: int = 0  # deaths and all else that may cut an attempt off, or have it made twice
    violations: list[str] = field(default_factory=list)

    def violated(self, promise: str, what: str) -> None:
        """Note that a promise was broken."""
        self.violations.append(f"{promise}: {what}")
