"""Setting up alerts and taking them down; the judging is the dispatcher's."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from swiftclaw_local.dispatcher.alerting import AlertJudge
from swiftclaw_local.dispatcher.url import check_url
from swiftclaw_local.durations import duration_text
from swiftclaw_local.errors import InvalidInput
from swiftclaw_local.platform.webhooks import check_agent
from swiftclaw_local.scheduler.alerts import METRIC
from swiftclaw_local.scheduler.clock import Clock
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import Alert
from swiftclaw_local.storage.store import Store

_LONGEST_WINDOW: Final = timedelta(days=30)


class Alerts:
    """The rules on failed attempts."""

    def __init__(self, store: Store, reads: Reads, *, judge: AlertJudge, clock: Clock) -> None:
        self._store = store
        self._reads = reads
        self._judge = judge
        self._clock = clock

    async def create(
        self, agent: str, *, metric: str, threshold: int, window: timedelta, notify_url: str | None = None
    ) -> Alert:
        """Watch an agent; the alert is judged at once over what is in the log already.

        Raises: InvalidInput for another metric than webhook-failures, a threshold below 1, a window outside (0, 30 d];
        InvalidUrl.
        """
        if metric != METRIC:
            raise InvalidInput(f'Unknown metric "{metric}". There is one: {METRIC}.', field="metric")
        if threshold < 1:
            raise InvalidInput("A threshold is a whole number from 1.", field="threshold")
        if not timedelta() < window <= _LONGEST_WINDOW:
            raise InvalidInput(
                f"A window is longer than 0s and at most {duration_text(_LONGEST_WINDOW)}.",
                hint="Write 1h or 30m.",
                field="window",
            )
        alert = Alert(
            id="",
            agent=check_agent(agent),
            metric=metric,
            threshold=threshold,
            window=window,
            notify_url=None if notify_url is None else check_url(notify_url, field="notify_url"),
            state="ok",
            created_at=self._clock.now(),
        )
        added = await self._store.add_alert(alert)
        await self._judge.judge()
        return await self._reads.alert(added.id)

    async def delete(self, alert_id: str) -> None:
        """Remove an alert; its history stays. Raises: UnknownAlert."""
        await self._store.remove_alert(alert_id)
        await self._judge.judge()

    async def count(self, alert: Alert) -> int:
        """Return the failed attempts in the alert's window now."""
        return await self._judge.count(alert)
