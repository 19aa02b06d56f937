"""The API as a play asks it: every answer may take as long as receivers do, unless `--timeout` says otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from swiftclaw_local.cli.client import Client


class PatientApi:
    """The API as a play asks it: an answer may take as long as receivers do."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, path: str, **query: Any) -> Any:
        """See `plays.playing.Api`."""
        return self._client.get(path, long=True, **query)

    def post(self, path: str, body: Any, **query: Any) -> Any:
        """See `plays.playing.Api`."""
        return self._client.post(path, body, long=True, **query)

    def delete(self, path: str) -> Any:
        """See `plays.playing.Api`."""
        return self._client.delete(path)

    def upload(self, path: str, pieces: Iterable[bytes], **query: Any) -> Any:
        """See `plays.replaying.Api`."""
        return self._client.upload(path, pieces, **query)
