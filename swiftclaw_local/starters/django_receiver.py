"""A receiver of SwiftClaw's webhooks in Django, with all of its settings in this file.

pip install django
export SWIFTCLAW_WEBHOOK_SECRET=scsec_...   # swiftclaw webhooks secret my-agent webhook-123 --env
python receiver.py                          # http://127.0.0.1:3000/webhooks/swiftclaw

In a project of yours: the functions go into views.py, the path into urls.py.
"""

import hashlib
import hmac
import json
import logging
import os
import threading
from weakref import WeakValueDictionary

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

SECRET = os.environ["SWIFTCLAW_WEBHOOK_SECRET"]
LARGEST_BODY = 5 * 1024 * 1024
logger = logging.getLogger("receiver")

# Kept in this process, until it ends. With several, or to last: a table of your database, the id its unique key.
processed_events = set()
locks = WeakValueDictionary()
locks_guard = threading.Lock()


def process_event(event):
    """Do your work. Whatever it raises is answered 500, and SwiftClaw sends the event again."""
    print("processed", event["id"], event.get("type"), flush=True)


@csrf_exempt  # SwiftClaw has no cookie of yours: without this line, Django answers 403
@require_POST
def handle_webhook(request):
    payload = request.body  # the raw bytes, which the signature covers; the page's `await request.body()` raises here
    signature = request.headers.get("X-SwiftClaw-Signature") or ""  # the page's None makes compare_digest raise: 500
    if not verify_webhook(payload, signature, SECRET):
        # the page's `return {...}, 401` is no response to Django: 500
        return JsonResponse({"error": "Invalid signature"}, status=401)
    try:
        event = json.loads(payload)
    except (ValueError, RecursionError):  # unanswered on the page: a 500 is sent again five times, for nothing
        return JsonResponse({"error": "Invalid JSON"}, status=400)
    if not isinstance(event, dict) or not isinstance(event.get("id"), str):
        return JsonResponse({"error": "Invalid event"}, status=400)
    try:
        return JsonResponse({"status": process_once(event)})
    except Exception:
        logger.exception("Processing %s failed", event["id"])
        return JsonResponse({"error": "Processing failed"}, status=500)


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


urlpatterns = [path("webhooks/swiftclaw", handle_webhook)]  # no slash at its end: the URL is the one you register

if __name__ == "__main__":
    settings.configure(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["localhost", "127.0.0.1"],
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],  # as in every new project
        DATA_UPLOAD_MAX_MEMORY_SIZE=LARGEST_BODY,
    )
    execute_from_command_line(["receiver.py", "runserver", "--noreload", f"127.0.0.1:{os.environ.get('PORT', '3000')}"])
