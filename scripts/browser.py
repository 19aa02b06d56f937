"""Prepare .browser: what drives a browser through the console, at the locked versions: `python -m scripts.browser`.

Owns .browser: a folder of Python packages (Playwright, and axe, which looks for what some people cannot use) that the
tests put behind .venv's own. The browser itself is the machine's own Chromium: none is downloaded.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import Final

from scripts.bed import Bed, run
from scripts.setup import ROOT, find_uv

FOLDER: Final = ROOT / ".browser"
SITE: Final = FOLDER / "site"
LOCK: Final = "requirements-browser.lock"
SETTING: Final = "CHROMIUM"
NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING: Final = (
    "There is no Chromium on this PATH. Install it (Debian: apt-get install -y chromium; Fedora: dnf install chromium), or say "
    f"where yours is: {SETTING}=/path/to/chromium make browser"
)


def main() -> int:
    """Bring .browser up to date, look for the browser, and return the exit code."""
    if find_chromium() is None:
        given = os.environ.get(SETTING)
        print(f'error: {SETTING} is "{given}", which is no program.' if given else f"error: {MISSING}", file=sys.stderr)
        return 1
    return BED.prepare()


def find_chromium() -> str | None:
    """Return the browser to drive: the one that $CHROMIUM names, or the first of the usual names; None without any."""
    given = os.environ.get(SETTING)
    return next((found for name in ([given] if given else NAMES) if (found := shutil.which(name))), None)


def install() -> None:
    """Install the packages, anew. Raises: CalledProcessError, OSError."""
    shutil.rmtree(SITE, ignore_errors=True)
    uv = find_uv(ROOT)
    if uv is None:
        target = ("--target", str(SITE), "--require-hashes", "--requirement", LOCK)
        run(sys.executable, "-m", "pip", "install", "-qq", "--no-deps", *target)
        return
    python = ("--python", sys.executable)
    run(uv, "pip", "install", "--quiet", *python, "--target", str(SITE), "--require-hashes", "--requirement", LOCK)


BED: Final = Bed(
    FOLDER,
    ingredients=(LOCK, "scripts/browser.py", "scripts/bed.py"),
    proof=SITE / "playwright",
    needs="See the messages above.",
    install=install,
)

if __name__ == "__main__":
    sys.exit(main())
