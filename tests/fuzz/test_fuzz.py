"""A little of `make fuzz`: no request makes the server fail, and its answers are those that its document promises."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.acceptance.running import RunningServer, serving
from tests.fuzz.__main__ import FLAGS
from tests.fuzz.document import requests_from_the_document
from tests.fuzz.hostile import hostile_json


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(tmp_path_factory.mktemp("fuzz"), *FLAGS) as running:
        yield running


def test_requests_made_up_from_the_document_get_the_answers_it_promises(server: RunningServer) -> None:
    found = requests_from_the_document(server.url, folder=server.folder, each=1, seed=1, phases="examples,fuzzing")
    assert found.complaints == ""
    assert found.cases >= 42


def test_json_that_means_harm_is_answered_and_does_none(server: RunningServer) -> None:
    sending = hostile_json(server.url, count=150, with_seed=1, large=2)
    assert sending.wrong == []
    assert sending.answers[400] > 50
    assert sending.answers[413] >= 2
    assert "Traceback" not in (server.folder / "server.log").read_text()


def test_a_query_as_long_as_the_document_allows_is_read(server: RunningServer) -> None:
    longest = quote("\U0001f9e8" * 200)  # 2,400 bytes each
    query = "&".join(f"{name}={longest}" for name in ("agent", "webhook", "event", "type", "cause", "q"))
    status, answer = server.api("GET", f"/v1/deliveries?{query}")
    assert (status, answer["data"]) == (200, [])
