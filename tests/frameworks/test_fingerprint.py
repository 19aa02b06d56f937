"""What a receiver hashes instead of the raw bytes shows in which of seven shapes it refuses: each mistake has its own set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests.frameworks.certified import certified
from tests.frameworks.judge import SHAPES, accepted_shapes
from tests.frameworks.running import FULL, PATH, Program, Receiver, running

# what is hashed, in Python or in Node, and which of SHAPES is then accepted (x) or refused (.)
PYTHON: Final = {
    "payload": "xxxxxxx",
    "json.dumps(event).encode()": ".x.....",
    'json.dumps(event, separators=(",", ":")).encode()': "x...xx.",
    'json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()': "x..x.x.",
    "payload.strip()": "xxxxxx.",
    'payload.decode("ascii", errors="ignore").encode()': "xxx.xxx",
}
NODE: Final = {
    "req.rawBody": "xxxxxxx",
    "JSON.stringify(req.body)": "x..x...",
}

# how `swiftclaw certify` names each mistake
NAMED: Final = {
    "json.dumps(event).encode()": "Python's json.dumps()",
    'json.dumps(event, separators=(",", ":")).encode()': 'Python\'s json.dumps(separators=(",", ":"))',
    'json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()': (
        'Python\'s json.dumps(separators=(",", ":"), ensure_ascii=False)'
    ),
    "payload.strip()": "the white space around it is taken off",
    'payload.decode("ascii", errors="ignore").encode()': "it is read as ASCII and what is not ASCII is left out",
    "JSON.stringify(req.body)": "JSON.stringify()",
}

_FLASK: Final = """
import hashlib
import hmac
import json
import os
from flask import Flask, request
app = Flask(__name__)
secret = os.environ["SWIFTCLAW_WEBHOOK_SECRET"]

def verified(hashed):
    expected = hmac.new(secret.encode(), hashed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(request.headers["X-SwiftClaw-Signature"], expected)
"""
_FLASK_ROUTE: Final = """
@app.post("{path}/{number}")
def route_{number}():
    payload, event = request.get_data(), request.get_json()
    return {{}}, 200 if verified({hashed}) else 401
"""
_EXPRESS: Final = """
const crypto = require('crypto');
const express = require('express');
const app = express();
app.use(express.json({ verify: (req, _res, buf) => { req.rawBody = buf; } }));

function verified(req, hashed) {
  return req.get('X-SwiftClaw-Signature') === crypto.createHmac('sha256', process.env.SWIFTCLAW_WEBHOOK_SECRET).update(hashed).digest('hex');
}
"""
_EXPRESS_ROUTE: Final = (
    "app.post('{path}/{number}', (req, res) => res.status(verified(req, {hashed}) ? 200 : 401).json({{}}));\n"
)

if FULL:  # both need the frameworks, which `make frameworks` installs

    @pytest.fixture(scope="module")
    def flask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
        text = _FLASK + _routes(_FLASK_ROUTE, list(PYTHON)) + '\napp.run(port=int(os.environ["PORT"]))\n'
        with running(Program(text, "program.py"), tmp_path_factory.mktemp("flask")) as receiver:
            yield receiver

    @pytest.fixture(scope="module")
    def express(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
        text = _EXPRESS + _routes(_EXPRESS_ROUTE, list(NODE)) + "app.listen(process.env.PORT, '127.0.0.1');\n"
        with running(Program(text, "program.cjs"), tmp_path_factory.mktemp("express")) as receiver:
            yield receiver

    @pytest.mark.parametrize("hashed", PYTHON)
    def test_what_is_hashed_in_python_shows_in_the_shapes(hashed: str, flask: Receiver) -> None:
        assert marks(f"{flask.url}/{list(PYTHON).index(hashed)}") == PYTHON[hashed]

    @pytest.mark.parametrize("hashed", NODE)
    def test_what_is_hashed_in_node_shows_in_the_shapes(hashed: str, express: Receiver) -> None:
        assert marks(f"{express.url}/{list(NODE).index(hashed)}") == NODE[hashed]

    @pytest.mark.parametrize("hashed", NAMED)
    def test_certify_names_what_is_hashed(hashed: str, flask: Receiver, express: Receiver) -> None:
        table, receiver = (PYTHON, flask) if hashed in PYTHON else (NODE, express)
        (check,) = certified(f"{receiver.url}/{list(table).index(hashed)}", "--only=RAW-1")["checks"]
        accepted = table[hashed].count("x")
        assert (check["result"], check["got"]) == ("fail", f"{accepted}/7")
        assert check["why"].startswith(f"it hashes the body after {NAMED[hashed]}")

    @pytest.mark.parametrize("table", [PYTHON, NODE], ids=["Python", "Node"])
    def test_certify_is_content_with_the_raw_bytes(table: dict[str, str], flask: Receiver, express: Receiver) -> None:
        receiver = flask if table is PYTHON else express
        (check,) = certified(f"{receiver.url}/0", "--only=RAW-1")["checks"]
        assert (check["result"], check["got"]) == ("pass", "7/7")


def test_no_two_mistakes_are_refused_the_same_shapes() -> None:
    mistakes = [*PYTHON.values(), *list(NODE.values())[1:]]
    assert len(set(mistakes)) == len(mistakes) == 7


def marks(url: str) -> str:
    accepted = accepted_shapes(url)
    return "".join("x" if accepted[name] else "." for name in SHAPES)


def _routes(template: str, hashed: list[str]) -> str:
    return "".join(template.format(path=PATH, number=number, hashed=one) for number, one in enumerate(hashed))
