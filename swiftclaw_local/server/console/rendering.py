"""Turns what a page shows into HTML: Jinja2 with everything escaped, and the headers that let in nothing but our own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from swiftclaw_local import __version__
from swiftclaw_local.errors import SwiftclawError
from swiftclaw_local.server.console import words
from swiftclaw_local.server.console.assets import Assets
from swiftclaw_local.server.console.frame import Frame
from swiftclaw_local.server.console.page import Shown
from swiftclaw_local.server.console.preferences import THEMES, Preferences

TEMPLATES: Final = Path(__file__).parent / "templates"
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HTML_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # not no-referrer: with that a browser sends `Origin: null` with our own forms, which the guard refuses
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Renderer:
    """Knows the templates and the files they name."""

    def __init__(self, assets: Assets) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(asset=assets.address, version=__version__, themes=THEMES)
        self._environment.filters.update(
            iso=words.iso,
            absolute=words.absolute,
            clock_time=words.clock_time,
            span=words.span,
            ms=words.milliseconds,
            ms_short=words.milliseconds_short,
            hour_minute=words.hour_minute,
            size=words.size,
            short_id=words.short_id,
            place=words.place,
        )
        self._environment.globals.update(counted=words.counted, answer=words.answer)

    def page(self, shown: Shown, frame: Frame) -> web.Response:
        """Return a page in its frame, or a part of one without."""
        fields = {name: getattr(shown.data, name) for name in type(shown.data).model_fields}
        return self._html(
            shown.template,
            {**fields, **shown.more, "title": shown.title, "frame": frame},
            status=shown.status,
        )

    def error(self, error: SwiftclawError, request: web.Request) -> web.Response:
        """Return an error as a page. It shows nothing of what the server holds: a stranger may be asking."""
        preferences = Preferences.of(request)
        told = {"error": error, "preferences": preferences, "title": error.message, "way_back": _way_back(request)}
        return self._html("error.html", told, status=error.http_status)

    def _html(self, template: str, values: dict[str, Any], *, status: int) -> web.Response:
        text = self._environment.get_template(template).render(values)
        # a lone surrogate in what a receiver sent cannot be written as UTF-8
        return web.Response(status=status, body=text.encode("utf-8", "replace"), headers=HTML_HEADERS)


def _way_back(request: web.Request) -> str | None:
    """Return the page of ours whose form failed."""
    referer = request.headers.get("Referer", "")
    origin = f"{request.url.origin()}/"
    return "/" + referer.removeprefix(origin) if referer.startswith(origin) else None
