"""What a browser asks of the console, without a browser: pages, forms, and what their HTML says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from tests.acceptance.api import Api

ACCEPT = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
FORM = "application/x-www-form-urlencoded"
_VOID = frozenset({"meta", "link", "input", "br", "img", "hr", "use", "path", "circle", "rect"})


@dataclass(slots=True)
class Element:
    """One element: its attributes, and the text in it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass(slots=True)
class Html:
    """An answer in HTML: `elements` in the order of the page."""

    status: int
    headers: dict[str, str]
    source: str
    elements: list[Element] = field(default_factory=list)

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Return the elements of this tag with these attributes (`class_` for class, which holds several words)."""
        return [one for one in self.elements if one.tag == tag and all(_has(one, *each) for each in attributes.items())]

    @property
    def text(self) -> str:
        """All text of the page's body, its spaces made one."""
        return " ".join(next(one.text for one in self.elements if one.tag == "body").split())

    @property
    def links(self) -> list[str]:
        """Where the page leads to."""
        return [one.attributes["href"] for one in self.all("a")]


class Browser:
    """Asks an API's console for pages; follows where a form leads."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.origin = f"http://127.0.0.1:{api.client.port}"

    async def page(self, path: str, **headers: str) -> Html:
        """GET a page."""
        async with self.api.client.get(path, headers={"Accept": ACCEPT, **headers}) as answer:
            return read(answer.status, dict(answer.headers), await answer.text())

    async def twin(self, path: str) -> Any:
        """GET the data of a page."""
        async with self.api.client.get(path) as answer:
            return await answer.json()

    async def send(
        self,
        path: str,
        fields: Iterable[tuple[str, str]] | dict[str, str] = (),
        *,
        content_type: str = FORM,
        **headers: str,
    ) -> Html:
        """POST a form as a browser does, and return the page it leads to."""
        body = urlencode(fields if isinstance(fields, dict) else list(fields))
        named = {"Accept": ACCEPT, "Content-Type": content_type, "Origin": self.origin, "Sec-Fetch-Site": "same-origin"}
        async with self.api.client.post(path, data=body.encode(), headers={**named, **headers}) as answer:
            return read(answer.status, dict(answer.headers), await answer.text())

    async def send_quietly(self, path: str, fields: dict[str, str]) -> tuple[int, Any]:
        """POST a form as the script does, and return the status and the JSON."""
        headers = {"Accept": "application/json", "Content-Type": FORM, "Origin": self.origin}
        async with self.api.client.post(path, data=urlencode(fields).encode(), headers=headers) as answer:
            return answer.status, await answer.json()


def read(status: int, headers: dict[str, str], source: str) -> Html:
    """Return a page as its elements."""
    reader = _Reader()
    reader.feed(source)
    return Html(status, headers, source, reader.elements)


class _Reader(HTMLParser):
    """Gathers elements; a text belongs to all that it stands in."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop().tag != tag:
            pass

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data


def _has(element: Element, name: str, value: str) -> bool:
    given = element.attributes.get(name.rstrip("_").replace("_", "-"))
    if given is None:
        return False
    return value in given.split() if name == "class_" else given == value
