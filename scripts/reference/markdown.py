"""The few pieces of Markdown the generated pages are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTE = "<!-- Made from the code by `make docs`. Do not edit. -->"


def page(title: str, *blocks: str) -> str:
    """Return a page: its note, its title, and its blocks, an empty line between them."""
    return "\n\n".join([NOTE, f"# {title}", *(block.strip() for block in blocks if block.strip())]) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table without the columns that would be empty; a bar or a line break inside a cell does not end it."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    filled = [number for number in range(len(columns)) if any(row[number] for row in cells)]
    lines = [list(columns), ["---"] * len(columns), *cells]
    return "\n".join(f"| {' | '.join(line[number] for number in filled)} |" for line in lines)


def code(text: str) -> str:
    """Return a word of the code, as code."""
    return f"`{text}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
