"""What a person prefers: the theme, and whether single letters are keys. Kept in a cookie, so that it holds without a script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from aiohttp import web

Theme = Literal["auto", "light", "dark"]
THEMES: Final[tuple[Theme, ...]] = ("auto", "light", "dark")
COOKIE: Final = "swiftclaw_console"
_KEPT_S: Final = 31_536_000


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a person prefers; what a cookie says that we do not know counts for nothing."""

    theme: Theme = "auto"
    keys: bool = True

    @classmethod
    def of(cls, request: web.Request) -> Preferences:
        """Read the cookie."""
        theme, _, keys = request.cookies.get(COOKIE, "").partition("-")
        return cls(next((known for known in THEMES if known == theme), "auto"), keys != "quiet")

    def keep(self, response: web.StreamResponse) -> None:
        """Write the cookie."""
        written = f"{self.theme}-{'keys' if self.keys else 'quiet'}"
        response.set_cookie(COOKIE, written, max_age=_KEPT_S, samesite="Strict", path="/", httponly=True)
