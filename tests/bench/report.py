"""What the bench makes of its measurements: medians, ratios, goals, the ledger, the table. Pure: it measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final, Literal

_COLUMNS: Final = (
    "measured",
    "rounds",
    "median",
    "lowest - highest",
    "against",
    "ratio",
    "lowest - highest",
    "goal",
    "",
)


class LedgerUnbalanced(Exception):
    """What was emitted, stored and received does not add up: the run is void, however fast it was."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Counts of one run, from three sides: the database's rows, and the requests that the receiver counted."""

    events: int
    deliveries: int
    attempts: int
    requests: int

    def check(self, *, emitted: int, attempts_each: int = 1) -> None:
        """Check that every event led to one delivery and each of its attempts to one request.

        Raises: LedgerUnbalanced, with all the counts.
        """
        expected = Ledger(emitted, emitted, emitted * attempts_each, emitted * attempts_each)
        if self != expected:
            raise LedgerUnbalanced(f"The run is void: expected {expected}, but counted {self}.")


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several rounds, how far they lie apart, and how many there were."""

    median: float
    lowest: float
    highest: float
    rounds: int


def spread(values: Sequence[float]) -> Spread:
    """Return the median, lowest and highest of at least one value."""
    return Spread(median(values), min(values), max(values), len(values))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Return the spread of round by round ratios; the rounds alternate, so that each pair saw the same machine."""
    return spread([our / their for our, their in zip(ours, theirs, strict=True)])


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that at least `percent` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure to reach, `at_least` or `at_most`."""

    kind: Literal["at_least", "at_most"]
    figure: float

    def met(self, value: float) -> bool:
        """Return whether `value` reaches the goal."""
        return value >= self.figure if self.kind == "at_least" else value <= self.figure

    def text(self) -> str:
        """Return the goal as the table shows it."""
        return f"{'>=' if self.kind == 'at_least' else '<='} {self.figure:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table: our figure with its unit, and the ratio to another one; the goal is the ratio's if there is one."""

    measure: str
    meaning: str
    unit: str
    ours: Spread
    against: str = ""
    theirs: Spread | None = None
    ratio: Spread | None = None
    goal: Goal | None = None

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the goal; None when there is no goal."""
        value = self.ours if self.ratio is None else self.ratio
        return None if self.goal is None else self.goal.met(value.median)


def compared(
    measure: str,
    meaning: str,
    unit: str,
    *,
    ours: Sequence[float],
    theirs: Sequence[float],
    against: str,
    goal: Goal | None = None,
) -> Figure:
    """Return the row of our rounds beside another's."""
    ratio = ratios(ours, theirs)
    return Figure(measure, meaning, unit, spread(ours), against=against, theirs=spread(theirs), ratio=ratio, goal=goal)


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as aligned text, one line each, with a line of headings."""
    rows = [_COLUMNS, *(_row(figure) for figure in figures)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def as_json(figures: Sequence[Figure], *, machine: dict[str, str]) -> dict[str, Any]:
    """Return the same as an object for `json.dump`."""
    return {"machine": machine, "figures": [asdict(figure) | {"met": figure.met} for figure in figures]}


def _row(figure: Figure) -> tuple[str, ...]:
    against = "" if figure.theirs is None else f"{figure.against} {_number(figure.theirs.median)} {figure.unit}"
    ratio = ("", "") if figure.ratio is None else (f"{figure.ratio.median:.2f}", _range(figure.ratio, "{:.2f}"))
    verdict = {None: "", True: "met", False: "MISSED"}[figure.met]
    return (
        f"{figure.measure}: {figure.meaning}",
        str(figure.ours.rounds),
        f"{_number(figure.ours.median)} {figure.unit}",
        _range(figure.ours),
        against,
        *ratio,
        "" if figure.goal is None else figure.goal.text(),
        verdict,
    )


def _range(values: Spread, form: str = "") -> str:
    show = form.format if form else _number
    return f"{show(values.lowest)} - {show(values.highest)}"


def _number(value: float) -> str:
    """Return three significant digits, or all the whole ones."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
