"""Certifies a URL from this process alone: no server runs, no database is opened, nothing is kept.

It makes a sender of its own, with the same guard over addresses as a server has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from swiftclaw_local.certify.catalog import choose
from swiftclaw_local.certify.courier import AGENT, Courier
from swiftclaw_local.certify.course import SLOW_MS, Wishes, certify
from swiftclaw_local.certify.effects import Effects, from_command, from_url, run
from swiftclaw_local.dispatcher.addresses import AddressPolicy
from swiftclaw_local.dispatcher.sender import Sender
from swiftclaw_local.dispatcher.url import check_url
from swiftclaw_local.scheduler.clock import Clock
from swiftclaw_local.settings import Settings

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked for; `only` and `skip` name checks or their families, the commands are the shell's."""

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    slow_ms: int = SLOW_MS
    effects_url: str | None = None
    effects_cmd: str | None = None
    break_cmd: str | None = None
    fix_cmd: str | None = None


def certify_url(url: str, secret: str, asked: Asked, *, settings: Settings, agent: str | None = None) -> Json:
    """Certify the receiver at a URL and return the report as JSON has it.

    Raises: InvalidUrl; InvalidInput for a name that no check has, and for effects or commands that fail; InvalidSetting.
    """
    policy = AddressPolicy(egress=settings.egress, allow_hosts=settings.allow_host, command="swiftclaw certify --url …")
    checked = check_url(url, field="url")
    wishes = Wishes(
        checks=choose(asked.only, asked.skip),
        slow_ms=asked.slow_ms,
        effects=_effects(asked, policy),
        break_it=None if asked.break_cmd is None else _command(asked.break_cmd, field="--break-cmd"),
        fix_it=None if asked.fix_cmd is None else _command(asked.fix_cmd, field="--fix-cmd"),
    )
    courier = Courier(
        checked, secret, new_poster=lambda: new_sender(policy, settings), clock=Clock(), agent=agent or AGENT
    )
    return asyncio.run(certify(courier, wishes)).document()


def new_sender(policy: AddressPolicy, settings: Settings) -> Sender:
    """Return a sender as a server with these settings has."""
    return Sender(
        policy,
        timeout_s=settings.send_timeout.total_seconds(),
        connect_timeout_s=settings.connect_timeout.total_seconds(),
        ca_file=settings.ca_file,
    )


def _effects(asked: Asked, policy: AddressPolicy) -> Effects | None:
    if asked.effects_url is not None:
        return from_url(asked.effects_url, policy)
    return None if asked.effects_cmd is None else from_command(asked.effects_cmd)


def _command(command: str, *, field: str) -> Callable[[], Awaitable[object]]:
    return lambda: run(command, field=field)
