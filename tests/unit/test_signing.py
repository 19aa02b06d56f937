"""Signatures: known answers, and the page's own two samples as the judges."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftclaw_local.dispatcher import signing
from swiftclaw_local.dispatcher.signing import sign, sign_standard, verify
from tests.page_samples.verify import verify_webhook

SAMPLES: Final = Path(__file__).parent.parent / "page_samples"
SECRETS: Final = (
    "scsec_3kq0YxP2bN7vT1mLhW8sRd5fGz6jKcAe",
    "s",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "schlüssel-鍵-🔑",
    "k" * 64,
    "longer than a block of SHA-256 " * 16,
)
BODIES: Final = (
    b"",
    b"\x00",
    b'{"id":"evt_abc123","type":"agent.completed","created":1709884800,"data":{}}',
    '{"text":"Grüße, 世界 🌍 \u2028"}'.encode(),
    b'{"a": 1,\r\n "b" :2}\r\n',
    b"\xff\xfe\x00 not UTF-8 \x80",
    bytes(range(256)) * 4096,
)
# Reads one line of JSON (a list of {length, signature, secret}), then all bodies one after the other as raw bytes.
NODE_RUNNER: Final = """
const input = require('fs').readFileSync(0);
const end = input.indexOf(10);
let at = end + 1;
const answers = JSON.parse(input.subarray(0, end)).map(({ length, signature, secret }) => {
  const payload = input.subarray(at, (at += length));
  return verifyWebhook(payload, signature, secret);
});
console.log(JSON.stringify(answers));
"""

Case = tuple[bytes, str, str]


def answers_of_node(cases: list[Case]) -> list[bool]:
    """Run the page's Node sample over (body, signature, secret) cases, in one process, on the exact bytes."""
    node = shutil.which("node")
    assert node, (
        "Node.js is missing: install it (as `apt-get install nodejs`), for the page's Node sample is run with it."
    )
    table = [{"length": len(body), "signature": signature, "secret": secret} for body, signature, secret in cases]
    run = subprocess.run(
        [node, "-e", (SAMPLES / "verify.js").read_text(encoding="utf-8") + NODE_RUNNER],
        input=json.dumps(table).encode() + b"\n" + b"".join(body for body, _, _ in cases),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert run.stderr == b""
    answers: list[bool] = json.loads(run.stdout)
    return answers


def with_last_digit_changed(signature: str) -> str:
    return signature[:-1] + ("0" if signature[-1] != "0" else "1")


def test_the_signature_is_the_known_one_of_rfc_4231() -> None:
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert expected == sign("Jefe", b"what do ya want for nothing?")


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_the_pages_python_sample_accepts_our_signature_and_no_other(body: bytes, secret: str) -> None:
    signature = sign(secret, body)
    assert verify_webhook(body, signature, secret)
    assert not verify_webhook(body + b" ", signature, secret)
    assert not verify_webhook(body, with_last_digit_changed(signature), secret)
    assert not verify_webhook(body, signature, secret + "x")


def test_the_pages_node_sample_accepts_our_signatures_over_the_exact_bytes_and_no_others() -> None:
    good = [(body, sign(secret, body), secret) for body in BODIES for secret in SECRETS]
    forged = [(body, with_last_digit_changed(signature), secret) for body, signature, secret in good]
    tampered = [(body + b"\n", signature, secret) for body, signature, secret in good]
    expected = [True] * len(good) + [False] * (len(forged) + len(tampered))
    assert expected == answers_of_node(good + forged + tampered)


@given(st.binary(max_size=2000), st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_any_body_and_secret_are_signed_as_the_page_verifies_them(body: bytes, secret: str) -> None:
    signature = sign(secret, body)
    assert verify_webhook(body, signature, secret)
    assert verify(body, signature=signature, secret=secret)
    assert re.fullmatch("[0-9a-f]{64}", signature)


def test_a_prepared_key_is_not_changed_by_signing_with_it() -> None:
    first = sign("scsec_t", b"one")
    sign("scsec_t", b"two")
    assert first == sign("scsec_t", b"one")


def test_no_more_prepared_keys_are_kept_than_was_decided() -> None:
    for number in range(signing._KEYS_KEPT + 50):
        sign(f"scsec_{number}", b"")
    kept = signing._halves.cache_info().currsize
    assert kept == signing._KEYS_KEPT


@pytest.mark.parametrize("signature", ["", "é", "\ud800", "sha256=", "0" * 64])
def test_verify_answers_for_any_text(signature: str) -> None:
    assert not verify(b"{}", signature=signature, secret="scsec_t")


def test_a_signature_in_upper_case_does_not_verify() -> None:
    assert not verify(b"{}", signature=sign("scsec_t", b"{}").upper(), secret="scsec_t")


def test_the_standard_webhooks_signature_is_the_one_in_that_standards_documents() -> None:
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    signature = sign_standard(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        b'{"test": 2432232314}',
        id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
    )
    assert expected == signature


@pytest.mark.parametrize("secret", ["scsec_schlüssel", "whsec_not base64!", "whsec_c2Vj!cmV0", "whsec_ü"])
def test_any_other_secret_is_its_utf_8_text_in_standard_webhooks_too(secret: str) -> None:
    digest = hmac.new(secret.encode(), b"evt_1.5.{}", hashlib.sha256).digest()
    expected = f"v1,{base64.b64encode(digest).decode()}"
    assert expected == sign_standard(secret, b"{}", id="evt_1", timestamp=5)
