"""R: a bare `aiohttp.ClientSession` that signs and POSTs the same body again and again, reads the answer, writes nothing."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import Any

import aiohttp

from tests.bench.child import Meter, answer_rounds
from tests.bench.sides.payload import SECRET, body_of_500_bytes


async def main(*, url: str, slots: int) -> None:
    """Run rounds of `{"count": n}` with `slots` requests in flight."""
    body = body_of_500_bytes()
    key = SECRET.encode()

    async with aiohttp.ClientSession() as session:

        async def send(numbers: list[None]) -> None:
            while numbers:
                numbers.pop()
                signature = hmac.new(key, body, hashlib.sha256).hexdigest()
                headers = {"Content-Type": "application/json", "X-SwiftClaw-Signature": signature}
                async with session.post(url, data=body, headers=headers) as response:
                    assert response.status == 200
                    await response.read()

        async def run(asked: dict[str, Any]) -> dict[str, Any]:
            meter = Meter()
            left = [None] * asked["count"]
            await asyncio.gather(*(send(left) for _ in range(slots)))
            return meter.read(asked["count"])

        await answer_rounds(run)
