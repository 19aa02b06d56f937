"""Makes the events of a certification and carries them to one receiver: signed, signed wrongly, or not at all.

It judges nothing. Each event has an id of its own that begins with `evt_cert`, so that runs do not meet each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from swiftclaw_local.certify.answer import Answer, answer_of
from swiftclaw_local.dispatcher.request import SIGNATURE_HEADER, Request, notice_request, signed_request
from swiftclaw_local.dispatcher.sender import Exchange, Poster
from swiftclaw_local.dispatcher.signing import sign
from swiftclaw_local.events.catalog import sample_data
from swiftclaw_local.ids import IdFactory
from swiftclaw_local.scheduler.clock import Clock
from swiftclaw_local.scheduler.outcome import Cause, Unanswered

Json = dict[str, Any]

AGENT: Final = "my-agent"
# A kept connection that had ended is no answer of the receiver's; a fresh one follows, as for every delivery.
_TRIES: Final = 3
_SIGNATURE_SHOWN: Final = 24
_ID: Final = re.compile(rb'"id": *"(evt_cert\w+)"')
_ID_WITHIN: Final = 100


class Courier:
    """Carries requests to one URL. `new_poster` makes a sender with connections of its own."""

    def __init__(
        self, url: str, secret: str, *, new_poster: Callable[[], Poster], clock: Clock, agent: str = AGENT
    ) -> None:
        self.url = url
        self.secret = secret
        self._new_poster = new_poster
        self._poster = new_poster()
        self._clock = clock
        self._agent = agent
        self._ids = IdFactory()

    async def start(self) -> None:
        """Get ready to send."""
        await self._poster.start()

    async def close(self) -> None:
        """Let go of all connections."""
        await self._poster.close()

    def event(self, type: str = "agent.completed", **data: Any) -> Json:
        """Return a new event with a sample's data, and `data` laid over it."""
        now = self._clock.now()
        sample = sample_data(type, agent=self._agent, request_id=self._ids.new("req", now))
        id = self._ids.new("evt_cert", now).replace("_cert_", "_cert")
        return {"id": id, "type": type, "created": int(now.timestamp()), "data": sample | data}

    async def signed(self, body: bytes, *, said: str) -> Answer:
        """Send a body with the right signature; `said` names what is sent."""
        return await self.post(body, sign(self.secret, body), said=said)

    async def post(self, body: bytes, signature: str | None, *, said: str) -> Answer:
        """Send a body with this signature, or without the header."""
        return await self._by(self._poster, body, signature, said=said)

    async def lose(self, body: bytes, *, said: str) -> Answer:
        """Send a body, and close the connection as soon as the answer begins: the receiver acted, and nobody heard it."""
        poster = self._new_poster()
        await poster.start()
        try:
            return await self._by(poster, body, sign(self.secret, body), said=said)
        finally:
            await poster.close()

    async def _by(self, poster: Poster, body: bytes, signature: str | None, *, said: str) -> Answer:
        request = self._request(body, signature)
        exchange: Exchange
        for _ in range(_TRIES):
            exchange = await poster.post(request)
            outcome = exchange.outcome
            if not (isinstance(outcome, Unanswered) and outcome.cause is Cause.STALE_CONNECTION):
                break
        return answer_of(exchange, sent=_sent(body, signature, said))

    def _request(self, body: bytes, signature: str | None) -> Request:
        if signature is None:
            return notice_request(self.url, body)
        return signed_request(self.url, body, signature=signature)


def compact(event: Json) -> bytes:
    """Return an event's bytes as SwiftClaw sends them (decision D9)."""
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


def _sent(body: bytes, signature: str | None, said: str) -> str:
    if signature is None:
        header = f"no {SIGNATURE_HEADER}"
    else:
        shown = signature if len(signature) <= _SIGNATURE_SHOWN else f"{signature[:8]}…"
        header = f"{SIGNATURE_HEADER}: {shown}".rstrip()
    named = _ID.search(body[:_ID_WITHIN])
    return f"{said}{f', {named[1].decode()}' if named else ''}, {len(body)} bytes, {header}"
