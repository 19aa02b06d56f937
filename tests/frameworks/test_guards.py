"""What a starter does beyond the page's samples it does for a reason: without it, it fails as those do. And so the judge can fail, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.frameworks.judge import INVALID_JSON, at_once, compact, event, post
from tests.frameworks.running import FULL, Receiver, running
from tests.frameworks.test_starters import with_visible_work

# what a receiver is sent, and the number that tells a right one from a wrong one
Sent = Callable[[Receiver], int]


def no_signature(receiver: Receiver) -> int:
    return post(receiver.url, compact(event()), signature=None)


def short_signature(receiver: Receiver) -> int:
    return post(receiver.url, compact(event()), signature="deadbeef")


def signature_of_other_bytes(receiver: Receiver) -> int:
    return post(receiver.url, compact(event()), signature=b"\xe9" * 64)


def invalid_json(receiver: Receiver) -> int:
    return post(receiver.url, INVALID_JSON)


def no_event(receiver: Receiver) -> int:
    return post(receiver.url, b"null")


def large_event(receiver: Receiver) -> int:
    status = post(receiver.url, compact(event(data={"text": "x" * 2_000_000})))
    return status or 413  # whoever refuses a body before its end may close the connection before the refusal is read


def processed_of_five(receiver: Receiver) -> int:
    at_once(receiver.url, [compact(event("evt_five"))] * 5)
    return receiver.processed().count("evt_five")


def processed_after_a_failure(receiver: Receiver) -> int:
    receiver.break_it()
    post(receiver.url, compact(event("evt_failed")))
    receiver.fix_it()
    post(receiver.url, compact(event("evt_failed")))
    return receiver.processed().count("evt_failed")


# starter, what is taken out, what stands there then, what is sent, and what the whole starter and the lesser one answer
GUARDS: Final[dict[str, tuple[str, str, str, Sent, int, int]]] = {
    "aiohttp: no header is an empty signature": ("aiohttp", ' or ""', "", no_signature, 401, 500),
    "aiohttp: signatures are compared as bytes": (
        "aiohttp",
        '.encode(errors="replace"), expected.encode()',
        ", expected",
        signature_of_other_bytes,
        401,
        500,
    ),
    "aiohttp: JSON that is none is caught": (
        "aiohttp",
        "(ValueError, RecursionError)",
        "KeyError",
        invalid_json,
        400,
        500,
    ),
    "aiohttp: what is no event is seen": ("aiohttp", "not isinstance(event, dict) or ", "", no_event, 400, 500),
    "aiohttp: copies wait in line": (
        "aiohttp",
        'locks.setdefault(event["id"], asyncio.Lock())',
        "asyncio.Lock()",
        processed_of_five,
        1,
        5,
    ),
    "aiohttp: an event is marked after its work": (
        "aiohttp",
        "        await process_event(event)\n",
        '        processed_events.add(event["id"])\n        await process_event(event)\n',
        processed_after_a_failure,
        1,
        0,
    ),
    "aiohttp: large bodies are let in": ("aiohttp", "client_max_size=LARGEST_BODY", "", large_event, 200, 413),
    "express: no header is an empty signature": ("express", " ?? ''", "", no_signature, 401, 500),
    "express: lengths are compared first": (
        "express",
        "sent.length === expected.length && ",
        "",
        short_signature,
        401,
        500,
    ),
    "express: what is no event is seen": ("express", "event?.id", "event.id", no_event, 400, 500),
    "express: copies share one processing": ("express", "!working.has(event.id)", "true", processed_of_five, 1, 5),
    "express: an event is marked after its work": (
        "express",
        "    const work = processEvent",
        "    processedEvents.add(event.id);\n    const work = processEvent",
        processed_after_a_failure,
        1,
        0,
    ),
    "express: large bodies are let in": ("express", ", limit: '5mb'", "", large_event, 200, 413),
    "flask: threads that come at once share a lock": (
        "flask",
        'locks.setdefault(event["id"], threading.Lock())',
        "threading.Lock()",
        processed_of_five,
        1,
        5,
    ),
    "django: no token is asked for": ("django", "@csrf_exempt  # SwiftClaw", "#", no_signature, 401, 403),
    "fastify: large bodies are let in": ("fastify", "{ bodyLimit: 5 * 1024 * 1024 }", "", large_event, 200, 413),
    "go: copies share one processing": ("go", "working[event.ID] = own", "", processed_of_five, 1, 5),
}

if FULL:  # these need the frameworks, which `make frameworks` installs

    @pytest.mark.parametrize("name", GUARDS)
    def test_without_it_the_starter_is_a_wrong_receiver(name: str, tmp_path: Path) -> None:
        starter, old, new, sent, right, wrong = GUARDS[name]
        whole = with_visible_work(starter)
        assert whole.text.count(old) == 1
        lesser = replace(whole, text=whole.text.replace(old, new))
        with running(whole, tmp_path / "whole") as receiver:
            assert sent(receiver) == right
        with running(lesser, tmp_path / "lesser") as receiver:
            assert sent(receiver) == wrong
