"""What the commands that show deliveries and events share: the viewer, safe lines, hints, and following a list.

It knows the API's clock and the shape of its lists, and no single command.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from time import sleep
from typing import Any, Final

from swiftclaw_local.cli.app import App
from swiftclaw_local.cli.client import in_path
from swiftclaw_local.cli.view import View
from swiftclaw_local.curl import SIGNATURE_HEADER, curl_command, sign
from swiftclaw_local.errors import TokenRequired, UnknownWebhook, error_of
from swiftclaw_local.plain_text import clean

Json = dict[str, Any]

LOOK_AGAIN_S: Final = 1.0


def view_of(app: App) -> View:
    """Return how this run of a command looks at things; what time it is comes from the server."""
    now = app.client.get("/_local/clock")["now"]
    return View(now, app.output.id, terminal=app.output.terminal)


def say(app: App, lines: Iterable[str]) -> None:
    """Write lines of the answer, control characters spelled out."""
    for line in lines:
        app.output.line(clean(line))


class Hints:
    """Says the hints that the server found in receivers' answers, on stderr and each text once; none beside JSON."""

    def __init__(self, app: App) -> None:
        self._output = app.output
        self._said: set[str] = set()

    def say(self, deliveries: Iterable[Json]) -> None:
        """Say what was not said before."""
        texts = [str(hint["text"]) for delivery in deliveries for hint in delivery["hints"] or []]
        for text in dict.fromkeys(texts):
            if text not in self._said and not self._output.as_json:
                self._output.note(clean(f"hint: {text}"))
            self._said.add(text)


def follow(look: Callable[[], list[Json]]) -> Iterator[list[Json]]:
    """Yield deliveries that are new or went on since the look before, oldest first, until the caller has enough."""
    seen: dict[str, tuple[Any, ...]] = {}
    while True:
        listed = look()
        stands = {delivery["id"]: (delivery["state"], delivery["sends"]) for delivery in listed}
        yield [delivery for delivery in reversed(listed) if seen.get(delivery["id"]) != stands[delivery["id"]]]
        seen |= stands
        sleep(LOOK_AGAIN_S)


def delivery_curl(app: App, delivery: Json) -> str:
    """Return a curl command that sends a delivery's bytes with the real signature. Raises: UnknownEvent, NotFound, …"""
    body = event_bytes(app, delivery["event_id"])
    return curl_command(delivery["url"], body, _signature(app, delivery, body))


def event_bytes(app: App, event_id: str) -> bytes:
    """Return the exact bytes of an event. Raises: UnknownEvent, AmbiguousId."""
    answer = app.client.exchange("GET", f"/v1/events/{in_path(event_id)}/body")
    if answer.status >= 400:
        raise error_of(answer.status, json.loads(answer.body))
    return answer.body


def _signature(app: App, delivery: Json, body: bytes) -> str:
    """Return the signature with the present secret; of a deleted webhook, or without the right to see it, the recorded one."""
    path = f"/v1/agents/{in_path(delivery['agent'])}/webhooks/{in_path(delivery['webhook_id'])}/secret"
    try:
        secret: Any = app.client.get(path)["secret"]
    except (UnknownWebhook, TokenRequired) as error:
        sent = [attempt["request"]["headers"].get(SIGNATURE_HEADER) for attempt in delivery["attempts"] or []]
        if not any(sent):
            raise error from None
        return str(sent[-1])
    return sign(str(secret), body)
