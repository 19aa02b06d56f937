"""Judges the alerts after failed attempts and as time passes, and tells who wants to know (decision D27).

The rule is `scheduler.alerts`; this asks the log for the counts, writes what changed, and POSTs it where asked. That
POST is not a delivery: it is not retried, and never counted.
"""

from __future__ import annotations

import asyncio
import json

from swiftclaw_local import logs
from swiftclaw_local.dispatcher.request import notice_request
from swiftclaw_local.dispatcher.sender import Poster
from swiftclaw_local.dispatcher.watch import Watch
from swiftclaw_local.errors import StorageUnavailable, UnknownAlert
from swiftclaw_local.logs import Log
from swiftclaw_local.scheduler.alerts import next_state, window_start
from swiftclaw_local.scheduler.clock import Clock
from swiftclaw_local.scheduler.outcome import Answered
from swiftclaw_local.storage.reads import Reads
from swiftclaw_local.storage.records import Alert, AlertEvent
from swiftclaw_local.storage.store import Store


class AlertJudge:
    """Keeps the alerts' states true: `failed` after a failed attempt, `judge` whenever time has passed."""

    def __init__(self, store: Store, reads: Reads, sender: Poster, *, clock: Clock, watch: Watch, log: Log) -> None:
        self._store = store
        self._reads = reads
        self._sender = sender
        self._clock = clock
        self._watch = watch
        self._log = log
        self._watched: set[str] = set()
        self._due = asyncio.Event()
        self._judging = asyncio.Lock()
        self._notices: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to judge after failures."""
        await self.judge()
        self._loop = asyncio.create_task(self._run(), name="alerts")

    async def stop(self) -> None:
        """Judge no more; notices under way end."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])
        if self._notices:
            await asyncio.wait(self._notices)

    def failed(self, agent: str) -> None:
        """Have the alerts judged soon, if any watches this agent."""
        if agent in self._watched:
            self._due.set()

    async def judge(self) -> None:
        """Count every alert's failures at the clock's present time and write down which fired or cleared."""
        async with self._judging:
            alerts = await self._reads.alerts()
            self._watched = {alert.agent for alert in alerts}
            for alert in alerts:
                await self._judge_one(alert)

    async def count(self, alert: Alert) -> int:
        """Return the failed attempts in the alert's window, up to the clock's present time."""
        now = self._clock.now()
        return await self._reads.count_failures(alert.agent, after=window_start(now, alert.window), until=now)

    async def _run(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                await self.judge()
            except StorageUnavailable as error:  # the heartbeat judges again
                self._log.warning(logs.STORE_FAILED, verb="judge alerts", error=error.message)
            except Exception:  # the outermost edge: a defect must not end the judging; the heartbeat judges again
                self._log.exception(logs.STEP_FAILED, step="alerts")

    async def _judge_one(self, alert: Alert) -> None:
        count = await self.count(alert)
        state = next_state(count, threshold=alert.threshold)
        if state == alert.state:
            return
        try:
            change = await self._store.set_alert(alert.id, state=state, count=count, now=self._clock.now())
        except UnknownAlert:
            return  # deleted since it was read
        if change is None:
            return
        self._watch.look()
        say = self._log.warning if state == "firing" else self._log.info
        name = logs.ALERT_FIRED if state == "firing" else logs.ALERT_CLEARED
        say(name, alert_id=alert.id, agent=alert.agent, count=count, threshold=alert.threshold)
        if alert.notify_url is not None:
            notice = asyncio.create_task(self._notify(alert, change))
            self._notices.add(notice)
            notice.add_done_callback(self._notices.discard)

    async def _notify(self, alert: Alert, change: AlertEvent) -> None:
        assert alert.notify_url is not None
        body = {
            "alert": alert.id,
            "agent": alert.agent,
            "metric": alert.metric,
            "state": change.state,
            "count": change.count,
            "threshold": alert.threshold,
            "at": int(change.at.timestamp()),
        }
        try:
            exchange = await self._sender.post(notice_request(alert.notify_url, json.dumps(body).encode()))
        except Exception:  # a defect of the sender; the alert is in the log and in the history all the same
            self._log.exception(logs.STEP_FAILED, step="notify", alert_id=alert.id)
            return
        outcome = exchange.outcome
        answer = {"status": outcome.status} if isinstance(outcome, Answered) else {"error": outcome.cause.value}
        self._log.info(logs.ALERT_NOTIFIED, alert_id=alert.id, state=change.state, **answer)
