"""The receivers to start from: programs of their own, kept as they are in the folder `starters` of this package."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Final, NamedTuple

from swiftclaw_local.errors import UnknownStarter

FOLDER: Final = Path(__file__).parent / "starters"


class Starter(NamedTuple):
    """One receiver to start from: what it is called, where it is kept, what to save it as."""

    name: str
    title: str
    file: str
    save_as: str

    def text(self) -> str:
        """Return the program."""
        return (FOLDER / self.file).read_text(encoding="utf-8")


STARTERS: Final = (
    Starter("fastapi", "FastAPI", "fastapi_receiver.py", "receiver.py"),
    Starter("flask", "Flask", "flask_receiver.py", "receiver.py"),
    Starter("quart", "Quart", "quart_receiver.py", "receiver.py"),
    Starter("aiohttp", "aiohttp", "aiohttp_receiver.py", "receiver.py"),
    Starter("django", "Django", "django_receiver.py", "receiver.py"),
    Starter("express", "Express", "express_receiver.mjs", "receiver.mjs"),
    Starter("fastify", "Fastify", "fastify_receiver.mjs", "receiver.mjs"),
    Starter("nextjs", "Next.js, a route handler", "nextjs_route.mjs", "app/webhooks/swiftclaw/route.js"),
    Starter("go", "Go, net/http", "go_receiver.go", "receiver.go"),
)
NAMES: Final = tuple(starter.name for starter in STARTERS)


def find_starter(name: str) -> Starter:
    """Return the starter of this name. Raises: UnknownStarter, with the closest name."""
    wanted = name.lower().replace(".", "").replace("-", "")
    for one in STARTERS:
        if one.name == wanted:
            return one
    close = get_close_matches(wanted, NAMES, n=1)
    guess = f' Did you mean "{close[0]}"?' if close else ""
    raise UnknownStarter(f'There is no starter "{name}".{guess}', hint=f"Starters: {', '.join(NAMES)}")
