"""Where everything stands in a chart: sends per minute, latency, and a retry timeline. Pure; the templates draw it as SVG.

Every chart has its numbers beside it as a table, and tells failed from delivered by a pattern, too, not by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from swiftclaw_local.server.models import Seconds, StatsPointOut

WIDTH, HEIGHT = 600.0, 96.0
_GAP: Final = 0.22  # of a bar's place that stays empty
_SHORTEST: Final = 2.0  # a bar of one send among thousands is still seen


@dataclass(frozen=True, slots=True)
class Bar:
    """One minute: `good` stands on the ground, `bad` on it, `rest` (neither, as cut off) on top."""

    x: float
    width: float
    good: float
    bad: float
    rest: float
    point: StatsPointOut


@dataclass(frozen=True, slots=True)
class Bars:
    """Sends per minute; `top` is the count that the full height stands for."""

    bars: tuple[Bar, ...]
    top: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line with holes where nothing was measured: `d` is the path of an SVG; `dots` are minutes without neighbours."""

    d: str
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Latency:
    """Latency of the attempts of each minute, in milliseconds; `top` is what the full height stands for."""

    p50: Line
    p95: Line
    top: int


def bars(points: Sequence[StatsPointOut]) -> Bars:
    """Return the bars of sends per minute."""
    top = nice_above(max((point.sent for point in points), default=0))
    place = WIDTH / max(1, len(points))
    return Bars(tuple(_bar(point, number * place, place, top) for number, point in enumerate(points)), top)


def _bar(point: StatsPointOut, x: float, place: float, top: int) -> Bar:
    def tall(count: int) -> float:
        return max(_SHORTEST, count / top * HEIGHT) if count else 0.0

    rest = point.sent - point.delivered - point.failed
    width = place * (1 - _GAP)
    return Bar(round(x, 2), round(width, 2), tall(point.delivered), tall(point.failed), tall(rest), point)


def latency(points: Sequence[StatsPointOut]) -> Latency:
    """Return the two lines of latency."""
    top = nice_above(max((point.p95_ms or 0 for point in points), default=0))
    return Latency(_line(points, lambda point: point.p50_ms, top), _line(points, lambda point: point.p95_ms, top), top)


def _line(points: Sequence[StatsPointOut], value: Callable[[StatsPointOut], int | None], top: int) -> Line:
    place = WIDTH / max(1, len(points))
    runs: list[list[tuple[float, float]]] = [[]]
    for number, point in enumerate(points):
        found = value(point)
        if found is None:
            runs.append([])
        else:
            runs[-1].append((round((number + 0.5) * place, 1), round(HEIGHT - found / top * HEIGHT, 1)))
    drawn = ["M" + " L".join(f"{x} {y}" for x, y in run) for run in runs if len(run) > 1]
    return Line(" ".join(drawn), tuple(run[0] for run in runs if len(run) == 1))


def nice_above(value: int) -> int:
    """Return 1, 2, 5, 10, 20, 50, … : the first that is not below the value."""
    power = 1
    while True:
        for step in (1, 2, 5):
            if step * power >= value:
                return step * power
        power *= 10


@dataclass(frozen=True, slots=True)
class Stop:
    """One attempt on a retry timeline, made (`done`) or still planned; `x` from 0 to 1 on a log axis of time."""

    x: float
    at: Seconds
    label: str
    state: str
    done: bool


def places(times: Sequence[Seconds]) -> list[float]:
    """Return where times stand from 0 to 1 when a second and an hour should both be seen: by the log of the time passed.

    Neighbours keep a distance, so that their marks do not hide each other.
    """
    if not times:
        return []
    passed = [math.log1p(max(0.0, at - times[0])) for at in times]
    whole = max(passed[-1], 1.0)
    apart = min(0.11, 1 / max(1, len(times) - 1))
    found: list[float] = []
    for value in passed:
        x = value / whole if times[-1] > times[0] else 0.0
        found.append(max(x, found[-1] + apart) if found else x)
    return [round(x / max(1.0, found[-1]), 4) for x in found]
