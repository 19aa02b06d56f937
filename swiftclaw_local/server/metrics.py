"""Figures in the text format of Prometheus, counted from the log when somebody asks; nothing is counted on the way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from swiftclaw_local.platform import Platform
from swiftclaw_local.server.shapes import COUNTED

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class _Snapshot(Collector):
    """Metrics as they stood at one moment."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


async def metrics_text(platform: Platform) -> bytes:
    """Return the figures of this platform. Raises: StorageUnavailable."""
    counts = await platform.reads.counts()
    deliveries = GaugeMetricFamily("swiftclaw_deliveries", "Deliveries by state.", labels=["state"])
    for stored, name in COUNTED.items():
        deliveries.add_metric([name], counts.get(stored, 0))
    firing = len(await platform.reads.alerts(firing=True))
    stuck = await platform.reads.stuck(now=platform.clock.now())
    registry = CollectorRegistry(auto_describe=False)
    registry.register(
        _Snapshot(
            [
                deliveries,
                CounterMetricFamily("swiftclaw_events", "Events accepted.", value=counts["events"]),
                CounterMetricFamily("swiftclaw_attempts", "Attempts in the log.", value=counts["attempts"]),
                GaugeMetricFamily("swiftclaw_webhooks", "Webhooks registered.", value=counts["webhooks"]),
                GaugeMetricFamily("swiftclaw_stuck_deliveries", "Due for a minute and not sent.", value=stuck),
                GaugeMetricFamily("swiftclaw_alerts_firing", "Alerts that are firing.", value=firing),
                GaugeMetricFamily("swiftclaw_ready", "1 when events are taken.", value=float(platform.ready() is None)),
                GaugeMetricFamily(
                    "swiftclaw_clock_seconds",
                    "The engine's clock, unix seconds.",
                    value=platform.clock.now().timestamp(),
                ),
            ]
        )
    )
    return generate_latest(registry)
