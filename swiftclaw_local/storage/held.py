"""The claims whose leases this process has, from the commit of each on: what they say need not be read again.

It may forget one too many, which is only slower to record then; it must never keep one that was not committed.
"""

from __future__ import annotations

from collections.abc import Iterable

from swiftclaw_local.storage.records import Claim


class Held:
    """`claims` by delivery. What is leased in a transaction is held when it is committed."""

    def __init__(self) -> None:
        self.claims: dict[str, Claim] = {}
        self._leased: list[Claim] = []

    def lease(self, claims: Iterable[Claim]) -> None:
        """Take note of what was leased in the transaction under way."""
        self._leased += claims

    def committed(self) -> None:
        """The transaction was committed."""
        if self._leased:
            self.claims.update([(claim.delivery_id, claim) for claim in self._leased])
            self._leased.clear()

    def rolled_back(self) -> None:
        """The transaction never was."""
        self._leased.clear()

    def let_go(self, claim: Claim) -> None:
        """Forget a claim, unless the delivery was claimed again meanwhile."""
        held = self.claims.get(claim.delivery_id)
        if held is not None and held.lease_token == claim.lease_token:
            del self.claims[claim.delivery_id]

    def clear(self) -> None:
        """Forget them all."""
        self.claims.clear()
