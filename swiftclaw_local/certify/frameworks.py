"""How each framework does what the page asks for: the line to write, chosen by the framework that an answer betrays. Pure.

What is not betrayed is not guessed: then the remedy is told in words, with Python and Node beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from swiftclaw_local.certify.answer import Answer

_FASTIFY: Final = re.compile(r'^\s*\{"statusCode":\d{3},.*"(error|message)":')


class Framework(StrEnum):
    """What a receiver is made with, as far as its answers betray it."""

    FASTAPI = "FastAPI"
    FLASK = "Flask"
    QUART = "Quart"
    DJANGO = "Django"
    AIOHTTP = "aiohttp"
    EXPRESS = "Express"
    FASTIFY = "Fastify"
    NEXT = "Next.js"
    GO = "Go"
    UNKNOWN = ""


class Remedy(StrEnum):
    """What is to be done about a failure."""

    REJECT = "reject"  # answer 401
    INVALID = "invalid"  # answer 400
    HEADER = "header"  # a header that is missing, short or no hex
    RAW = "raw"  # hash the bytes that came
    SECRET = "secret"  # noqa: S105 - the name of a remedy
    ONCE = "once"  # mark before processing, in one step
    DUPLICATE = "duplicate"  # answer 2xx to what was processed before
    ACCEPT = "accept"  # answer 2xx to every type
    QUICK = "quick"  # queue, then answer
    BIG = "big"  # allow larger bodies
    FAILURE = "failure"  # answer 500 when it could not be processed
    ROUTE = "route"  # it listens elsewhere
    CRASH = "crash"  # the handler fails on what is right


def framework_of(answers: Iterable[Answer]) -> Framework:
    """Return the framework that the answers betray by a header or by the form of an error."""
    return next(
        (found for answer in answers if (found := _betrayed(answer)) is not Framework.UNKNOWN), Framework.UNKNOWN
    )


def _betrayed(answer: Answer) -> Framework:
    headers = dict(answer.headers)
    powered, server = headers.get("x-powered-by", ""), headers.get("server", "").lower()
    for sign, framework in _POWERED.items():
        if powered.startswith(sign):
            return framework
    for sign, framework in _SERVERS.items():
        if sign in server:
            return framework
    if headers.get("x-frame-options") == "DENY" and "cross-origin-opener-policy" in headers:
        return Framework.DJANGO
    if _FASTIFY.match(answer.body):
        return Framework.FASTIFY
    if answer.body.startswith('{"detail":'):
        return Framework.FASTAPI
    return Framework.UNKNOWN


_POWERED: Final = {"Express": Framework.EXPRESS, "Next.js": Framework.NEXT}
_SERVERS: Final = {
    "werkzeug": Framework.FLASK,
    "hypercorn": Framework.QUART,
    "aiohttp": Framework.AIOHTTP,
    "wsgiserver": Framework.DJANGO,
    "uvicorn": Framework.FASTAPI,
}


def remedy(of: Remedy, framework: Framework) -> str:
    """Return what to write in this framework."""
    lines = _LINES[of]
    told = lines.get(framework, lines[Framework.UNKNOWN])
    return f"{framework.value}: {told}" if framework in lines and framework is not Framework.UNKNOWN else told


def _statuses(status: int, error: str) -> dict[Framework, str]:
    """Return how each framework answers with a status."""
    python = f'return {{"error": "{error}"}}, {status}'
    return {
        Framework.FASTAPI: f'return JSONResponse({{"error": "{error}"}}, status_code={status})',
        Framework.FLASK: python,
        Framework.QUART: python,
        Framework.DJANGO: f'return JsonResponse({{"error": "{error}"}}, status={status})',
        Framework.AIOHTTP: f'return web.json_response({{"error": "{error}"}}, status={status})',
        Framework.EXPRESS: f"return res.status({status}).json({{ error: '{error}' }})",
        Framework.FASTIFY: f"return reply.code({status}).send({{ error: '{error}' }})",
        Framework.NEXT: f"return Response.json({{ error: '{error}' }}, {{ status: {status} }})",
        Framework.GO: f'http.Error(w, "{error}", {status}); return',
    }


_PYTHON_HEADER: Final = (
    'signature = request.headers.get("X-SwiftClaw-Signature") or "", and compare bytes: '
    "hmac.compare_digest(signature.encode(), expected.encode())"
)
_NODE_HEADER: Final = (
    "compare the lengths before crypto.timingSafeEqual, and take a missing header as '': "
    "if (sent.length !== good.length || !crypto.timingSafeEqual(sent, good)) answer 401"
)
# Why the page's sample fails when it is pasted into each: several causes, of which the answer does not tell one.
_USUAL_CRASHES: Final = {
    Framework.FLASK: "Usual with the page's sample: a view gets no `request` argument; `await request.body()` is not Flask's, "
    "request.get_data() is. ",
    Framework.QUART: "Usual with the page's sample: a view gets no `request` argument; request.body() is not Quart's, "
    "await request.get_data() is. ",
    Framework.AIOHTTP: "Usual with the page's sample: request.body() is not aiohttp's, await request.read() is; "
    "a dict or a tuple is no response, web.json_response(…) is. ",
    Framework.DJANGO: "Usual with the page's sample: request.body is bytes and no function; a dict or a tuple is no response, "
    "JsonResponse(…) is. ",
    Framework.EXPRESS: "Usual with the page's sample: req.rawBody is undefined without express.raw({ type: '*/*' }) or a verify hook, "
    "and req.body without a parser. ",
    Framework.UNKNOWN: "",
}
_LINES: Final[dict[Remedy, dict[Framework, str]]] = {
    Remedy.REJECT: _statuses(401, "Invalid signature")
    | {Framework.UNKNOWN: "compare the signature before anything else, and answer with status 401 when it differs."},
    Remedy.INVALID: _statuses(400, "Invalid JSON")
    | {
        Framework.UNKNOWN: "parse after the signature was verified, catch the parse error, and answer with status 400: "
        "except ValueError (Python), try { JSON.parse(raw) } catch (Node)."
    },
    Remedy.HEADER: dict.fromkeys(
        (Framework.FASTAPI, Framework.FLASK, Framework.QUART, Framework.AIOHTTP), _PYTHON_HEADER
    )
    | {
        Framework.DJANGO: _PYTHON_HEADER,
        Framework.EXPRESS: f"const sent = Buffer.from(req.get('x-swiftclaw-signature') || ''); {_NODE_HEADER}",
        Framework.FASTIFY: f"const sent = Buffer.from(request.headers['x-swiftclaw-signature'] || ''); {_NODE_HEADER}",
        Framework.NEXT: f"const sent = Buffer.from(request.headers.get('x-swiftclaw-signature') || ''); {_NODE_HEADER}",
        Framework.UNKNOWN: f"answer 401 before comparing when the header is missing or no 64 characters. Python: {_PYTHON_HEADER}. "
        f"Node: {_NODE_HEADER}.",
    },
    Remedy.RAW: {
        Framework.FASTAPI: "hash await request.body(), before anything is parsed.",
        Framework.FLASK: "hash request.get_data(), not request.json.",
        Framework.QUART: "hash await request.get_data(), not await request.get_json().",
        Framework.DJANGO: "hash request.body, not json.loads(request.body) written again.",
        Framework.AIOHTTP: "hash await request.read(), not await request.json().",
        Framework.EXPRESS: "use express.raw({ type: '*/*' }) on this route and hash req.body, a Buffer.",
        Framework.FASTIFY: "addContentTypeParser('application/json', { parseAs: 'buffer' }, …), and hash that buffer.",
        Framework.NEXT: "hash Buffer.from(await request.arrayBuffer()), not await request.json().",
        Framework.GO: "hash body, _ := io.ReadAll(r.Body), before json.Unmarshal.",
        Framework.UNKNOWN: "hash the bytes as they came, before anything decodes, strips or parses them.",
    },
    Remedy.SECRET: {
        Framework.UNKNOWN: "give the receiver the secret of this webhook, without quotes, spaces or a newline around it: "
        "swiftclaw webhooks secret AGENT WEBHOOK"
    },
    Remedy.ONCE: {
        Framework.UNKNOWN: "mark the id and look whether it was there in ONE step, before processing: INSERT … ON CONFLICT DO NOTHING, "
        "SET key NX, or a lock around both; a set that is looked at, awaited and then filled lets copies through."
    },
    Remedy.DUPLICATE: {
        Framework.UNKNOWN: 'answer an id that was processed before with 200, as the page does: {"status": "already_processed"}.'
    },
    Remedy.ACCEPT: {
        Framework.UNKNOWN: "answer 2xx to every event whose signature is right, and ignore the types you do not handle: "
        "4xx is final, and 5xx is sent five times more."
    },
    Remedy.QUICK: {Framework.UNKNOWN: "put the event into a queue and answer at once; process it afterwards."},
    Remedy.BIG: {
        Framework.EXPRESS: "give express.raw() or express.json() the option limit: '2mb'; it is 100 kB otherwise.",
        Framework.FASTIFY: "fastify({ bodyLimit: 2 * 1024 * 1024 })",
        Framework.AIOHTTP: "web.Application(client_max_size=2 * 1024**2)",
        Framework.DJANGO: "DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024",
        Framework.UNKNOWN: "raise the limit on the size of a body, in the framework and in any proxy before it.",
    },
    Remedy.FAILURE: _statuses(500, "Processing failed")
    | {
        Framework.UNKNOWN: "answer 500 when an event could not be processed, and 2xx only when it was, or is safely queued."
    },
    Remedy.CRASH: {
        framework: f"look into the receiver's own log for the error; nothing in its answer tells which. {usual}Then compare with a receiver "
        f"that is right: swiftclaw starter {framework.value.lower()}".rstrip()
        for framework, usual in _USUAL_CRASHES.items()
    },
    Remedy.ROUTE: {
        Framework.UNKNOWN: "register the URL that takes POST, as it is written, with or without the slash at its end."
    },
}
