"""Receivers to be certified: a right one, the page's samples as printed, and the usual mistakes; each a plain function.

They are called in memory, as the sender of a certification, or served over the wire.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from swiftclaw_local.dispatcher.request import Request
from swiftclaw_local.dispatcher.sender import Exchange
from swiftclaw_local.scheduler.outcome import Answered
from tests.page_samples.verify import verify_webhook

SECRET = "scsec_certify"
Reply = tuple[int, Any]  # the status, and what is sent as JSON
Handler = Callable[["Work", bytes, str | None], Awaitable[Reply]]


@dataclass(slots=True)
class Work:
    """What a receiver did: the ids it processed, in order; `broken` makes processing fail."""

    processed: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    broken: bool = False

    async def process(self, event: Any) -> None:
        """Do the work of one event, with a pause in it, as real work has."""
        await asyncio.sleep(0.005)
        if self.broken:
            raise RuntimeError("the database is away")
        self.processed.append(event["id"])


def signature_of(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


async def right(work: Work, body: bytes, signature: str | None) -> Reply:
    """Verify the raw bytes, answer as the page says, mark before processing, forget what failed."""
    if not hmac.compare_digest((signature or "").encode(), signature_of(body).encode()):
        return 401, {"error": "Invalid signature"}
    try:
        event = json.loads(body)
        event_id = event["id"]
    except (ValueError, TypeError):
        return 400, {"error": "Invalid JSON"}
    if event_id in work.seen:
        return 200, {"status": "already_processed"}
    work.seen.add(event_id)
    try:
        await work.process(event)
    except RuntimeError:
        work.seen.discard(event_id)
        return 500, {"error": "Processing failed"}
    return 200, {"status": "processed"}


async def page_sample(work: Work, body: bytes, signature: str | None) -> Reply:
    """The page's `handle_webhook` with `verify_webhook`, where returning a tuple works: as in Quart."""
    if not verify_webhook(body, signature, SECRET):  # type: ignore[arg-type] # the page passes None on
        return 401, {"error": "Invalid signature"}
    event = json.loads(body)
    await work.process(event)
    return 200, {"received": True}


async def page_sample_in_fastapi(work: Work, body: bytes, signature: str | None) -> Reply:
    """The same where the tuple is not a status: it is sent as a list, with status 200."""
    status, answer = await page_sample(work, body, signature)
    return 200, answer if status == 200 else [answer, status]


async def undeclared_request(work: Work, body: bytes, signature: str | None) -> Reply:
    """FastAPI with the page's `async def handle_webhook(request)`, which takes it for a query parameter."""
    return 422, {"detail": [{"type": "missing", "loc": ["query", "request"], "msg": "Field required"}]}


async def racing(work: Work, body: bytes, signature: str | None) -> Reply:
    """The page's idempotency sample behind a right signature check: it looks, awaits, and then marks."""
    if not hmac.compare_digest((signature or "").encode(), signature_of(body).encode()):
        return 401, {"error": "Invalid signature"}
    try:
        event = json.loads(body)
        if event["id"] in work.seen:
            return 200, {"status": "already_processed"}
    except (ValueError, TypeError):
        return 400, {"error": "Invalid JSON"}
    await work.process(event)
    work.seen.add(event["id"])
    return 200, {"status": "processed"}


async def trusting(work: Work, body: bytes, signature: str | None) -> Reply:
    """Verifies nothing, and acknowledges everything."""
    return 200, {"received": True}


def hashing(what: Callable[[bytes], bytes]) -> Handler:
    """Return a receiver that hashes something else than the bytes that came."""

    async def handle(work: Work, body: bytes, signature: str | None) -> Reply:
        try:
            hashed = what(body)
        except ValueError:
            return 400, {"error": "Invalid JSON"}
        if not hmac.compare_digest((signature or "").encode(), signature_of(hashed).encode()):
            return 401, {"error": "Invalid signature"}
        return await right(work, body, signature_of(body))

    return handle


def expecting(signature_for: Callable[[bytes], str]) -> Handler:
    """Return a receiver that expects another signature."""

    async def handle(work: Work, body: bytes, signature: str | None) -> Reply:
        if signature != signature_for(body):
            return 401, {"error": "Invalid signature"}
        return await right(work, body, signature_of(body))

    return handle


class InMemory:
    """A receiver in the sender's place: no socket, the same answers."""

    def __init__(self, handler: Handler, *, head: bytes = b"Content-Type: application/json\r\n") -> None:
        self.work = Work()
        self.requests: list[Request] = []
        self.at_once: list[int] = []  # for each request, how many were under way with it
        self._under_way = 0
        self._handler = handler
        self._head = head

    async def start(self) -> None:
        """Nothing to set up."""

    async def close(self) -> None:
        """Nothing to take down."""

    async def post(self, request: Request) -> Exchange:
        """Answer one request; what the handler raises is the framework's 500."""
        self.requests.append(request)
        self._under_way += 1
        self.at_once.append(self._under_way)
        signature = request.signature if b"X-SwiftClaw-Signature" in request.head else None
        try:
            status, answer = await self._handler(self.work, request.body, signature)
            sent = json.dumps(answer, separators=(",", ":")).encode()
        except Exception:
            status, sent = 500, b"Internal Server Error"
        finally:
            self._under_way -= 1
        return Exchange(Answered(status, self._head, sent, len(sent)), 3)

    async def effects(self) -> int:
        """Return how many events were processed."""
        return len(self.work.processed)


@asynccontextmanager
async def served(handler: Handler, *, server: str = "") -> AsyncIterator[tuple[str, Work]]:
    """Serve a receiver on a free port; yield its URL, below which `/count` tells how many events were processed.

    `server` is the Server header, where it is to be another framework's. `/hook/break` and `/hook/fix` do as they say.
    """
    work = Work()
    headers = {"Server": server} if server else {}

    async def post(request: web.Request) -> web.Response:
        signature = request.headers.get("X-SwiftClaw-Signature")
        try:
            status, answer = await handler(work, await request.read(), signature)
        except Exception:
            return web.Response(status=500, text="Internal Server Error", headers=headers)
        return web.json_response(answer, status=status, headers=headers)

    async def count(_: web.Request) -> web.Response:
        return web.json_response({"count": len(work.processed)})

    async def switch(request: web.Request) -> web.Response:
        work.broken = request.path.endswith("break")
        return web.json_response({})

    app = web.Application(client_max_size=2 * 1024**2)
    app.add_routes([web.post("/hook", post), web.get("/hook/count", count)])
    app.add_routes([web.get("/hook/break", switch), web.get("/hook/fix", switch)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}/hook", work
    finally:
        await runner.cleanup()
