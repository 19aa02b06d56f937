"""What an agent run and a deployment announce, one event after the other.

A sequence is a list of steps, each with its distance from the start; whoever emits it puts the engine's clock behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from swiftclaw_local.errors import InvalidInput
from swiftclaw_local.events.catalog import JsonObject, sample_data

AGENT_ENDINGS: Final = ("completed", "failed", "timeout")
DEPLOYMENT_ENDINGS: Final = ("completed", "failed")


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a sequence: its type, its data, and how long after the start it happens."""

    type: str
    data: JsonObject
    after: timedelta


def agent_run(*, agent: str, ending: str, request_id: str) -> list[Step]:
    """Return `agent.invoked` and then the ending, with one `request_id`; the ending's `duration` (ms) is its distance.

    Raises: InvalidInput for an ending that agents do not have.
    """
    _check_ending(ending, AGENT_ENDINGS)
    return _pair("agent.invoked", f"agent.{ending}", agent=agent, request_id=request_id, shared={})


def deployment(*, agent: str, ending: str, deployment_id: str) -> list[Step]:
    """Return `deployment.started` and then the ending, with one `deployment_id`.

    Raises: InvalidInput for an ending that deployments do not have.
    """
    _check_ending(ending, DEPLOYMENT_ENDINGS)
    return _pair(
        "deployment.started",
        f"deployment.{ending}",
        agent=agent,
        request_id="",
        shared={"deployment_id": deployment_id},
    )


def _pair(first: str, last: str, *, agent: str, request_id: str, shared: JsonObject) -> list[Step]:
    start = sample_data(first, agent=agent, request_id=request_id) | shared
    end = sample_data(last, agent=agent, request_id=request_id) | shared
    return [Step(first, start, timedelta()), Step(last, end, timedelta(milliseconds=end["duration"]))]


def _check_ending(ending: str, endings: tuple[str, ...]) -> None:
    if ending not in endings:
        raise InvalidInput(f'"{ending}" is not a way to end. Choose one of: {", ".join(endings)}.', field="ending")
