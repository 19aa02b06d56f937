"""Sends a receiver what SwiftClaw, or somebody with worse intentions, would send, and returns what it answered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from itertools import count
from typing import Any, Final
from urllib.parse import urlsplit

from swiftclaw_local.dispatcher.signing import sign
from tests.frameworks.running import SECRET

PATIENCE_S: Final = 30
SIGNED: Final = object()
_NUMBERS: Final = count(1)

INVALID_JSON: Final = b'{"id": "evt_cut_off", "type": '
SHAPES: Final = ("compact", "spaced", "pretty", "utf-8", "\\u-escaped", "1250.0", "trailing \\n")


def event(id: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return the page's example, with an id that no other has unless one is given."""
    data = {"agent": "my-agent", "request_id": "req_xyz789", "duration": 1250, "tokens_used": 450}
    made = {"id": id or f"evt_{next(_NUMBERS):06}", "type": "agent.completed", "created": 1709884800, "data": data}
    return made | fields


def compact(document: Any) -> bytes:
    """Return a document as SwiftClaw sends it."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def shapes() -> dict[str, bytes]:
    """Return seven events, each written in another way that means the same JSON."""
    plain, words = event(), event()
    words["data"]["response"] = {"message": "Grüße, 世界"}
    number = compact(event()).replace(b'"duration":1250', b'"duration":1250.0')
    bodies = (
        compact(plain),
        json.dumps(event()).encode(),
        json.dumps(event(), indent=2).encode(),
        compact(words),
        json.dumps(words | {"id": event()["id"]}, separators=(",", ":")).encode(),
        number,
        compact(event()) + b"\n",
    )
    return dict(zip(SHAPES, bodies, strict=True))


def post(url: str, body: bytes, *, signature: Any = SIGNED) -> int:
    """Post a body, signed unless another signature (None: no header) is given, and return the status; 0 for no answer."""
    return answer(url, body, signature=signature)[0]


def answer(url: str, body: bytes, *, signature: Any = SIGNED) -> tuple[int, bytes]:
    """Post as `post` does, and return the status and the body of the answer."""
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=PATIENCE_S)
    given = sign(SECRET, body) if signature is SIGNED else signature
    headers = {"Content-Type": "application/json", "User-Agent": "SwiftClaw-Webhooks/1.0"}
    if given is not None:
        headers["X-SwiftClaw-Signature"] = given
    try:
        connection.request("POST", place.path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def four_statuses(url: str) -> tuple[int, int, int, int]:
    """Return what is answered to a valid event, a wrong signature, no signature, and signed JSON that is not JSON."""
    return (
        post(url, compact(event())),
        post(url, compact(event()), signature="0" * 64),
        post(url, compact(event()), signature=None),
        post(url, INVALID_JSON),
    )


def at_once(url: str, bodies: Sequence[bytes]) -> list[int]:
    """Post all at the same moment and return the statuses."""
    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(lambda body: post(url, body), bodies))


def accepted_shapes(url: str) -> dict[str, bool]:
    """Return which of the seven shapes were answered 2xx."""
    return {name: 200 <= post(url, body) <= 299 for name, body in shapes().items()}
