"""What a receiver may expect instead of SwiftClaw's signature: the mistakes that `swiftclaw verify` knows, tried on it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator

from swiftclaw_local.dispatcher.explain import other_computations, other_secrets
from swiftclaw_local.dispatcher.signing import sign


def other_signatures(body: bytes, secret: str) -> Iterator[tuple[str, str]]:
    """Yield the signatures that usual mistakes expect, each with words that follow "signed"."""
    right = sign(secret, body)
    yield 'with the prefix "sha256="', f"sha256={right}"
    yield "in upper case", right.upper()
    yield "in base64", b64encode(bytes.fromhex(right)).decode()
    for how, other in other_secrets(secret):
        if other and other != secret:
            yield f"with the secret {how}", sign(other, body)
    for how, computed in other_computations(body, right, secret):
        yield f"by {how}", computed
