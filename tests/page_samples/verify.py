"""The page's Python sample "Signature Verification", word for word; only its indentation is restored."""
# ruff: noqa: I001 - the order of the imports is the page's
# fmt: off

import hmac
import hashlib
def verify_webhook(payload: bytes, signature: str, secret: str) -> bool:
    expected = hmac.new(
        secret.encode(),
        payload,
        hashlib.sha256
    ).hexdigest()
    return hmac.compare_digest(signature, expected)
