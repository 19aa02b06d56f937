"""The console's files, read once; each has its hash in its name, so that a browser keeps it until it changes."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from swiftclaw_local.errors import UnknownRoute

FOLDER: Final = Path(__file__).parent / "static"
PREFIX: Final = "/static/"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_KEPT_S: Final = 31_536_000  # a year: another content has another name


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its bytes, as they are and compressed."""

    content_type: str
    tag: str
    plain: bytes
    packed: bytes


class Assets:
    """All files of the folder."""

    def __init__(self, files: Iterable[Path] | None = None) -> None:
        self._by_address: dict[str, Asset] = {}
        self._addresses: dict[str, str] = {}
        for path in sorted(files if files is not None else FOLDER.iterdir()):
            if path.suffix in _TYPES:
                self._add(path)

    def _add(self, path: Path) -> None:
        plain = path.read_bytes()
        tag = hashlib.sha256(plain).hexdigest()[:12]
        name = f"{path.stem}.{tag}{path.suffix}"
        self._addresses[path.name] = PREFIX + name
        self._by_address[name] = Asset(_TYPES[path.suffix], f'"{tag}"', plain, gzip.compress(plain, mtime=0))

    def address(self, name: str) -> str:
        """Return the address of a file, as it is called in the folder. Raises: KeyError."""
        return self._addresses[name]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a file. Raises: UnknownRoute."""
        asset = self._by_address.get(request.match_info["name"])
        if asset is None:
            raise UnknownRoute(f"There is no file {request.path[:200]}.")
        headers = {
            "Content-Type": asset.content_type,
            "Cache-Control": f"public, max-age={_KEPT_S}, immutable",
            "ETag": asset.tag,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        if request.headers.get("If-None-Match") == asset.tag:
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=asset.packed, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=asset.plain, headers=headers)
