"""Reads the event stream of an API in this process, message by message, as lines of JSON or as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientResponse

from swiftclaw_local.server.models import Model
from swiftclaw_local.server.stream_models import (
    AlertTold,
    AttemptTold,
    ClockTold,
    DeliveryTold,
    EndTold,
    FaultTold,
    OpenTold,
    ReplayTold,
)
from tests.acceptance.api import Api

LINES = {"Accept": "application/x-ndjson"}
Told = dict[str, Any]
MODELS: dict[str, type[Model]] = {
    model.model_fields["kind"].default: model
    for model in (AttemptTold, DeliveryTold, ClockTold, AlertTold, FaultTold, ReplayTold, OpenTold, EndTold)
}


class Reading:
    """One open stream."""

    def __init__(self, answer: ClientResponse) -> None:
        self.answer = answer

    async def next(self, *kinds: str) -> Told:
        """Return the next message, or the next one of these kinds."""
        async with asyncio.timeout(10):
            while True:
                line = (await self.answer.content.readline()).strip()
                assert line or not self.answer.content.at_eof(), "the stream ended"
                told: Told = json.loads(line) if line else {}
                if told:
                    MODELS[told["kind"]].model_validate(told)
                if told and (not kinds or told["kind"] in kinds):
                    return told

    async def until(self, kind: str) -> list[Told]:
        """Return the messages up to the next one of this kind, which is the last."""
        found = [await self.next()]
        while found[-1]["kind"] != kind:
            found.append(await self.next())
        return found


@asynccontextmanager
async def streaming(api: Api, query: str = "", **headers: str) -> AsyncIterator[Reading]:
    """Open a stream of lines until the block ends."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with api.client.get(f"/v1/stream{query}", headers={**LINES, **named}) as answer:
        assert answer.status == 200, await answer.text()
        yield Reading(answer)


async def attempts_told(reading: Reading, count: int) -> list[Told]:
    """Return so many attempts."""
    return [await reading.next("attempt") for _ in range(count)]
