"""What tests of every kind may use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import ClientResponse
from aioresponses import aioresponses


class _Written:
    output_size = 0


_WRITTEN: Any = _Written()


class MockedResponse(ClientResponse):
    """A response of aioresponses 0.7.9, which does not know that aiohttp 3.14 wants to be told of a writer."""

    def __init__(self, *args: Any, stream_writer: Any = _WRITTEN, **kwargs: Any) -> None:
        super().__init__(*args, stream_writer=stream_writer, **kwargs)


@pytest.fixture
def mocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    """aioresponses in the place of aiohttp's client. It mocks neither time, nor bytes, nor redirects: see `receivers`."""
    monkeypatch.setattr("aioresponses.core.ClientResponse", MockedResponse)
    with aioresponses() as mock:
        yield mock
