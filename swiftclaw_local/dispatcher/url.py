"""Checks a URL when it is registered, so that it can always be sent to; what is wrong with it is said there and then.

It asks no DNS and judges no address: where may be sent to is the business of `addresses`, at each attempt.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from swiftclaw_local.dispatcher.hostname import ascii_host, is_local_name
from swiftclaw_local.errors import InvalidUrl

LONGEST_URL: Final = 2048
_SHOWN: Final = 200
_EXAMPLE: Final = "Write it as http://localhost:8000/webhooks/swiftclaw"
_TOO_LONG: Final = f"is longer than {LONGEST_URL} bytes."
_SHORTEN: Final = "Shorten its path or query."
_WITHOUT_USER: Final = "Leave out what stands before the @; put a token into the path or query if you need one."
_NOT_IPV6: Final = "has a host in brackets that is not an IPv6 address."
_IPV6_EXAMPLE: Final = "Write it as http://[::1]:8000/webhooks/swiftclaw"
_BRACKETED: Final = re.compile(r"\[([^\[\]]*)\](:[0-9]*)?")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_WITHOUT_SLASHES: Final = re.compile(r"(https?):/?(?=[^/])", re.IGNORECASE)
_USER: Final = re.compile(r"(^|(?<=//))[^/?#]*@")
# Everything that is not a letter outside ASCII is left as it is written.
_ASCII: Final = "".join(map(chr, range(128)))


class _Wrong(Exception):
    """What is wrong with a URL: `what` completes `url "..." `, `guess` is what may have been meant."""

    def __init__(self, what: str, *, guess: str = "", hint: str = _EXAMPLE) -> None:
        self.what = what
        self.guess = guess
        self.hint = hint
        super().__init__(what)


def check_url(text: str, *, field: str) -> str:
    """Return a URL that can be sent to, in ASCII: as it was written, but xn-- for an international host and %XX after it.

    `field` is the name of what was given ("url"); the message begins with it.

    Raises: InvalidUrl, saying what is wrong and what to write instead.
    """
    try:
        return _checked(text)
    except _Wrong as wrong:
        message = f'{field} "{_shown(text)}" {wrong.what}'
        if _passes(wrong.guess):
            raise InvalidUrl(f"{message} Did you mean {wrong.guess} ?", field=field) from None
        raise InvalidUrl(message, hint=wrong.hint, field=field) from None


def _passes(guess: str) -> bool:
    try:
        return bool(guess and _checked(guess))
    except _Wrong:
        return False


def _checked(text: str) -> str:
    _check_characters(text)
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise _Wrong("has no scheme.", guess=_with_scheme(text))
    if scheme[1].lower() not in ("http", "https"):
        raise _Wrong(f"has the scheme {scheme[1]}; a webhook is sent by http or https.")
    try:
        parts = urlsplit(text)
    except ValueError:
        raise _Wrong(_NOT_IPV6, hint=_IPV6_EXAMPLE) from None
    if "@" in parts.netloc:
        raise _Wrong("holds a user name or password, which SwiftClaw does not send.", hint=_WITHOUT_USER)
    if "#" in text:
        raise _Wrong("has a fragment (#...), which is never sent.", guess=text.partition("#")[0])
    host = _checked_host(parts)
    if text.isascii():
        return text
    url = _in_ascii(parts, host)
    if len(url) > LONGEST_URL:
        raise _Wrong(_TOO_LONG, hint=_SHORTEN)
    return url


def _check_characters(text: str) -> None:
    if not text.strip():
        raise _Wrong("is empty.")
    if len(text.encode(errors="replace")) > LONGEST_URL:
        raise _Wrong(_TOO_LONG, hint=_SHORTEN)
    if any(not character.isprintable() for character in text):
        raise _Wrong("holds an invisible or control character.", guess=text.strip())
    if " " in text:
        raise _Wrong("holds a space.", guess=text.strip().replace(" ", "%20"))
    if "\\" in text:
        raise _Wrong("holds a backslash.", guess=text.replace("\\", "/"))


def _with_scheme(text: str) -> str:
    bare = _WITHOUT_SLASHES.match(text)
    if bare:
        return f"{bare[1].lower()}://{text[bare.end() :]}"
    if text.startswith("/") and not text.startswith("//"):
        return f"http://localhost:8000{text}"
    rest = text.lstrip("/")
    # A port, an address or a local name: a development server, which hardly ever speaks TLS.
    host = re.split(r"[/?]", rest)[0]
    local = ":" in host or host.replace(".", "").isdigit() or is_local_name(host)
    return f"{'http' if local else 'https'}://{rest}"


def _checked_host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    port = _checked_port(parts)
    if not host:
        rest = urlunsplit(("", "", parts.path, parts.query, ""))
        raise _Wrong("has no host.", guess=f"{parts.scheme}://localhost:{port}{rest}" if port else "")
    if "[" in parts.netloc:
        return _checked_ipv6(parts.netloc)
    try:
        return ascii_host(host)
    except ValueError as error:
        raise _Wrong(f'cannot be sent to: the host "{_shown(host)}" {error}.') from None


def _checked_ipv6(netloc: str) -> str:
    if "%" in netloc:
        raise _Wrong("has an IPv6 address with a zone; those are link-local, and nothing is sent there.")
    try:
        bracketed = _BRACKETED.fullmatch(netloc)
        return f"[{IPv6Address(bracketed[1] if bracketed else '')}]"
    except ValueError:
        raise _Wrong(_NOT_IPV6, hint=_IPV6_EXAMPLE) from None


def _checked_port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or parts.netloc.endswith(":"):
        raise _Wrong("has a port that is none: it is a whole number from 1 to 65535.")
    return port


def _in_ascii(parts: SplitResult, host: str) -> str:
    netloc = host if parts.port is None else f"{host}:{parts.port}"
    return urlunsplit((parts.scheme, netloc, quote(parts.path, safe=_ASCII), quote(parts.query, safe=_ASCII), ""))


def _shown(text: str) -> str:
    """Return what was given as it can be shown: a password left out, invisible characters written as escapes, not too long."""
    text = _USER.sub("...@", text)
    visible = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return visible if len(visible) <= _SHOWN else f"{visible[:_SHOWN]}..."
