"""A window of the browser on the console: opened as a person has it, it remembers all that goes wrong in it.

Scripts that fail, what the Content-Security-Policy refuses, requests to other hosts and answers of 5xx are faults of the
page, and the test that opened the window fails with them.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from scripts.setup import ROOT

SHOTS: Final = Path(os.environ.get("SHOTS", ROOT / "build" / "screenshots"))
WIDE, NARROW = 1280, 400
_WITHIN_MS: Final = 5_000


class OpenWindow:
    """Opens windows: `window(width=400, dark=True)` gives Playwright's page."""

    def __init__(self, chromium: Any, url: str, stack: ExitStack, *, name: str) -> None:
        self._chromium = chromium
        self._url = url
        self._stack = stack
        self._name = name
        self.faults: list[str] = []
        stack.callback(self._check)

    def __call__(
        self, path: str = "/", *, width: int = WIDE, dark: bool = False, script: bool = True, height: int = 800
    ) -> Any:
        """Open a window of its own, without a history or cookies, and go to a path."""
        context = self._chromium.new_context(
            base_url=self._url,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
        )
        context.set_default_timeout(_WITHIN_MS)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        self._stack.callback(context.close)
        page = context.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("console", self._heard)
        page.on("request", self._asked)
        page.on("response", self._answered)
        page.goto(path)
        return page

    def shoot(self, page: Any, name: str) -> Path:
        """Keep a picture of the whole page, for people to look at."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        path = SHOTS / f"{name}.png"
        page.screenshot(path=path, full_page=True)
        return path

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self._url, "data:", "blob:")):
            self.faults.append(f"request to {urlsplit(request.url).netloc}")

    def _answered(self, response: Any) -> None:
        if response.status >= 500:
            self.faults.append(f"{response.status} to {response.url}")

    def _check(self) -> None:
        assert self.faults == []
