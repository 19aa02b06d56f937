"""The API of a platform in this process, called over a real socket; its receiver is scripted."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient

from swiftclaw_local.platform import Platform
from tests.engine.scripted import ScriptedReceiver

URL = "http://127.0.0.1:9/hook"


class Api:
    """Calls routes and returns (status, parsed JSON); `receiver` says what comes back to the webhooks."""

    def __init__(
        self, client: TestClient[web.Request, web.Application], platform: Platform, receiver: ScriptedReceiver
    ) -> None:
        self.client = client
        self.platform = platform
        self.receiver = receiver

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Return status and JSON; None for an empty answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = {"data": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        async with self.client.request(method, path, headers=named, **kind) as answer:
            return answer.status, await answer.json() if await answer.read() else None

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """GET a path."""
        return await self.call("GET", path, **headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """POST a body, as JSON unless it is bytes."""
        return await self.call("POST", path, body, **headers)

    async def webhook(self, agent: str = "my-agent", **fields: Any) -> dict[str, Any]:
        """Register a webhook and return it."""
        _, answer = await self.post(f"/v1/agents/{agent}/webhooks", {"url": URL, **fields})
        assert answer.get("error") is None, answer["error"]
        found: dict[str, Any] = answer
        return found

    async def emitted(self, type: str = "agent.failed", *, agent: str = "my-agent", **fields: Any) -> dict[str, Any]:
        """Emit an event, wait for the first attempt, and return its one delivery."""
        _, answer = await self.post(f"/v1/agents/{agent}/events?wait=first", {"type": type, **fields})
        assert answer.get("error") is None, answer["error"]
        delivery: dict[str, Any] = answer["deliveries"][0]
        return delivery

    async def refused(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str, str]:
        """Return status, code and message of an error."""
        status, answer = await self.call(method, path, body, **headers)
        return status, answer["error"]["code"], answer["error"]["message"]
