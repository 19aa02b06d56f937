"""Write docs/reference from the code: `make docs`. tests/test_docs.py fails when a page no longer says what the code does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from scripts.reference.commands import commands_page
from scripts.reference.errors import errors_page
from scripts.reference.events import events_page
from scripts.reference.faults import faults_page
from scripts.reference.routes import routes_page
from scripts.reference.settings import settings_page
from scripts.reference.states import states_page
from scripts.setup import ROOT

FOLDER: Final = ROOT / "docs" / "reference"
PAGES: Final[dict[str, Callable[[], str]]] = {
    "commands.md": commands_page,
    "routes.md": routes_page,
    "settings.md": settings_page,
    "errors.md": errors_page,
    "events.md": events_page,
    "faults.md": faults_page,
    "states.md": states_page,
}


def main() -> None:
    """Write the pages that changed, and say which."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    written = [name for name, make in PAGES.items() if write(FOLDER / name, make())]
    print(f"Written: {', '.join(written)}" if written else "docs/reference is up to date.")


def write(path: Path, text: str) -> bool:
    """Write a page, and return whether it changed."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True


if __name__ == "__main__":
    main()
