"""What an answer gives away about the mistake behind it, said only when the evidence is in the answer. Pure.

It looks at one answer, whoever asked for it: a certification or a delivery.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from swiftclaw_local.certify.answer import tuple_status

_REQUEST_IN_QUERY: Final = re.compile(r'\[\s*"query"\s*,\s*"request"\s*\]')
_UNDEFINED_HEADER: Final = re.compile(r"first argument must be of type string", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer as far as it is looked at; header names in any case."""

    status: int | None
    body: str
    headers: Sequence[tuple[str, str]] = ()

    def header(self, name: str) -> str:
        """Return a header's value, or nothing; `name` in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), "")


@dataclass(frozen=True, slots=True)
class Hint:
    """A mistake by its name for programs, and what to do about it."""

    code: str
    text: str


def answer_hint(seen: Seen) -> Hint | None:
    """Return the hint on an answer; None when it gives nothing away."""
    return next((hint for rule in _RULES if (hint := rule(seen)) is not None), None)


def _fastapi_query(seen: Seen) -> Hint | None:
    if seen.status != 422 or not _REQUEST_IN_QUERY.search(seen.body):
        return None
    return Hint(
        "fastapi_request_annotation",
        "FastAPI read `request` as a query parameter. Declare it: async def handle_webhook(request: Request)",
    )


def _tuple_return(seen: Seen) -> Hint | None:
    status = tuple_status(seen.status, seen.body)
    if status is None:
        return None
    return Hint(
        "fastapi_tuple_return",
        f"The answer is 200 with a list that ends in {status}: FastAPI ignores `return body, {status}`. "
        f"Write return JSONResponse(body, status_code={status}).",
    )


def _node_no_signature(seen: Seen) -> Hint | None:
    if not _UNDEFINED_HEADER.search(seen.body):
        return None
    return Hint(
        "node_missing_signature",
        "Buffer.from(undefined) throws. Take the header as const sent = Buffer.from(req.get('x-swiftclaw-signature') || '').",
    )


def _node_lengths(seen: Seen) -> Hint | None:
    if "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH" not in seen.body and "same byte length" not in seen.body:
        return None
    return Hint(
        "node_timing_safe_equal",
        "crypto.timingSafeEqual throws when the lengths differ. Compare them first: "
        "if (sent.length !== good.length || !crypto.timingSafeEqual(sent, good))",
    )


def _express_raw_body(seen: Seen) -> Hint | None:
    if "ERR_INVALID_ARG_TYPE" not in seen.body and "rawBody" not in seen.body:
        return None
    return Hint(
        "express_raw_body",
        "req.rawBody is undefined in Express. Use express.raw({type:'*/*'}) on this route, "
        "or express.json({verify:(req,_res,buf)=>{req.rawBody=buf}}) before it.",
    )


def _media_type(seen: Seen) -> Hint | None:
    if seen.status != 415:
        return None
    return Hint(
        "media_type",
        "The receiver refuses the media type, and SwiftClaw sends Content-Type: application/json. "
        "In Flask read the raw bytes: request.get_data(), then json.loads(...); not request.form.",
    )


def _csrf(seen: Seen) -> Hint | None:
    if seen.status != 403 or "csrf" not in seen.body.lower():
        return None
    return Hint("django_csrf", "Django asks for a CSRF token. Put @csrf_exempt on the view: the signature protects it.")


def _python_no_signature(seen: Seen) -> Hint | None:
    if "compare_digest" not in seen.body and "unsupported operand types(s) or combination" not in seen.body:
        return None
    if "NoneType" not in seen.body:
        return None
    return Hint(
        "python_missing_signature",
        'hmac.compare_digest(None, …) raises TypeError. Take the header as request.headers.get("X-SwiftClaw-Signature") or "".',
    )


_RULES: Final[tuple[Callable[[Seen], Hint | None], ...]] = (
    _fastapi_query,
    _tuple_return,
    _node_no_signature,
    _node_lengths,
    _express_raw_body,
    _media_type,
    _csrf,
    _python_no_signature,
)
