"""The samples of SwiftClaw's page as printed (only their indentation is restored), set into the frameworks people paste them into.

What stands around a sample is the least that lets it be loaded. Where a sample was changed, the name of the program says so.
"""

from __future__ import annotations

from typing import Final

from tests.frameworks.running import Program
from tests.page_samples import FOLDER

VERIFY: Final = (FOLDER / "verify.py").read_text()
VERIFY_NODE: Final = (FOLDER / "verify.js").read_text()
HANDLER: Final = """
# Usage
@app.post("/webhooks/swiftclaw")
async def handle_webhook(request):
    payload = await request.body()
    signature = request.headers.get("X-SwiftClaw-Signature")
    if not verify_webhook(payload, signature, webhook_secret):
        return {"error": "Invalid signature"}, 401
    # Process webhook
    event = json.loads(payload)
    await process_event(event)
    return {"received": True}
"""
HANDLER_NODE: Final = """
app.post('/webhooks/swiftclaw', (req, res) => {
  const signature = req.headers['x-swiftclaw-signature'];
  if (!verifyWebhook(req.rawBody, signature, webhookSecret)) {
    return res.status(401).json({ error: 'Invalid signature' });
  }
  // Process webhook
  const event = req.body;
  processEvent(event);
  res.json({ received: true });
});
"""
IDEMPOTENCY: Final = """
processed_events = set()
async def handle_webhook(event):
    event_id = event["id"]
    # Check if already processed
    if event_id in processed_events:
        return {"status": "already_processed"}
    # Process event
    await process_event(event)
    # Mark as processed
    processed_events.add(event_id)
    return {"status": "processed"}
"""

_AROUND: Final = """
import json
import os
from effects import act as process_event
webhook_secret = os.environ["SWIFTCLAW_WEBHOOK_SECRET"]
port = int(os.environ["PORT"])
"""
_FASTAPI: Final = "import uvicorn\nfrom fastapi import FastAPI, Request\napp = FastAPI()\n"
_FASTAPI_RUN: Final = '\nuvicorn.run(app, host="127.0.0.1", port=port)\n'
_QUART: Final = "from quart import Quart, request\napp = Quart(__name__)\n"
_FLASK: Final = "from flask import Flask, request\napp = Flask(__name__)\n"
_RUN: Final = "\napp.run(port=port)\n"
_AIOHTTP: Final = "from aiohttp import web\napp = web.RouteTableDef()  # an Application has no post()\n"
_AIOHTTP_RUN: Final = """
application = web.Application()
application.add_routes(app)
web.run_app(application, host="127.0.0.1", port=port)
"""
_DJANGO: Final = """
from django.conf import settings
from django.core.management import execute_from_command_line
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
"""
_DJANGO_RUN: Final = """
urlpatterns = [path("webhooks/swiftclaw", handle_webhook)]
settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY="made up",
    ALLOWED_HOSTS=["127.0.0.1"],
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],  # as startproject sets it
)
execute_from_command_line(["program.py", "runserver", "--noreload", f"127.0.0.1:{port}"])
"""
_EXPRESS: Final = """
const express = require('express');
const app = express();
const webhookSecret = process.env.SWIFTCLAW_WEBHOOK_SECRET;
function processEvent(event) {}
"""
_EXPRESS_RUN: Final = "\napp.listen(process.env.PORT, '127.0.0.1');\n"
_RACE: Final = """
@app.post("/webhooks/swiftclaw")
async def receive(request: Request):
    return await handle_webhook(json.loads(await request.body()))
"""


def _python(framework: str, run: str, *, handler: str = HANDLER) -> Program:
    return Program(VERIFY + _AROUND + framework + handler + run, "program.py", beside=("effects.py",))


def _express(before: str = "") -> Program:
    return Program(_EXPRESS + before + VERIFY_NODE + HANDLER_NODE + _EXPRESS_RUN, "program.cjs")


def _changed(*changes: tuple[str, str]) -> str:
    """Return the handler with a few words changed. Each must be there, or the program would not be what its name says."""
    text = HANDLER
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


_NO_DECORATOR: Final = ('@app.post("/webhooks/swiftclaw")\n', "")
_CSRF_EXEMPT: Final = ('@app.post("/webhooks/swiftclaw")', "@csrf_exempt")
_NO_ARGUMENT: Final = ("handle_webhook(request)", "handle_webhook()")

AIOHTTP_PROGRAMS: Final[dict[str, Program]] = {
    "aiohttp, as printed": _python(_AIOHTTP, _AIOHTTP_RUN),
    "aiohttp, request.read()": _python(_AIOHTTP, _AIOHTTP_RUN, handler=_changed(("request.body()", "request.read()"))),
}
PROGRAMS: Final[dict[str, Program]] = AIOHTTP_PROGRAMS | {
    "FastAPI, as printed": _python(_FASTAPI, _FASTAPI_RUN),
    "FastAPI, request: Request added": _python(
        _FASTAPI, _FASTAPI_RUN, handler=_changed(("(request)", "(request: Request)"))
    ),
    "Quart, as printed": _python(_QUART, _RUN),
    "Quart, no argument, get_data()": _python(
        _QUART, _RUN, handler=_changed(_NO_ARGUMENT, ("request.body()", "request.get_data()"))
    ),
    "Flask, as printed": _python(_FLASK, _RUN),
    "Flask, no argument, get_data()": _python(
        _FLASK, _RUN, handler=_changed(_NO_ARGUMENT, ("await request.body()", "request.get_data()"))
    ),
    "Django, as printed": _python(_DJANGO, _DJANGO_RUN, handler=_changed(_NO_DECORATOR)),
    "Django, csrf_exempt": _python(_DJANGO, _DJANGO_RUN, handler=_changed(_CSRF_EXEMPT)),
    "Django, csrf_exempt, request.body": _python(
        _DJANGO, _DJANGO_RUN, handler=_changed(_CSRF_EXEMPT, ("await request.body()", "request.body"))
    ),
    "Express, as printed": _express(),
    "Express + express.json()": _express("app.use(express.json());\n"),
    "Express + a verify hook that sets rawBody": _express(
        "app.use(express.json({ verify: (req, _res, buf) => { req.rawBody = buf; } }));\n"
    ),
}
RACE: Final = Program(_AROUND + _FASTAPI + IDEMPOTENCY + _RACE + _FASTAPI_RUN, "program.py", beside=("effects.py",))
