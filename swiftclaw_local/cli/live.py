"""What happens on the server, message by message, for as long as somebody looks: it comes back when the server does.

Nothing that the log holds is missed meanwhile, and nothing is shown twice. It prints nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from time import sleep
from typing import Any, Final

from swiftclaw_local.cli.client import Client
from swiftclaw_local.errors import NoServer, StorageUnavailable, SwiftclawError, TooManyStreams

Json = dict[str, Any]

PATH: Final = "/v1/stream"
# Programs go by what the log holds; people also see that something is on its way.
FOR_PROGRAMS: Final = "attempt,alert,clock,fault,replay"
AGAIN_S: Final = 1.0
_SEEN: Final = 1000
# What a server that is just starting or stopping says, too.
_PASSING: Final = (NoServer, StorageUnavailable, TooManyStreams)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages: the API's own names; None does not restrict."""

    types: str | None = None
    agent: str | None = None
    webhook: str | None = None
    event: str | None = None
    failed: bool = False
    since: str | None = None

    def query(self) -> Json:
        """Return it as a query."""
        return {
            "types": self.types,
            "agent": self.agent,
            "webhook": self.webhook,
            "event": self.event,
            "failed": self.failed,
        }


class Live:
    """The messages of the event stream, and two of its own kinds: `lost` (with `why`) and `back` (`missed`, `tries`)."""

    def __init__(self, client: Client, wanted: Wanted) -> None:
        self._client = client
        self._wanted = wanted
        self._last: str | None = None
        self._tries = 0  # since the connection was lost
        self._seen: deque[str] = deque(maxlen=_SEEN)

    def messages(self) -> Iterator[Json]:
        """Yield messages for ever. Raises: NoServer when there is none at first, and what the server refuses."""
        while True:
            why = yield from self._until_lost()
            if not self._tries:
                yield {"kind": "lost", "why": why}
            self._tries += 1
            sleep(AGAIN_S)

    def _until_lost(self) -> Generator[Json, None, str]:
        """Yield the messages of one connection, the first after a loss as `back`, and return why it ended.

        Raises: what does not pass by itself.
        """
        why = "gone"
        try:
            for message in self._connection():
                if message["kind"] == "end":
                    why = message["reason"]
                elif message["kind"] == "open" and self._tries:
                    yield {**message, "kind": "back", "missed": message["back_filled"], "tries": self._tries}
                    self._tries = 0
                elif self._is_new(message):
                    yield message
        except SwiftclawError as error:
            if self._last is None or not isinstance(error, _PASSING):
                raise
        return why

    def _connection(self) -> Iterator[Json]:
        """Yield the messages of one connection; the first one from where it was asked, the others from the last message on."""
        headers = {} if self._last is None else {"Last-Event-ID": self._last}
        query = self._wanted.query() | ({"since": self._wanted.since} if self._last is None else {})
        for message in self._client.lines(PATH, query=query, headers=headers):
            self._last = str(message["id"])
            yield message

    def _is_new(self, message: Json) -> bool:
        if message["kind"] != "attempt":
            return True
        if message["attempt"] in self._seen:
            return False
        self._seen.append(message["attempt"])
        return True
