"""The icon in the browser's tab, with the number of failed deliveries on it."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from swiftclaw_local.server.adapter import SAFE_HEADERS

_MOST: Final = 99
_CLAWS: Final = (
    '<rect width="32" height="32" rx="7" fill="#4338ca"/>'
    '<path d="M8 25c0-7 2-12 5-17M14.500 26c0-7 2-12 5-17M21 26c0-6 1.500-10 4-14" '
    'fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round"/>'
)


async def show_icon(request: web.Request) -> web.StreamResponse:
    """Draw the icon; `?failed=3` puts a red 3 on it. It is drawn here because the pages let in no picture of a script's."""
    given = request.query.get("failed", "")
    failed = int(given) if re.fullmatch(r"[0-9]{1,9}", given, re.ASCII) else 0
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">{_CLAWS}{_badge(failed)}</svg>'
    return web.Response(body=svg.encode(), headers={"Content-Type": "image/svg+xml", **SAFE_HEADERS})


def _badge(failed: int) -> str:
    if not failed:
        return ""
    text = str(failed) if failed <= _MOST else f"{_MOST}+"
    return (
        '<rect x="8" y="14" width="24" height="18" rx="9" fill="#dc2626"/>'
        f'<text x="20" y="28" font-size="{15 if len(text) < 3 else 12}" font-weight="700" '
        f'font-family="sans-serif" text-anchor="middle" fill="#fff">{text}</text>'
    )
