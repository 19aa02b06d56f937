"""Secrets at rest: AES-256-GCM, with the webhook's id as associated data, so that two rows cannot be swapped unnoticed.

The only file that knows the cryptography package. Keys and plain secrets are never logged or shown.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from swiftclaw_local.errors import WrongKey

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_CHECK: Final = b"swiftclaw key check"


class SecretBox:
    """Seals and opens with one key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise WrongKey(f"A key is {KEY_BYTES} bytes; this one has {len(key)}.")
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, *, owner: str) -> bytes:
        """Return nonce and ciphertext, bound to `owner`."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, owner.encode())

    def open(self, sealed: bytes, *, owner: str) -> bytes:
        """Return what was sealed for `owner`. Raises: WrongKey, also when it was sealed for another owner or changed."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], owner.encode())
        except InvalidTag:
            raise WrongKey(
                hint="Put the key file back that belongs to this database, or start with another --db."
            ) from None

    def new_check(self) -> bytes:
        """Return a sealed value by which this key is known again."""
        return self.seal(_CHECK, owner="key_check")

    def check(self, sealed: bytes) -> None:
        """Raises: WrongKey when the value was sealed with another key."""
        self.open(sealed, owner="key_check")


def given_key(environment: Mapping[str, str]) -> bytes | None:
    """Return the key in SWIFTCLAW_KEY (64 hex digits), None when there is none. Raises: WrongKey."""
    written = environment.get("SWIFTCLAW_KEY")
    if not written:
        return None
    try:
        return bytes.fromhex(written.strip())
    except ValueError:
        raise WrongKey(
            "SWIFTCLAW_KEY does not hold a key.", hint="It is what the file swiftclaw.key holds: 64 hex digits."
        ) from None


def read_key(path: Path, *, may_create: bool) -> bytes:
    """Return the key kept at `path` (hex), making one, mode 0600, when there is none and `may_create`.

    Raises: WrongKey when there is none and may be none made, or the file holds no key.
    """
    try:
        return bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        if not may_create:
            raise WrongKey(
                f"The key file {path} is missing; without it the secrets in the database cannot be read."
            ) from None
    except ValueError:
        raise WrongKey(f"The key file {path} does not hold a key.") from None
    key = secrets.token_bytes(KEY_BYTES)
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")
        file.flush()
        os.fsync(descriptor)
    os.replace(unfinished, path)
    return key
