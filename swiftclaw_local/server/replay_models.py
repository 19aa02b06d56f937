"""The API's answers about replays of many deliveries, as pydantic models; the OpenAPI document is made from these."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from swiftclaw_local.server.models import Model, Seconds


class ReplayPlanOut(Model):
    """What a replay would do. `scheduled` of its deliveries have retries still to come, which it cancels; nothing was sent.

    `to` is the webhook that takes the place of their own, or the URL that will be registered with the secret of `secret_of`.
    """

    total: int
    webhooks: int
    scheduled: int
    rate: float
    about_s: Seconds
    canary: int
    stop_after: int | None
    with_retries: bool
    to: str | None
    secret_of: str | None
    first: ReplayFirst | None


class ReplayFirst(Model):
    """The delivery whose turn comes first."""

    delivery: str
    type: str
    created: Seconds


class ReplayItemOut(Model):
    """One delivery of a replay; `replay` is the one made for it, `skipped` says why none was."""

    delivery: str
    replay: str | None
    verdict: Literal["fixed", "still_failing", "regressed", "still_ok", "skipped", "sending"]
    status: int | None
    error: str | None
    ms: int | None
    skipped: Literal["forgotten", "webhook_deleted", "delivered", "replayed", "canceled"] | None


class ReplayOut(Model):
    """A replay of many deliveries. `sending` are under way, `left` have not had their turn; `eta_s` is null when it stands.

    `canaries` and `bad` are only where one replay is looked at: what became of those sent first, and the first that did
    not get through.
    """

    id: str
    state: Literal["running", "paused", "stopped", "done"]
    reason: Literal["canary", "failures"] | None = Field(description="Why it stopped by itself.")
    filter: dict[str, Any]
    total: int
    fixed: int
    still_failing: int
    regressed: int
    still_ok: int
    skipped: int
    sending: int
    left: int
    eta_s: Seconds | None
    rate: float
    canary: int
    stop_after: int | None
    with_retries: bool
    to: str | None
    created: Seconds
    ended: Seconds | None
    canaries: list[ReplayItemOut] | None = None
    bad: list[ReplayItemOut] | None = None
