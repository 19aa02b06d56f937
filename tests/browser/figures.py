"""What the browser suite measured, as the table that it prints at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil


@dataclass(slots=True)
class Figures:
    """Lines of (what, how much, at most)."""

    lines: dict[str, tuple[str, str]] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, what: str, measured: str, *, limit: str = "") -> None:
        """Remember one figure, with the limit that it was held to."""
        self.lines[what] = (measured, limit)

    def most(self, what: str, value: float, *, unit: str, limit: float) -> None:
        """Remember the largest of several values."""
        self.sums[what] = max(value, self.sums.get(what, value))
        self.add(what, f"{self.sums[what]:.0f} {unit}", limit=f"{limit:g} {unit}")

    def count(self, what: str, number: int) -> None:
        """Remember in how many places something was looked for and not found."""
        self.sums[what] = self.sums.get(what, 0) + number
        self.add(what, f"0 in {self.sums[what]:.0f} looks", limit="0")

    def show(self) -> None:
        """Print them all."""
        rows = [
            (what, measured, f"(at most {limit})" if limit else "") for what, (measured, limit) in self.lines.items()
        ]
        if not rows:
            return
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        print("\n\nFigures of the browser suite")
        for row in rows:
            print("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def percentile(values: list[float], *, of: float) -> float:
    """Return the smallest value that this share of them does not exceed (nearest rank)."""
    return sorted(values)[max(1, ceil(of * len(values))) - 1]
