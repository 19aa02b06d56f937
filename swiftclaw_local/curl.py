"""A delivery as a curl command: the exact bytes and the real signature, to be pasted into a shell.

Pure: the bytes and the signature are given. The command sends what the platform sends, by hand.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import shlex
import unicodedata
from typing import Final

SIGNATURE_HEADER: Final = "X-SwiftClaw-Signature"
# The request headers of decision D8 that curl would not send by itself, or would send differently.
_HEADERS: Final = (
    "Content-Type: application/json",
    "User-Agent: SwiftClaw-Webhooks/1.0",
    "Accept: */*",
    "Accept-Encoding: identity",
    "Expect:",
)
_LONGEST_WORD: Final = 100_000  # a system takes 128 KiB in one word of a command


def curl_command(url: str, body: bytes, signature: str) -> str:
    """Return a command for sh that posts exactly these bytes: no proxy, no redirects, no rewriting of the URL."""
    headers = [f"-H {shlex.quote(header)}" for header in (*_HEADERS, f"{SIGNATURE_HEADER}: {signature}")]
    start = f"curl -sS -i --http1.1 --max-time 10 --globoff --path-as-is --noproxy '*' {shlex.quote(url)}"
    text = _as_word(body)
    if text is not None:
        return " \\\n  ".join([start, *headers, f"--data-binary {text}"])
    pipe = f"printf %s {base64.b64encode(body).decode()} | base64 -d | \\\n"
    return pipe + " \\\n  ".join([start, *headers, "--data-binary @-"])


def sign(secret: str, body: bytes) -> str:
    """Return 64 lower-case hex digits. Source: page, "Signature Verification"."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _as_word(body: bytes) -> str | None:
    """Return the body as one word of a shell command; None when it could be read or pasted wrongly."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    # invisible characters get lost on the way through a terminal, and curl reads a leading @ as a file's name
    if len(body) > _LONGEST_WORD or text.startswith("@") or any(_invisible(character) for character in text):
        return None
    return shlex.quote(text)


def _invisible(character: str) -> bool:
    return unicodedata.category(character)[0] == "C" or character in "\u2028\u2029"
