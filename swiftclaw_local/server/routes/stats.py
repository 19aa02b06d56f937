"""The route of statistics over the log."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from swiftclaw_local.durations import parse_duration
from swiftclaw_local.errors import InvalidDuration, InvalidInput
from swiftclaw_local.platform import Platform
from swiftclaw_local.server.adapter import Route
from swiftclaw_local.server.models import StatsOut
from swiftclaw_local.server.queries import StatsQuery
from swiftclaw_local.server.shapes import point_out

MAX_POINTS: Final = 1440


async def show_stats(platform: Platform, query: StatsQuery) -> StatsOut:
    """Count attempts per step of time over a window that ends now on the engine's clock."""
    window = parse_duration(query.window, field="window")
    step = parse_duration(query.step, field="step")
    if not window or not step:
        raise InvalidInput("window and step are longer than 0s.", field="step" if window else "window")
    if window / step > MAX_POINTS:
        raise InvalidInput(
            f"{query.window} in steps of {query.step} are more than {MAX_POINTS} points.",
            hint="Give a longer step.",
            field="step",
        )
    # what ended in the second that it is now belongs to the window: on a clock that stands everything does
    until = platform.clock.now().replace(microsecond=0) + timedelta(seconds=1)
    stats = await platform.reads.stats(since=until - window, until=until, step=step, webhook_id=query.webhook)
    return StatsOut(points=[point_out(point) for point in stats.points])


ROUTES: Final = (Route("GET", "/v1/stats", show_stats, "read", {200: StatsOut}, (InvalidInput, InvalidDuration)),)
