"""What the browser suite measured, as the table that it prints at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil


@dataclass(slots=True)
class Figures:
    """Lines of (what, how much, at most)."""

    lines: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, what: str, measured: str, *, limit: str = "") -> None:
        """Remember one figure, with the limit that it was held to."""
        self.lines.append((what, measured, limit))

    def show(self) -> None:
        """Print them all."""
        if not self.lines:
            return
        widths = [max(len(line[column]) for line in self.lines) for column in range(3)]
        print("\n\nFigures of the browser suite")
        for line in self.lines:
            print("  " + "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def percentile(values: list[float], *, of: float) -> float:
    """Return the smallest value that this share of them does not exceed (nearest rank)."""
    return sorted(values)[max(1, ceil(of * len(values))) - 1]
