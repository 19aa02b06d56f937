"""Registering, changing and deleting webhooks. Whatever waits in memory for a changed webhook is taken back first."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from swiftclaw_local import logs
from swiftclaw_local.dispatcher.addresses import AddressPolicy
from swiftclaw_local.dispatcher.engine import Engine
from swiftclaw_local.dispatcher.url import check_url
from swiftclaw_local.errors import InvalidInput, InvalidSecret, UnknownAgent, UnknownWebhook
from swiftclaw_local.events.catalog import EVENT_TYPE_NAMES, check_event_types
from swiftclaw_local.logs import Log
from swiftclaw_local.scheduler.clock import Clock
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import DeliveryFilter, Webhook, WebhookChange
from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.store import Store

_AGENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_SECRET_MAX: Final = 512
_SECRET_BYTES: Final = 24  # 32 url-safe characters (decision D11)


@dataclass(frozen=True, slots=True)
class WebhookChanged:
    """A webhook before and after a change; its `pending` deliveries now follow the new settings."""

    before: Webhook
    after: Webhook
    pending: int


@dataclass(frozen=True, slots=True)
class WebhookDeleted:
    """What went with a webhook: `canceled` scheduled deliveries; all its `deliveries` stay readable."""

    id: str
    canceled: int
    deliveries: int


@dataclass(frozen=True, slots=True)
class NewPlace:
    """A URL that is registered when a replay to it begins, for its deliveries alone: signed with the secret of their webhook."""

    url: str
    of: Webhook


class Webhooks:
    """The registered URLs of all agents."""

    def __init__(
        self,
        store: Store,
        reads: Reads,
        *,
        engine: Engine,
        clock: Clock,
        addresses: AddressPolicy,
        default_secret: str | None,
        log: Log,
    ) -> None:
        self._store = store
        self._reads = reads
        self._engine = engine
        self._clock = clock
        self._addresses = addresses
        self._default_secret = default_secret
        self._log = log

    async def create(
        self,
        agent: str,
        *,
        url: str,
        events: list[str] | None = None,
        secret: str | None = None,
        description: str = "",
        enabled: bool = True,
    ) -> tuple[Webhook, str]:
        """Register a URL and return the webhook with its secret in plain text. Without `events`: all nine (decision D16).

        Raises: InvalidUrl, UnknownEventType, InvalidSecret, InvalidInput for an agent's name that cannot be one.
        """
        given = self._default_secret if secret is None else secret
        plain = new_secret() if given is None else check_secret(given)
        webhook = Webhook(
            id="",
            agent=check_agent(agent),
            url=check_url(url, field="url"),
            events=EVENT_TYPE_NAMES if events is None else check_event_types(events),
            description=description,
            enabled=enabled,
            created_at=self._clock.now(),
        )
        return await self._add(webhook, plain), plain

    async def place(self, to: str, *, own: set[str]) -> Webhook | NewPlace | None:
        """Return where deliveries of these webhooks go instead: the webhook with this id or URL, or a URL to be registered.

        None: to no place yet, as there are none. Raises: UnknownWebhook, InvalidUrl; InvalidInput for several secrets.
        """
        page = await self._reads.webhooks(limit=500)
        url = check_url(to, field="to") if "/" in to else None
        found = [webhook for webhook in page.rows if webhook.id == to or webhook.url == url]
        if found:
            return found[0]
        if url is None:
            raise UnknownWebhook(
                f'No webhook has the id "{to[:200]}".', hint="Give a webhook's id, or any URL.", field="to"
            )
        if len(own) > 1:
            raise InvalidInput(
                f"They belong to {len(own)} webhooks, each with a secret of its own, and {url[:200]} is not registered.",
                hint="Narrow it: --webhook webhook-123; or register the URL, with the secret that its receiver knows.",
                field="to",
            )
        known = [webhook for webhook in page.rows if webhook.id in own]
        if own and not known:
            raise UnknownWebhook(
                f"{own.pop()} was deleted, and nothing else says with which secret to sign.",
                hint=f"Register the URL first: swiftclaw webhooks create my-agent --url {url[:200]}",
                field="to",
            )
        return NewPlace(url, known[0]) if known else None

    async def add_for_replays(self, place: NewPlace) -> Webhook:
        """Register a URL that subscribes to nothing, and so gets replays alone. Raises: UnknownWebhook."""
        of = place.of
        secret = await self._store.secret_of(of.id)
        said = f"made by a replay, for deliveries of {of.id}"
        return await self._add(Webhook("", of.agent, place.url, (), said, True, self._clock.now()), secret)

    async def _add(self, webhook: Webhook, secret: str) -> Webhook:
        added = await self._store.add_webhook(webhook, secret=secret)
        self._log.info(logs.WEBHOOK_CHANGED, change="created", webhook_id=added.id, agent=added.agent, url=added.url)
        return added

    async def find(self, agent: str, webhook_id: str) -> Webhook:
        """Return an agent's webhook.

        Raises: UnknownAgent with the closest name; UnknownWebhook with those the agent has.
        """
        page = await self._reads.webhooks(agent=agent, limit=500)
        found = [webhook for webhook in page.rows if webhook.id == webhook_id]
        if found:
            return found[0]
        if not page.rows:
            raise await self._unknown_agent(agent)
        names = ", ".join(webhook.id for webhook in page.rows[:10])
        raise UnknownWebhook(f'{agent} has no webhook "{webhook_id}". It has: {names}.', field="webhook")

    async def change(
        self,
        agent: str,
        webhook_id: str,
        *,
        url: str | None = None,
        events: list[str] | None = None,
        secret: str | None = None,
        description: str | None = None,
        enabled: bool | None = None,
    ) -> WebhookChanged:
        """Change what is given. Pending deliveries go to the new URL with the new secret (decision D19).

        Raises: UnknownAgent, UnknownWebhook, InvalidUrl, UnknownEventType, InvalidSecret.
        """
        before = await self.find(agent, webhook_id)
        change = WebhookChange(
            url=None if url is None else check_url(url, field="url"),
            events=None if events is None else check_event_types(events),
            secret=None if secret is None else check_secret(secret),
            description=description,
            enabled=enabled,
        )
        after = await self._store.change_webhook(webhook_id, change)
        await self._engine.take_back(webhook_id)
        self._engine.wake()
        self._log.info(logs.WEBHOOK_CHANGED, change="updated", webhook_id=webhook_id, agent=agent, url=after.url)
        pending = DeliveryFilter(webhook_id=webhook_id, states=(State.PENDING,))
        return WebhookChanged(before, after, await self._reads.count_deliveries(pending))

    async def delete(self, agent: str, webhook_id: str) -> WebhookDeleted:
        """Delete a webhook: nothing more is sent to it; attempts in flight end and are recorded (decision D20).

        Raises: UnknownAgent, UnknownWebhook.
        """
        await self.find(agent, webhook_id)
        canceled = await self._store.remove_webhook(webhook_id, now=self._clock.now())
        canceled += await self._engine.take_back(webhook_id)
        self._log.info(logs.WEBHOOK_CHANGED, change="deleted", webhook_id=webhook_id, agent=agent, canceled=canceled)
        deliveries = await self._reads.count_deliveries(DeliveryFilter(webhook_id=webhook_id))
        return WebhookDeleted(webhook_id, canceled, deliveries)

    async def secret(self, agent: str, webhook_id: str) -> str:
        """Return the secret in plain text. Raises: UnknownAgent, UnknownWebhook."""
        await self.find(agent, webhook_id)
        return await self._store.secret_of(webhook_id)

    async def rotate_secret(self, agent: str, webhook_id: str, *, secret: str | None = None) -> str:
        """Switch to this secret, or to a new one, at once (decision D12), and return it.

        Raises: UnknownAgent, UnknownWebhook, InvalidSecret.
        """
        plain = new_secret() if secret is None else secret
        await self.change(agent, webhook_id, secret=plain)
        return plain

    def url_note(self, url: str) -> str | None:
        """Return what to know before anything is sent to this URL; None when it will simply be sent to."""
        return self._addresses.note(urlsplit(url).hostname or "")

    async def _unknown_agent(self, agent: str) -> UnknownAgent:
        agents = await self._reads.agents()
        close = get_close_matches(agent, agents, n=1)
        guess = f' Did you mean "{close[0]}"?' if close else ""
        known = f" Agents: {', '.join(agents[:10])}" if agents else ""
        hint = (
            None if agents else f"Register one: swiftclaw webhooks create {agent} --url http://localhost:8000/webhooks"
        )
        return UnknownAgent(f'No agent "{agent}" has webhooks.{guess}{known}', hint=hint, field="agent")


@lru_cache(maxsize=1024)  # asked at every event, and the pattern takes longer
def check_agent(agent: str) -> str:
    """Return an agent's name that can be one: 1 to 100 letters, digits, dots, dashes, underscores. Raises: InvalidInput."""
    if not _AGENT.fullmatch(agent):
        raise InvalidInput(
            f'"{agent}" cannot be the name of an agent.',
            hint="Use letters, digits, dots, dashes and underscores, as my-agent.",
            field="agent",
        )
    return agent


def check_secret(secret: str) -> str:
    """Return a secret that can be used: 1 to 512 printable characters. Raises: InvalidSecret, which does not show it."""
    if not 0 < len(secret) <= _SECRET_MAX or not secret.isprintable() or secret != secret.strip():
        raise InvalidSecret(
            f"A secret is 1 to {_SECRET_MAX} printable characters, without spaces around them.", field="secret"
        )
    return secret


def new_secret() -> str:
    """Return `scsec_` and 32 random url-safe characters (decision D11)."""
    return f"scsec_{secrets.token_urlsafe(_SECRET_BYTES)}"
