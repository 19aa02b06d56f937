"""A log that cannot be written costs its lines, and nothing else."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator

import pytest
import structlog

from swiftclaw_local import logs


class FullDisk(io.StringIO):
    """A stream that takes nothing while `full`."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[FullDisk]:
    stream = FullDisk()
    monkeypatch.setattr(sys, "stderr", stream)
    before = structlog.get_config()
    logs.set_up_logs(style="json")
    yield stream
    structlog.configure(**before)


def test_a_line_that_cannot_be_written_is_lost_and_the_next_one_is_written(stream: FullDisk) -> None:
    logs.logger().info("one")
    stream.full = False
    logs.logger().info("two")
    assert [line.split('"')[3] for line in stream.getvalue().splitlines()] == ["two"]


def test_a_line_is_ascii_json_whatever_is_said_in_it(stream: FullDisk) -> None:
    stream.full = False
    said = {"text": "\u202egnp.exe \x1b[2J é", "half": "\ud800", "long": 2**70, "other": {1}}
    logs.logger().info("one", **said)
    logs.logger().info("two", agent="my-agent", status=None)
    written = stream.getvalue()
    assert written.isascii()
    assert written.count("\n") == 2
    first, second = ({**json.loads(line), "timestamp": ""} for line in written.splitlines())
    alike = {"level": "info", "timestamp": ""}
    assert [first, second] == [
        {**said, **alike, "event": "one", "other": "{1}"},
        {**alike, "event": "two", "agent": "my-agent", "status": None},
    ]
