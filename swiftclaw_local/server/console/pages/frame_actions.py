"""What the frame around every page can do: freeze the clock and let it run, keep a preference."""

from __future__ import annotations

from typing import Final, Literal

from aiohttp import web

from swiftclaw_local.platform import Platform
from swiftclaw_local.scheduler.clock import text
from swiftclaw_local.server.adapter import SAFE_HEADERS
from swiftclaw_local.server.console.going import own_path
from swiftclaw_local.server.console.page import Action, Went
from swiftclaw_local.server.console.preferences import Preferences, Theme
from swiftclaw_local.server.models import Model


class Back(Model):
    """The page that the form stands on."""

    back: str = "/"


class Preferred(Back):
    """One preference, or several."""

    theme: Theme | None = None
    keys: Literal["on", "off"] | None = None


async def freeze(platform: Platform, form: Back) -> Went:
    """Stop the clock."""
    await platform.timeline.freeze()
    return Went(
        own_path(form.back), f"Clock frozen at {text(platform.clock.now())}. Retries run only when you advance it."
    )


async def resume(platform: Platform, form: Back) -> Went:
    """Let the clock follow real time again."""
    await platform.timeline.resume()
    return Went(own_path(form.back), f"The clock runs again, from {text(platform.clock.now())}.")


async def prefer(request: web.Request, form: Preferred) -> web.StreamResponse:
    """Keep a preference."""
    before = Preferences.of(request)
    after = Preferences(
        theme=before.theme if form.theme is None else form.theme,
        keys=before.keys if form.keys is None else form.keys == "on",
    )
    response = web.Response(status=303, headers={"Location": own_path(form.back), **SAFE_HEADERS})
    after.keep(response)
    return response


ACTIONS: Final = (
    Action("/clock/freeze", freeze, "admin"),
    Action("/clock/resume", resume, "admin"),
    Action("/preferences", prefer, "read"),
)
