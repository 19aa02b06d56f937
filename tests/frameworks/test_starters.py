"""The starters are right receivers: each is started in its own framework and sent what a receiver meets.

Their work is replaced, in the one line where people put their own, by work that the test can see, and break.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from scripts.frameworks import NODE_MODULES
from scripts.setup import ROOT
from swiftclaw_local.dispatcher.signing import sign
from swiftclaw_local.events.catalog import EVENT_TYPE_NAMES
from swiftclaw_local.starter_programs import NAMES, find_starter
from tests.frameworks.judge import (
    INVALID_JSON,
    SHAPES,
    accepted_shapes,
    answer,
    at_once,
    compact,
    event,
    four_statuses,
    post,
)
from tests.frameworks.running import FULL, NEXT, SECRET, Program, Receiver, running

# those that need no framework but ours; Next.js is played by a few lines of Node that call the handler as it does
QUICK: Final = ("aiohttp", "nextjs")
STARTED: Final = NAMES if FULL else QUICK

WORK: Final = re.compile(r"""^(\s+)(?:print|console\.log|fmt\.Println)\(["']processed["'].*$""", re.MULTILINE)
VISIBLE_WORK: Final = {
    ("py", True): '__import__("effects").act_now(event)',
    ("py", False): 'await __import__("effects").act(event)',
    ("mjs", False): "await (await import('./effects.mjs')).act(event);",
    ("go", False): "if err := act(event); err != nil {\n\t\treturn err\n\t}",
}


# receivers that stand in our documents
DOCUMENTED: Final = {
    "the quickstart's, in Node": ("docs/quickstart.md", "receiver.mjs"),
    "the sample receiver's": ("scripts/sample_receiver.py", "receiver.py"),
}


def with_visible_work(name: str) -> Program:
    """Return a starter with work that can be seen and broken."""
    starter = find_starter(name)
    text, kind = starter.text(), starter.file.rpartition(".")[2]
    assert len(WORK.findall(text)) == 1, f"{starter.file} has no place for one's own work, or several"
    work = VISIBLE_WORK[kind, kind == "py" and "\ndef process_event" in text]
    text = WORK.sub(lambda found: found[1] + work, text)
    if name == "nextjs" and FULL:
        return Program(text, starter.save_as, beside=("effects.mjs",), starts=NEXT)
    if name == "nextjs":
        return Program(text, "route.mjs", beside=("effects.mjs", "next_server.mjs"), starts="next_server.mjs")
    return Program(text, starter.save_as, beside=(f"effects.{kind}",))


@pytest.fixture(scope="module", params=STARTED)
def receiver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with starting(request.param, tmp_path_factory.mktemp(request.param)) as started:
        yield started


@contextmanager
def starting(name: str, folder: Path) -> Iterator[Receiver]:
    """Run a starter until the block ends, in this folder if its framework allows."""
    if name == "nextjs" and FULL:
        folder = NODE_MODULES.parent / f"run-{os.getpid()}"
    try:
        with running(with_visible_work(name), folder) as started:
            yield started
    finally:
        if folder.parent == NODE_MODULES.parent:
            shutil.rmtree(folder)


def test_it_answers_200_401_401_400(receiver: Receiver) -> None:
    assert four_statuses(receiver.url) == (200, 401, 401, 400)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "deadbeef",
        "f" * 63,
        "f" * 65,
        "f" * 4000,
        "g" * 64,
        b"\xe9" * 64,
        b"\xff\xfe\x80",
        "sha256=" + "0" * 64,
        "0" * 64 + ", " + "0" * 64,
        "=" * 44,
    ],
)
def test_garbage_for_a_signature_is_401(receiver: Receiver, signature: str | bytes) -> None:
    assert post(receiver.url, compact(event()), signature=signature) == 401


def test_the_signature_must_be_of_this_body_and_this_secret_and_as_it_is_sent(receiver: Receiver) -> None:
    body = compact(event())
    wrong = [
        sign("scsec_of_another", body),
        sign(SECRET, body + b" "),
        sign(SECRET, body).upper(),
        "sha256=" + sign(SECRET, body),
    ]
    assert [post(receiver.url, body, signature=one) for one in wrong] == [401] * 4
    assert post(receiver.url, body.replace(b"450", b"451"), signature=sign(SECRET, body)) == 401
    assert post(receiver.url, b"", signature=sign(SECRET, body)) == 401


def test_the_raw_bytes_are_what_it_hashes(receiver: Receiver) -> None:
    accepted = accepted_shapes(receiver.url)
    assert [name for name, yes in accepted.items() if not yes] == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"received", INVALID_JSON, b'{"id": "evt_1"} x', b"[" * 100_000, b"\xff\xfe\x00"]
)
def test_signed_bytes_that_are_no_json_are_400(receiver: Receiver, body: bytes) -> None:
    assert post(receiver.url, body) == 400


@pytest.mark.parametrize(
    "body", [b"null", b"[]", b"[1]", b'"evt_1"', b"7", b"true", b"{}", b'{"id": 7}', b'{"id": null}']
)
def test_signed_json_that_is_no_event_is_400(receiver: Receiver, body: bytes) -> None:
    assert post(receiver.url, body) == 400


@pytest.mark.parametrize("type", [*EVENT_TYPE_NAMES, "agent.dreamed"])
def test_every_type_is_accepted_and_an_unknown_one_too(receiver: Receiver, type: str) -> None:
    body = event(type=type)
    assert post(receiver.url, compact(body)) == 200
    assert receiver.processed().count(body["id"]) == 1


def test_an_event_is_processed_once_however_often_it_comes(receiver: Receiver) -> None:
    body = event()
    assert [post(receiver.url, compact(body)) for _ in range(3)] == [200] * 3
    assert receiver.processed().count(body["id"]) == 1


def test_five_copies_at_once_are_processed_once(receiver: Receiver) -> None:
    body = event()
    assert at_once(receiver.url, [compact(body)] * 5) == [200] * 5
    assert receiver.processed().count(body["id"]) == 1


def test_its_own_failure_is_500_and_the_retry_does_the_work(receiver: Receiver) -> None:
    body = event()
    receiver.break_it()
    try:
        assert post(receiver.url, compact(body)) == 500
        assert at_once(receiver.url, [compact(body)] * 3) == [500] * 3
    finally:
        receiver.fix_it()
    assert receiver.processed().count(body["id"]) == 0
    assert [post(receiver.url, compact(body)) for _ in range(2)] == [200, 200]
    assert receiver.processed().count(body["id"]) == 1


@pytest.mark.parametrize("size", [1_000_000, 4_000_000])
def test_a_large_event_is_accepted(receiver: Receiver, size: int) -> None:
    body = event(data={"agent": "my-agent", "text": "x" * size})
    assert post(receiver.url, compact(body)) == 200
    assert receiver.processed().count(body["id"]) == 1


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_receivers_of_our_documents_are_right_too(name: str, tmp_path: Path) -> None:
    source, file = DOCUMENTED[name]
    text = (ROOT / source).read_text()
    if source.endswith(".md"):
        (text,) = re.findall(r"^```js\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    body = event()
    with running(Program(text, file), tmp_path) as receiver:
        assert four_statuses(receiver.url) == (200, 401, 401, 400)
        assert [post(receiver.url, compact(body), signature=one) for one in ("", "deadbeef", b"\xe9" * 64)] == [401] * 3
        assert [post(receiver.url, one) for one in (b"null", b"[]", b"{}", b"\xff\xfe")] == [400] * 4
        assert accepted_shapes(receiver.url) == dict.fromkeys(SHAPES, True)
        assert [json.loads(answer(receiver.url, compact(body))[1]) for _ in range(2)] == [
            {"received": True},
            {"status": "already_processed"},
        ]
