"""A receiver as SwiftClaw's page describes one, with nothing but the standard library: copy it and make it yours.

By itself: `SWIFTCLAW_WEBHOOK_SECRET=scsec_… python scripts/sample_receiver.py`. It verifies the signature over the raw bytes
before it reads them, answers a repeated event without doing it again, and says what it received. It imports nothing of the project.

    /webhooks/swiftclaw   does all that
    /flaky                does the same, but is down (503) for the first two requests of each event
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORT = 7430
PATH = "/webhooks/swiftclaw"
FLAKY = "/flaky"
TIMES_DOWN = 2


def verify_webhook(payload: bytes, signature: str, secret: str) -> bool:
    """As on the page: the signature is the hex HMAC-SHA256 of the raw body. Compared as bytes: text must be ASCII, and a header need not be."""
    expected = hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()
    return hmac.compare_digest(signature.encode(errors="replace"), expected.encode())


class Receiver(ThreadingHTTPServer):
    """Listens at once; answers from `serve_forever` on."""

    daemon_threads = True

    def __init__(self, port: int, *, secret: str = "") -> None:
        self.secret = secret
        self.processed: set[str] = set()
        self.requests_of: Counter[str] = Counter()
        super().__init__(("127.0.0.1", port), Handler)

    def answer(self, path: str, payload: bytes, signature: str) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of the answer to one request."""
        if path not in (PATH, FLAKY):
            return 404, {"error": f"POST to {PATH}"}
        if not verify_webhook(payload, signature, self.secret):
            return 401, {"error": "Invalid signature"}
        try:
            event_id = json.loads(payload)["id"]
        except (ValueError, KeyError, TypeError):
            return 400, {"error": "Invalid JSON"}
        self.requests_of[event_id] += 1
        if path == FLAKY and self.requests_of[event_id] <= TIMES_DOWN:
            return 503, {"error": "Down for the moment"}
        if event_id in self.processed:
            return 200, {"status": "already_processed"}
        self.processed.add(event_id)
        return 200, {"received": True}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        payload = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        signature = self.headers.get("X-SwiftClaw-Signature") or ""
        status, answer = self.server.answer(self.path, payload, signature)
        print(f"receiver: POST {self.path}  {what_came(payload)}  -> {status} {json.dumps(answer)}", flush=True)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name the base class gives it
        """Say nothing: do_POST has said it."""


def what_came(payload: bytes) -> str:
    """Return the type and the id of an event, or how many bytes came instead."""
    try:
        event = json.loads(payload)
        return f"{event['type']} {event['id']}"
    except (ValueError, KeyError, TypeError):
        return f"{len(payload)} bytes"


if __name__ == "__main__":
    given = os.environ.get("SWIFTCLAW_WEBHOOK_SECRET", "")
    if not given:
        sys.exit('error: set the secret first: eval "$(swiftclaw webhooks secret my-agent webhook-123 --env)"')
    port = int(os.environ.get("PORT", PORT))
    print(f"receiver: listening on http://127.0.0.1:{port}{PATH}", flush=True)
    Receiver(port, secret=given).serve_forever()
