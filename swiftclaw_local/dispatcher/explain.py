"""Says whether a signature fits a body, and if not, what was probably done wrong.

It tries the usual mistakes one by one and names the first that fits. It never shows the secret.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from swiftclaw_local.dispatcher.rewritten import Rewritten, rewritten
from swiftclaw_local.dispatcher.signing import sign, verify

_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")
_PREFIX: Final = re.compile(r"(?P<prefix>[A-Za-z][A-Za-z0-9_-]*[=:,])\s*(?P<rest>.+)", re.DOTALL)
_STRIPE: Final = re.compile(r"t=(?P<time>[0-9]+),.*?v1=(?P<rest>[0-9a-f]+)")
_SHAPE: Final = "SwiftClaw sends 64 lower-case hex digits and nothing else."
_RAW: Final = "Sign the raw bytes."


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a signature matches; `reason` is a word for programs, None on a match; `text` one or two sentences."""

    match: bool
    reason: str | None
    text: str


@dataclass(frozen=True, slots=True)
class _Mistake:
    """One thing done wrong, and the hex digits that a check without this mistake would have had."""

    reason: str
    text: str
    signature: str


def explain(body: bytes, signature: str, secret: str) -> Explanation:
    """Return whether `signature` (the header's value) is right for the exact bytes of `body`, and if not, why not."""
    if not _is_text(secret) or not _is_text(signature):
        return _no_match("format", "The secret or the signature is not text: it holds half a character.")
    if verify(body, signature=signature, secret=secret):
        return Explanation(True, None, "Match. The signature is right for exactly these bytes and this secret.")
    if not signature.strip():
        return _no_match("missing", f"The signature is empty. {_SHAPE}")
    mistakes = list(_spellings(signature))
    for mistake in mistakes:
        if verify(body, signature=mistake.signature, secret=secret):
            return _no_match(mistake.reason, mistake.text)
    guesses = list(rewritten(body))
    for meant in (signature, *(mistake.signature for mistake in mistakes)):
        for found in _mixed_up(body, guesses, meant, secret):
            also = "" if meant == signature else f" It is also written in another way. {_SHAPE}"
            return _no_match(found.reason, found.text + also)
    return _unknown(body, signature, mistakes, secret)


def _is_text(given: str) -> bool:
    """Return whether a string can be written as UTF-8: JSON can hold halves of surrogate pairs."""
    return not any("\ud800" <= character <= "\udfff" for character in given)


def _no_match(reason: str, text: str) -> Explanation:
    return Explanation(False, reason, f"No match. {text}")


def _spellings(signature: str) -> Iterator[_Mistake]:
    """Yield the signature as it may have been meant, with what is wrong about how it is written."""
    bare = signature.strip().strip("\"'")
    if bare != signature:
        yield _Mistake("spaces", f"The signature fits without the spaces or quotes around it. {_SHAPE}", bare)
    if _HEX.fullmatch(bare):
        if bare != bare.lower():
            yield _Mistake("case", f"The signature fits in lower case. {_SHAPE}", bare.lower())
        return
    prefixed = _PREFIX.fullmatch(bare)
    if prefixed:
        text = f'The signature fits without its prefix "{prefixed["prefix"]}". {_SHAPE}'
        yield _Mistake("prefix", text, prefixed["rest"].lower())
    digest = _from_base64(bare if prefixed is None else prefixed["rest"])
    if digest is not None:
        yield _Mistake("base64", f"The signature fits, but is written in base64. {_SHAPE}", digest.hex())


def _from_base64(text: str) -> bytes | None:
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _mixed_up(body: bytes, guesses: list[Rewritten], signature: str, secret: str) -> Iterator[_Mistake]:
    """Yield what else this may be the signature of: another body, another secret, another computation."""
    for guess in guesses:
        if verify(guess.body, signature=signature, secret=secret):
            yield _Mistake(guess.reason, _body_text(guess.reason, guess.how), signature)
    for how, other in other_secrets(secret):
        if verify(body, signature=signature, secret=other):
            text = f"The signature fits the secret {how}: the two sides do not use the same characters as the secret."
            yield _Mistake("secret_spelling", text, signature)
    for how, computed in other_computations(body, signature, secret):
        if _same(signature, computed):
            text = f"The signature was made with {how}. SwiftClaw uses HMAC-SHA256 of the body, keyed with the secret."
            yield _Mistake("algorithm", text, signature)


def _body_text(reason: str, how: str) -> str:
    if reason == "reserialised":
        return f"The signature fits this JSON after {how}: the receiver, or your test, re-serialised the body. {_RAW}"
    return f"The signature fits this body after {how}: the receiver, or your test, changed the body. {_RAW}"


def other_secrets(secret: str) -> Iterator[tuple[str, str]]:
    """Yield what a receiver may take for the secret instead: "without its newline", and that text."""
    yield "without the spaces, newlines or quotes around it", secret.strip().strip("\"'")
    yield "with a newline at its end", f"{secret}\n"
    yield "in double quotes", f'"{secret}"'
    yield "in single quotes", f"'{secret}'"
    prefix, _, rest = secret.partition("_")
    if rest and prefix in ("scsec", "whsec"):
        yield f'without its "{prefix}_"', rest
    yield 'with "scsec_" before it', f"scsec_{secret}"


def other_computations(body: bytes, signature: str, secret: str) -> Iterator[tuple[str, str]]:
    """Yield what may be computed instead of the HMAC-SHA256 of the body, and the hex digits that come of it."""
    key = secret.encode()
    yield "SHA-256 without a key", hashlib.sha256(body).hexdigest()
    yield "SHA-256 of the secret and the body, not HMAC", hashlib.sha256(key + body).hexdigest()
    yield "SHA-256 of the body and the secret, not HMAC", hashlib.sha256(body + key).hexdigest()
    yield "the secret and the body mixed up: the body as the key", hmac.new(body, key, hashlib.sha256).hexdigest()
    yield "HMAC-SHA1", hmac.new(key, body, hashlib.sha1).hexdigest()
    yield "HMAC-SHA512", hmac.new(key, body, hashlib.sha512).hexdigest()
    decoded = _decoded(secret)
    if decoded is not None:
        yield "the secret decoded from base64", hmac.new(decoded, body, hashlib.sha256).hexdigest()
    stripe = _STRIPE.match(signature)
    if stripe and _same(stripe["rest"], sign(secret, f"{stripe['time']}.".encode() + body)):
        yield 'a time before the body ("t=...,v1=...", as Stripe does)', signature


def _decoded(secret: str) -> bytes | None:
    try:
        return b64decode(re.sub("^(scsec|whsec)_", "", secret), validate=True)
    except (binascii.Error, ValueError):
        return None


def _same(signature: str, computed: str) -> bool:
    return hmac.compare_digest(signature.encode(), computed.encode())


def _unknown(body: bytes, signature: str, mistakes: list[_Mistake], secret: str) -> Explanation:
    if signature.startswith("v1,"):
        text = "This is the webhook-signature of Standard Webhooks, made over id, time and body. Check X-SwiftClaw-Signature."
        return _no_match("standard_webhooks", text)
    if not any(_HEX.fullmatch(meant) for meant in (signature, *(mistake.signature for mistake in mistakes))):
        return _no_match("format", f"This is no signature of SwiftClaw: {len(signature)} characters. {_SHAPE}")
    expected = f"With this secret it would be {sign(secret, body)}."
    if _looks_as_sent(body):
        text = f"The body looks exactly as SwiftClaw sends it, so the secret is probably another one. {expected}"
        return _no_match("wrong_secret", text)
    text = "The secret is another one, or the body was changed in a way that is not among the usual ones."
    return _no_match("unknown", f"{text} {expected}")


def _looks_as_sent(body: bytes) -> bool:
    """Return whether a body is an event in compact JSON with the page's keys in the page's order (decision D9)."""
    try:
        event = json.loads(body)
        compact = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return isinstance(event, dict) and list(event) == ["id", "type", "created", "data"] and compact == body
