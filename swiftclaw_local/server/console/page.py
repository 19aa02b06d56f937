"""How a page is written: an async function that returns `Shown`, and for a form one that does something and returns `Went`.

Such a function names what it wants: `platform`, `request`, the names in its path, `query` and `form`, each of the pydantic
model it is annotated with. A page changes nothing; only an action does. This file knows no HTML.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_type_hints

from aiohttp import web
from pydantic import BaseModel

from swiftclaw_local.server.adapter import Scope

Tone = Literal["good", "bad", "note"]
Handler = Callable[..., Awaitable["Shown | Went | web.StreamResponse"]]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows. `data` is what its `.json` twin answers; `more` is for the template alone, as drawings and choices.

    The template finds `data`'s fields by their own names, those of `more` beside them, and the frame as `frame`.
    """

    template: str
    title: str
    data: BaseModel
    more: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    # a part of a page, which a script puts in the place of an older one, has no frame around it
    part: bool = False


@dataclass(frozen=True, slots=True)
class Went:
    """Where the browser goes after an action, what is said there, and what a program is answered."""

    to: str
    said: str
    tone: Tone = "good"
    data: BaseModel | None = None


@dataclass(frozen=True, slots=True)
class Asks:
    """What a function names as its arguments."""

    names: frozenset[str]
    query: type[BaseModel] | None
    form: type[BaseModel] | None

    @classmethod
    def of(cls, handle: Handler) -> Asks:
        """Look at a function."""
        hints = get_type_hints(handle)
        return cls(frozenset(inspect.signature(handle).parameters), hints.get("query"), hints.get("form"))


@dataclass(frozen=True, slots=True)
class Page:
    """A page at an address, read by GET. With `twin` the same address and `.json` answers its data."""

    path: str
    handle: Handler
    scope: Scope = "read"
    twin: bool = True

    @property
    def twin_path(self) -> str:
        """The address of the twin."""
        return "/live.json" if self.path == "/" else f"{self.path}.json"


@dataclass(frozen=True, slots=True)
class Action:
    """What a form does, by POST; the guard lets in no form of another page."""

    path: str
    handle: Handler
    scope: Scope
