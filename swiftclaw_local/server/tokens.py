"""The API's tokens: read from a file, kept as hashes, compared in constant time, each with the scope it opens.

A line of the file is `TOKEN [scope]` or `sha256:HASH [scope]`; without a scope the token may do everything.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from swiftclaw_local.errors import SetupError
from swiftclaw_local.server.adapter import Scope

# Each scope opens those before it, too.
SCOPES: Final[tuple[Scope, ...]] = ("open", "read", "emit", "manage", "admin")
_MIN_LENGTH: Final = 32  # 256 bits are 43 url-safe or 64 hexadecimal characters; much shorter ones can be guessed
_HASHED: Final = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)
_HOW: Final = "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


@dataclass(frozen=True, slots=True)
class _Token:
    digest: bytes
    scope: Scope


class Tokens:
    """What the tokens of a file open."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens

    def scope(self, presented: str) -> Scope | None:
        """Return the scope that this token opens; None when it is none of ours."""
        digest = hashlib.sha256(presented.encode("utf-8", "surrogateescape")).digest()
        found: Scope | None = None
        for token in self._tokens:  # all of them, so that the time tells nothing
            if hmac.compare_digest(token.digest, digest):
                found = token.scope
        return found


def read_tokens(path: Path) -> Tokens:
    """Return the tokens of a file. Raises: SetupError, naming the line; it never shows a token."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"The token file {path} cannot be read: {error}.", hint=_HOW) from None
    written = [(number, line.split()) for number, line in enumerate(lines, 1)]
    tokens = [_token(parts, f"{path}, line {number}") for number, parts in written if parts and parts[0][0] != "#"]
    if not tokens:
        raise SetupError(f"The token file {path} holds no token.", hint=_HOW)
    return Tokens(tokens)


def allows(scope: Scope, needed: Scope) -> bool:
    """Return whether a scope opens what needs another."""
    return SCOPES.index(scope) >= SCOPES.index(needed)


def _token(parts: list[str], where: str) -> _Token:
    text, scope = parts[0], parts[1] if len(parts) > 1 else "admin"
    if len(parts) > 2 or scope not in SCOPES[1:]:
        raise SetupError(f"{where}: write a token, then one of {', '.join(SCOPES[1:])}.")
    if match := _HASHED.fullmatch(text):
        return _Token(bytes.fromhex(match.group(1)), scope)
    if len(text) < _MIN_LENGTH:
        raise SetupError(f"{where}: the token is shorter than {_MIN_LENGTH} characters.", hint=_HOW)
    return _Token(hashlib.sha256(text.encode()).digest(), scope)
