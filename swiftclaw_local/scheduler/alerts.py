"""The rule of the alert `webhook-failures`: when it fires and when it is armed again (decision D27). Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

AlertState = Literal["ok", "firing"]

METRIC: Final = "webhook-failures"


def window_start(now: datetime, window: timedelta) -> datetime:
    """Return the time after which a failed attempt counts: the window is (now - window, now]."""
    return now - window


def next_state(count: int, *, threshold: int) -> AlertState:
    """Return `firing` from the moment the count reaches the threshold until it is below it."""
    return "firing" if count >= threshold else "ok"
