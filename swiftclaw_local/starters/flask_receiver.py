"""A receiver of SwiftClaw's webhooks in Flask.

pip install flask
export SWIFTCLAW_WEBHOOK_SECRET=scsec_...   # swiftclaw webhooks secret my-agent webhook-123 --env
python receiver.py                          # http://127.0.0.1:3000/webhooks/swiftclaw
"""

import hashlib
import hmac
import json
import logging
import os
import threading
from weakref import WeakValueDictionary

from flask import Flask, request

SECRET = os.environ["SWIFTCLAW_WEBHOOK_SECRET"]
logger = logging.getLogger("receiver")
app = Flask(__name__)

# Kept in this process, until it ends. With several, or to last: a table of your database, the id its unique key.
processed_events = set()
locks = WeakValueDictionary()
locks_guard = threading.Lock()


def process_event(event):
    """Do your work. Whatever it raises is answered 500, and SwiftClaw sends the event again."""
    print("processed", event["id"], event.get("type"), flush=True)


@app.post("/webhooks/swiftclaw")
def handle_webhook():  # the page's handle_webhook(request) gets no argument in Flask: 500
    payload = request.get_data()  # the raw bytes, which the signature covers; Flask has no request.body()
    signature = request.headers.get("X-SwiftClaw-Signature") or ""  # the page's None makes compare_digest raise: 500
    if not verify_webhook(payload, signature, SECRET):
        return {"error": "Invalid signature"}, 401
    try:
        event = json.loads(payload)
    except (ValueError, RecursionError):  # unanswered on the page: a 500 is sent again five times, for nothing
        return {"error": "Invalid JSON"}, 400
    if not isinstance(event, dict) or not isinstance(event.get("id"), str):
        return {"error": "Invalid event"}, 400
    try:
        return {"status": process_once(event)}
    except Exception:
        logger.exception("Processing %s failed", event["id"])
        return {"error": "Processing failed"}, 500


def verify_webhook(payload, signature, secret):
    expected = hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()
    # bytes, not text as on the page: compare_digest raises when a text is not ASCII
    return hmac.compare_digest(signature.encode(errors="replace"), expected.encode())


def process_once(event):
    # The page checks, processes, then marks: copies that arrive at once would all pass its check. Here they wait in line.
    with locks_guard:
        lock = locks.setdefault(event["id"], threading.Lock())
    with lock:
        if event["id"] in processed_events:
            return "already_processed"
        process_event(event)
        processed_events.add(event["id"])  # only now: after a failure, the next copy does the work
        return "processed"


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "3000")), threaded=True)
