"""structlog, set up once: lines to stderr, for people on a terminal, as JSON otherwise.

Event names are the constants here, of the form `noun.past_verb`; ids are keys; secrets and bodies are never logged.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TextIO, cast

import orjson
import structlog

EVENT_ACCEPTED: Final = "event.accepted"
DELIVERY_ATTEMPTED: Final = "delivery.attempted"
DELIVERIES_SUMMARIZED: Final = "deliveries.summarized"
LEASE_REAPED: Final = "lease.reaped"
ALERT_FIRED: Final = "alert.fired"
ALERT_CLEARED: Final = "alert.cleared"
ALERT_NOTIFIED: Final = "alert.notified"
CLOCK_ADVANCED: Final = "clock.advanced"
CLOCK_JUMPED: Final = "clock.jumped"
WEBHOOK_CHANGED: Final = "webhook.changed"
REPLAY_CHANGED: Final = "replay.changed"
EVENTS_PRUNED: Final = "events.pruned"
FAULTS_FORGOTTEN: Final = "faults.forgotten"
COMMITS_NOT_DURABLE: Final = "commits.not_durable"
STORE_FAILED: Final = "store.failed"
ENGINE_STARTED: Final = "engine.started"
ENGINE_STOPPED: Final = "engine.stopped"
STEP_FAILED: Final = "step.failed"
REQUEST_FAILED: Final = "request.failed"

Log = structlog.typing.FilteringBoundLogger


def set_up_logs(*, style: str = "auto", level: str = "info") -> None:
    """Send structlog's lines to stderr; `style` is auto, text or json, `level` debug, info, warning or error."""
    for_people = style == "text" or (style == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"), pad_event_to=20)
        if for_people
        else structlog.processors.JSONRenderer(_as_json)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.dev.set_exc_info if for_people else structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Lossy(sys.stderr))),
        cache_logger_on_first_use=True,
    )


def _as_json(line: dict[str, Any], *, default: Callable[[Any], Any]) -> str:
    """Return a line as JSON, in ASCII alone: other characters could turn round what a terminal shows of it."""
    try:
        written = orjson.dumps(line, default=default)
    except orjson.JSONEncodeError:  # half of a surrogate pair, or a number of more than 64 bits
        return json.dumps(line, default=default)
    return written.decode() if written.isascii() else json.dumps(line, default=default)


class _Lossy(io.TextIOBase):
    """A stream of which a line that cannot be written is lost: a full disk or a closed pipe must not end a delivery."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def logger() -> Log:
    """Return the logger of the process."""
    bound: Log = structlog.get_logger()
    return bound
