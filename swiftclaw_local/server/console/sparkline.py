"""A small drawing of a webhook's last hour: a bar for each five minutes, what failed hatched on top. Pure.

It returns where the bars stand; the template draws them, and writes beside them what they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from swiftclaw_local.server.models import StatsPointOut

HEIGHT: Final = 20
STEP: Final = 8
_BAR: Final = 6
_LEAST: Final = 2.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle."""

    x: float
    y: float
    width: float
    height: float
    failed: bool


def bars(points: Sequence[StatsPointOut]) -> list[Bar]:
    """Return the bars of the points, the highest as high as the drawing; an empty step has none."""
    most = max((point.sent for point in points), default=0)
    drawn: list[Bar] = []
    for place, point in enumerate(points):
        ground = float(HEIGHT)
        for count, failed in ((point.delivered, False), (point.sent - point.delivered, True)):
            if count > 0:
                height = max(_LEAST, round(count / most * HEIGHT, 1))
                ground = max(0.0, ground - height)
                drawn.append(Bar(place * STEP, ground, _BAR, min(height, HEIGHT), failed))
    return drawn
