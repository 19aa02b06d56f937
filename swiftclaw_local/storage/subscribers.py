"""The webhooks that are not deleted, as sending needs them: read once, and kept until one of them changes.

With SQLite nobody else changes them; on PostgreSQL they are learnt anew whenever anybody has. Secrets are opened once each and
stay in this process.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from swiftclaw_local.storage import statements as sql
from swiftclaw_local.storage.secretbox import SecretBox

# So many pairs of type and agent are remembered; agents' names are whatever callers send.
_MOST_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A webhook with its sealed secret."""

    id: str
    agent: str
    url: str
    types: frozenset[str]
    sealed: bytes
    enabled: bool


class Subscribers:
    """Who gets what (decision D17)."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box
        self._live: dict[str, Subscriber] | None = None
        self._matching: dict[tuple[str, str | None], tuple[Subscriber, ...]] = {}
        self._secrets: dict[tuple[str, bytes], str] = {}

    def forget(self) -> None:
        """Read anew when asked next: a webhook changed, or a change was rolled back."""
        self._live = None
        self._matching = {}
        self._secrets = {}

    def live(self, connection: sqlite3.Connection) -> dict[str, Subscriber]:
        """Return every webhook that is not deleted by its id, oldest first."""
        if self._live is None:
            return self.learn(connection.execute(sql.LIVE_WEBHOOKS).fetchall())
        return self._live

    def learn(self, rows: list[tuple[Any, ...]]) -> dict[str, Subscriber]:
        """Take these rows of LIVE_WEBHOOKS for all that is live, in place of what was known."""
        self.forget()
        self._live = {
            row[0]: Subscriber(row[0], row[1], row[2], frozenset(json.loads(row[3])), row[4], bool(row[5]))
            for row in rows
        }
        return self._live

    def of(self, connection: sqlite3.Connection, *, type: str, agent: str | None) -> tuple[Subscriber, ...]:
        """Return the webhooks that an event goes to: the agent's that subscribe; every agent's when it names none."""
        found = self._matching.get((type, agent))
        return self.matching(self.live(connection), type=type, agent=agent) if found is None else found

    def matching(self, live: dict[str, Subscriber], *, type: str, agent: str | None) -> tuple[Subscriber, ...]:
        """Return those of the live webhooks that an event goes to."""
        found = self._matching.get((type, agent))
        if found is None:
            found = tuple(
                webhook for webhook in live.values() if type in webhook.types and agent in (None, webhook.agent)
            )
            if len(self._matching) >= _MOST_REMEMBERED:
                self._matching = {}
            self._matching[type, agent] = found
        return found

    def secret(self, webhook: Subscriber) -> str:
        """Return a webhook's secret in plain text. Raises: WrongKey."""
        key = (webhook.id, webhook.sealed)
        plain = self._secrets.get(key)
        if plain is None:
            plain = self._secrets[key] = self._box.open(webhook.sealed, owner=webhook.id).decode()
        return plain
