"""Which deliveries a command means: the options that say so, and the filter as the API takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import click

from swiftclaw_local.cli import completion
from swiftclaw_local.cli.delivery_texts import cause_of
from swiftclaw_local.cli.flags import numbered, status_code, typed_id
from swiftclaw_local.errors import InvalidInput

_OPTIONS: Final = (
    click.option("--failed", is_flag=True, help="Those that failed for good."),
    click.option("--unresolved", is_flag=True, help="Events that no delivery ever brought to their webhook."),
    click.option("--retrying", is_flag=True, help="Those that failed and will be retried."),
    click.option("--agent", shell_complete=completion.agents, help="Only this agent's."),
    click.option("--webhook", metavar="ID", shell_complete=completion.webhooks, help="Only to this webhook."),
    click.option("--status", metavar="CODE", help="Whose last answer was this, as 503 or 5xx."),
    click.option("--cause", help="Whose last answer was this: 503, connect_refused, timeout."),
    click.option("--event", metavar="TYPE|ID", help="Only of this event type, or of this event."),
    click.option("--since", metavar="TIME", help="Made since then: 14:02, 2026-11-23 09:00, 2h ago."),
    click.option("--until", metavar="TIME", help="Made before then."),
    click.option("--search", metavar="TEXT", help="With this text in an id or in the event."),
)
NAMES: Final = (
    "failed",
    "unresolved",
    "retrying",
    "agent",
    "webhook",
    "status",
    "cause",
    "event",
    "since",
    "until",
    "search",
)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries: the API's own names; None does not restrict."""

    failed: bool
    unresolved: bool
    state: str | None
    agent: str | None
    webhook: str | None
    status: str | None
    cause: str | None
    type: str | None
    event: str | None
    q: str | None
    since: str | None
    until: str | None

    @property
    def given(self) -> bool:
        """Whether it leaves anything out."""
        return any(asdict(self).values())


def filter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which deliveries."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def filter_of(
    *,
    failed: bool,
    unresolved: bool,
    retrying: bool,
    agent: str | None,
    webhook: str | None,
    status: str | None,
    cause: str | None,
    event: str | None,
    since: str | None,
    until: str | None,
    search: str | None,
) -> Filter:
    """Return the filter that the options ask for. Raises: InvalidInput when two contradict each other."""
    if failed and retrying:
        raise InvalidInput("A delivery that is retrying has not failed for good.", hint="Give --failed or --retrying.")
    is_type = event is not None and "." in event
    return Filter(
        failed=failed,
        unresolved=unresolved,
        state="retrying" if retrying else None,
        agent=agent,
        webhook=None if webhook is None else numbered("webhook", webhook),
        status=status_code(status),
        cause=None if cause is None else cause_of(cause),
        type=event if is_type else None,
        event=None if is_type or event is None else typed_id(event),
        q=search,
        since=since,
        until=until,
    )
