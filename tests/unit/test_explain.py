"""Explaining a signature that does not fit: each usual mistake, made on purpose, is called by its name."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftclaw_local.dispatcher.explain import Explanation, explain
from swiftclaw_local.dispatcher.rewritten import rewritten
from swiftclaw_local.dispatcher.signing import sign, sign_standard

SECRET: Final = "scsec_dev"
HEAD: Final = '{"id":"evt_1","type":"agent.failed","created":1709884800'
BODY: Final = f'{HEAD},"data":{{"error":"ü<b>","cost":1.50,"url":"a/b"}}}}'.encode()
GO: Final = (
    '{"created":1709884800,"data":{"cost":1.5,"error":"ü\\u003cb\\u003e","url":"a/b"},'
    '"id":"evt_1","type":"agent.failed"}'
)
SIGNATURE: Final = sign(SECRET, BODY)
DIGEST: Final = bytes.fromhex(SIGNATURE)


def test_a_right_signature_is_a_match_without_a_reason() -> None:
    expected = Explanation(True, None, "Match. The signature is right for exactly these bytes and this secret.")
    assert expected == explain(BODY, SIGNATURE, SECRET)


def test_a_reserialised_body_is_told_in_the_words_of_the_verify_command() -> None:
    pretty = b'{ "id": "evt_1" }'
    expected = (
        "No match. The signature fits this JSON after JSON.stringify(): the receiver, or your test,"
        " re-serialised the body. Sign the raw bytes."
    )
    assert Explanation(False, "reserialised", expected) == explain(pretty, sign(SECRET, b'{"id":"evt_1"}'), SECRET)


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        ("", "missing"),
        ("  ", "missing"),
        (f"sha256={SIGNATURE}", "prefix"),
        (f"sha256:{SIGNATURE}", "prefix"),
        (f"v1={SIGNATURE}", "prefix"),
        (f"hmac-sha256= {SIGNATURE.upper()}", "prefix"),
        (SIGNATURE.upper(), "case"),
        (f" {SIGNATURE}\n", "spaces"),
        (f'"{SIGNATURE}"', "spaces"),
        (base64.b64encode(DIGEST).decode(), "base64"),
        (base64.b64encode(DIGEST).decode().rstrip("="), "base64"),
        (base64.urlsafe_b64encode(DIGEST).decode(), "base64"),
        (f"sha256={base64.b64encode(DIGEST).decode()}", "base64"),
        (sign_standard(SECRET, BODY, id="evt_1", timestamp=1709884800), "standard_webhooks"),
        (SIGNATURE[:-1], "format"),
        (f"!!!!{base64.b64encode(DIGEST).decode()}", "format"),
        ("é", "format"),
        ("\ud800", "format"),
        ("sha256=", "format"),
        ("t=1,v1=", "format"),
    ],
)
def test_a_signature_written_in_another_way_is_recognised(signature: str, reason: str) -> None:
    assert reason == explain(BODY, signature, SECRET).reason


@pytest.mark.parametrize(
    ("how", "change"),
    [
        ("JSON.stringify()", lambda _: f'{HEAD},"data":{{"error":"ü<b>","cost":1.5,"url":"a/b"}}}}'),
        ("json.dumps()", json.dumps),
        ("json.dumps(ensure_ascii=False)", lambda event: json.dumps(event, ensure_ascii=False)),
        ("json.dumps(separators", lambda event: json.dumps(event, separators=(",", ":"))),
        ("json.dumps(sort_keys=True)", lambda event: json.dumps(event, sort_keys=True)),
        ("JSON.stringify(body, null, 2)", lambda event: json.dumps(event, indent=2, ensure_ascii=False)),
        ("json.dumps(indent=4)", lambda event: json.dumps(event, indent=4)),
        ("Go's json.Marshal()", lambda _: GO),
        ("PHP's json_encode()", lambda _: f'{HEAD},"data":{{"error":"\\u00fc<b>","cost":1.5,"url":"a\\/b"}}}}'),
        ("Python's str()", str),
    ],
)
def test_each_usual_way_to_write_json_again_is_named(how: str, change: Callable[[dict[str, object]], str]) -> None:
    explanation = explain(BODY, sign(SECRET, change(json.loads(BODY)).encode()), SECRET)
    assert (explanation.reason, how in explanation.text) == ("reserialised", True)


@pytest.mark.parametrize(
    ("body", "signed", "reason"),
    [
        (b"{}", b"{}\n", "whitespace"),
        (b"{}", b"{}\r\n", "whitespace"),
        (b"{}\n", b"{}", "reserialised"),  # the likelier one of two that fit
        (b"not json\n", b"not json", "whitespace"),
        (b"a\r\nb", b"a\nb", "whitespace"),
        (b"a\nb", b"a\r\nb", "whitespace"),
        (b"\xef\xbb\xbfa", b"a", "encoding"),
        ("ü".encode(), "Ã¼".encode(), "encoding"),
        (b"\xff", "\ufffd".encode(), "encoding"),
        ("aüb".encode(), b"ab", "encoding"),
        (b"{}", b"", "empty_body"),
    ],
)
def test_other_changes_of_the_body_are_named(body: bytes, signed: bytes, reason: str) -> None:
    assert reason == explain(body, sign(SECRET, signed), SECRET).reason


@pytest.mark.parametrize("secret", ["scsec_dev\n", '"scsec_dev"', "'scsec_dev'", "dev", "scsec_scsec_dev"])
def test_a_secret_with_other_characters_around_it_is_recognised_from_both_sides(secret: str) -> None:
    assert explain(BODY, sign(secret, BODY), SECRET).reason == "secret_spelling"
    if secret not in ("scsec_scsec_dev",):
        assert explain(BODY, SIGNATURE, secret).reason == "secret_spelling"


@pytest.mark.parametrize(
    "signature",
    [
        hashlib.sha256(BODY).hexdigest(),
        hashlib.sha256(SECRET.encode() + BODY).hexdigest(),
        hashlib.sha256(BODY + SECRET.encode()).hexdigest(),
        hmac.new(BODY, SECRET.encode(), hashlib.sha256).hexdigest(),
        hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest(),
        hmac.new(SECRET.encode(), BODY, hashlib.sha512).hexdigest(),
        f"t=17,v1={sign(SECRET, b'17.' + BODY)}",
        "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest(),
        base64.b64encode(hmac.new(SECRET.encode(), BODY, hashlib.sha512).digest()).decode(),
    ],
)
def test_another_computation_is_recognised(signature: str) -> None:
    assert explain(BODY, signature, SECRET).reason == "algorithm"


def test_a_secret_decoded_from_base64_is_recognised() -> None:
    signature = hmac.new(base64.b64decode("c2VjcmV0"), BODY, hashlib.sha256).hexdigest()
    assert explain(BODY, signature, "whsec_c2VjcmV0").reason == "algorithm"


def test_two_mistakes_at_once_are_both_told() -> None:
    explanation = explain(BODY, "sha256=" + sign(SECRET, json.dumps(json.loads(BODY)).encode()), SECRET)
    assert explanation.reason == "reserialised"
    assert "also written in another way" in explanation.text


def test_a_body_that_looks_untouched_points_to_the_secret_and_shows_the_expected_signature() -> None:
    event = b'{"id":"evt_1","type":"agent.failed","created":1709884800,"data":{}}'
    explanation = explain(event, sign("scsec_other", event), SECRET)
    assert explanation.reason == "wrong_secret"
    assert sign(SECRET, event) in explanation.text


def test_what_fits_nothing_is_said_to_be_unknown() -> None:
    assert explain(b'{"a": 1}', "0" * 64, SECRET).reason == "unknown"


@pytest.mark.parametrize("signature", ["", "0" * 64, SIGNATURE, "sha256=x", sign("scsec_dev\n", BODY)])
def test_the_secret_is_never_shown(signature: str) -> None:
    assert SECRET not in explain(BODY, signature, SECRET).text


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"9" * 5_000,
        b"1" + b"0" * 400,
        b"[1e999, NaN]",
        b'{"a":"\\ud800"}',
        b'{"%s":1}' % (b"9" * 5_000),
    ],
    ids=["deep", "digits", "beyond floats", "not finite", "half a character", "long index"],
)
def test_a_body_that_is_hard_to_read_is_no_trouble(body: bytes) -> None:
    assert explain(body, "0" * 64, SECRET).reason == "unknown"


@given(st.binary(max_size=200), st.text(max_size=100), st.text(max_size=30))
def test_any_input_gets_an_explanation(body: bytes, signature: str, secret: str) -> None:
    explanation = explain(body, signature, secret)
    assert explanation.match == (explanation.reason is None)


@given(st.binary(max_size=200), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_the_right_signature_always_matches(body: bytes, secret: str) -> None:
    assert explain(body, sign(secret, body), secret).match


@given(st.one_of(st.binary(max_size=50), st.sampled_from([b"", b"{}", b"[1]", b"1", BODY])))
def test_a_guess_is_always_another_body(body: bytes) -> None:
    assert body not in [guess.body for guess in rewritten(body)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1.0", "1"),
        ("-0.0", "0"),
        ("1e16", "10000000000000000"),
        ("9223372036854775807", "9223372036854776000"),
        ("1e21", "1e+21"),
        ("0.00001", "0.00001"),
        ("0.0000001", "1e-7"),
        ("1.5e-10", "1.5e-10"),
        ("-12.50", "-12.5"),
        ("1e999", "null"),
        ('{"b":1,"10":2,"9":3}', '{"9":3,"10":2,"b":1}'),
        ('"\\u001f\\u2028\\/"', '"\\u001f\u2028/"'),
        ("[true, false, null, [], {}]", "[true,false,null,[],{}]"),
    ],
)
def test_json_stringify_is_followed_in_its_numbers_and_the_order_of_its_keys(written: str, expected: str) -> None:
    guesses = {guess.how: guess.body.decode() for guess in rewritten(written.encode())}
    assert expected == guesses.get("JSON.stringify()", written)
