"""Loads the API: so many connections, each emitting one event after the other and waiting for each answer."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from urllib.parse import urlsplit

from tests.bench.child import Meter, answer_rounds
from tests.bench.report import percentile
from tests.bench.sides.payload import AGENT, EVENT_TYPE, data_of_500_bytes


async def main(*, url: str, connections: int) -> None:
    """Run rounds of `{"count": n}` against the server at `url`."""
    address = urlsplit(url)
    request = _request(address.netloc)
    streams = [await asyncio.open_connection(address.hostname, address.port) for _ in range(connections)]

    async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: list[None]) -> list[float]:
        took = []
        while left:
            left.pop()
            started = time.perf_counter()
            writer.write(request)
            await _expect_202(reader)
            took.append((time.perf_counter() - started) * 1000)
        return took

    async def run(asked: dict[str, Any]) -> dict[str, Any]:
        meter = Meter()
        left = [None] * asked["count"]
        parts = await asyncio.gather(*(call(reader, writer, left) for reader, writer in streams))
        took = [milliseconds for part in parts for milliseconds in part]
        return meter.read(asked["count"]) | {"p50_ms": percentile(took, 50), "p99_ms": percentile(took, 99)}

    await answer_rounds(run)


def _request(host: str) -> bytes:
    body = json.dumps({"type": EVENT_TYPE, "data": data_of_500_bytes()}).encode()
    lines = (
        f"POST /v1/agents/{AGENT}/events HTTP/1.1",
        f"Host: {host}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _expect_202(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    body = await reader.readexactly(int(lengths[0].partition(b":")[2]))
    if b" 202 " not in head.split(b"\r\n", 1)[0]:
        raise AssertionError(f"The API refused an event: {body.decode(errors='replace')}")
