"""What a play came to, as a test looks at it: a scenario's findings, or how a recording's deliveries stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from swiftclaw_local.plays.playing import Played as PlayedScenario
from swiftclaw_local.plays.replaying import Replayed
from swiftclaw_local.plays.verdicts import Finding, alike
from swiftclaw_local.testing.connection import Connection
from swiftclaw_local.testing.delivery import Delivery

_SHOWN = 5  # timelines in one failure's text


@dataclass(frozen=True, slots=True)
class Played:
    """`deliveries` are those that it made. `findings` say of a scenario what a right receiver answers and what this one did."""

    name: str
    deliveries: Sequence[Delivery]
    findings: Sequence[Finding] = ()

    def assert_passed(self) -> None:
        """Claim that a scenario found nothing wrong, and that a recording was delivered. Raises: AssertionError, with the timelines."""
        __tracebackhide__ = True
        if not self.deliveries:
            raise AssertionError(f"{self.name} was delivered to nobody: no webhook wants its events.")
        wrong = [one for one in self.findings if one.result == "fail"]
        ids = {one.delivery for one in wrong}
        if not self.findings:
            ids = {one.id for one in self.deliveries if one.state != "delivered"}
        if ids:
            told = [f"  {one.count} x {_told(one.finding)}" for one in alike(wrong)]
            bad = [one for one in self.deliveries if one.id in ids]
            left_out = [f"({len(bad) - _SHOWN} more are not shown)"] if len(bad) > _SHOWN else []
            timelines = [one.timeline() for one in bad[:_SHOWN]]
            raise AssertionError("\n".join([f"{self.name}: the receiver is not right:", *told, *timelines, *left_out]))


def of_scenario(connection: Connection, played: PlayedScenario) -> Played:
    """Return what came of a scenario."""
    return Played(played.scenario, [_delivery(connection, one) for one in played.deliveries], tuple(played.findings))


def of_recording(connection: Connection, name: str, replayed: Replayed) -> Played:
    """Return what came of a recording; of many deliveries, the first thousand."""
    shown = [connection.get(f"/v1/deliveries/{id}") for id in replayed.delivery_ids]
    return Played(name, [_delivery(connection, one) for one in shown])


def _delivery(connection: Connection, shown: dict[str, Any]) -> Delivery:
    return Delivery(connection, shown["id"], shown["event_type"])


def _told(finding: Finding) -> str:
    return f"{finding.sent}: a right receiver answers {finding.wanted}, this one {finding.got}"
