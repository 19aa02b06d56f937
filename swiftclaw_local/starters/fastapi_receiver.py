"""A receiver of SwiftClaw's webhooks in FastAPI.

pip install fastapi uvicorn
export SWIFTCLAW_WEBHOOK_SECRET=scsec_...   # swiftclaw webhooks secret my-agent webhook-123 --env
python receiver.py                          # http://127.0.0.1:3000/webhooks/swiftclaw
"""

import asyncio
import hashlib
import hmac
import json
import logging
import os
from weakref import WeakValueDictionary

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

SECRET = os.environ["SWIFTCLAW_WEBHOOK_SECRET"]
logger = logging.getLogger("receiver")
app = FastAPI()

# Kept in this process, until it ends. With several, or to last: a table of your database, the id its unique key.
processed_events = set()
locks = WeakValueDictionary()


async def process_event(event):
    """Do your work. Whatever it raises is answered 500, and SwiftClaw sends the event again."""
    print("processed", event["id"], event.get("type"), flush=True)


@app.post("/webhooks/swiftclaw")
async def handle_webhook(request: Request):  # the page has no ": Request": FastAPI then wants a query parameter, 422
    payload = await request.body()  # the raw bytes, which the signature covers
    signature = request.headers.get("X-SwiftClaw-Signature") or ""  # the page's None makes compare_digest raise: 500
    if not verify_webhook(payload, signature, SECRET):
        # the page's `return {...}, 401` is sent as a list, with status 200
        return JSONResponse({"error": "Invalid signature"}, 401)
    try:
        event = json.loads(payload)
    except (ValueError, RecursionError):  # unanswered on the page: a 500 is sent again five times, for nothing
        return JSONResponse({"error": "Invalid JSON"}, 400)
    if not isinstance(event, dict) or not isinstance(event.get("id"), str):
        return JSONResponse({"error": "Invalid event"}, 400)
    try:
        return {"status": await process_once(event)}
    except Exception:
        logger.exception("Processing %s failed", event["id"])
        return JSONResponse({"error": "Processing failed"}, 500)


def verify_webhook(payload, signature, secret):
    expected = hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()
    # bytes, not text as on the page: compare_digest raises when a text is not ASCII
    return hmac.compare_digest(signature.encode(errors="replace"), expected.encode())


async def process_once(event):
    # The page checks, processes, then marks: copies that arrive at once would all pass its check. Here they wait in line.
    async with locks.setdefault(event["id"], asyncio.Lock()):
        if event["id"] in processed_events:
            return "already_processed"
        await process_event(event)
        processed_events.add(event["id"])  # only now: after a failure, the next copy does the work
        return "processed"


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "3000")))
