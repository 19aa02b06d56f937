"""Where a form leads back to: only ever to a page of ours."""

from __future__ import annotations

from urllib.parse import urlsplit


def own_path(text: str) -> str:
    """Return a path of ours to go back to; `/` when it could lead elsewhere."""
    parts = urlsplit(text)
    ours = text.startswith("/") and not parts.scheme and not parts.netloc and "\\" not in text
    return text if ours and text.isprintable() and text.isascii() else "/"
