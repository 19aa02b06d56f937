"""The kinds of text and numbers that requests are made of, each with what the OpenAPI document says of it.

The document is told here; most are checked where they are used, by whoever can say best what is wrong with them.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from swiftclaw_local.certify.catalog import CHECKS
from swiftclaw_local.events.catalog import EVENT_TYPE_NAMES
from swiftclaw_local.scheduler.alerts import METRIC

AGENT_PATTERN: Final = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
LAST_SECOND: Final = 253_402_300_799  # of the year 9999
_BASE64: Final = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_DURATION: Final = "^([0-9]{1,4}d)?([0-9]{1,4}h)?([0-9]{1,4}m)?([0-9]{1,4}s)?([0-9]{1,4}ms)?$"


def _told(**schema: Any) -> Any:
    return Field(json_schema_extra=schema)


def _whole(value: object) -> object:
    """JSON has one kind of number: 5.0 is a whole one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Threshold = Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(_whole)]
MaxSends = Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(_whole)]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1), BeforeValidator(_whole)]
UnixSeconds = Annotated[int, Field(ge=0, le=LAST_SECOND), BeforeValidator(_whole)]
AgentName = Annotated[str, _told(pattern=AGENT_PATTERN, examples=["my-agent"])]
EventTypeName = Annotated[str, _told(enum=list(EVENT_TYPE_NAMES))]
AnyTypeName = Annotated[str, Field(pattern="^[!-~]{1,100}$")]
EventId = Annotated[str, _told(pattern="^[!-~]{1,128}$", examples=["evt_abc123"])]
Url = Annotated[str, _told(format="uri", maxLength=2048, examples=["http://localhost:8000/webhooks/swiftclaw"])]
SecretText = Annotated[str, _told(pattern="^[!-~]([ -~]{0,510}[!-~])?$", writeOnly=True)]
WebhookId = Annotated[str, _told(pattern="^webhook-[0-9]{1,15}$", examples=["webhook-123"])]
CheckName = Annotated[str, _told(enum=[*(check.id for check in CHECKS), *dict.fromkeys(c.family for c in CHECKS)])]
Description = Annotated[str, Field(max_length=500, pattern="^[^\\x00]*$")]
DurationText = Annotated[str, _told(minLength=2, maxLength=40, pattern=_DURATION, examples=["90s", "6m", "1h30m"])]
TimeText = Annotated[str, _told(maxLength=40, examples=["14:02", "2026-11-23 09:00", "2h ago", "1795443000"])]
MetricName = Annotated[str, _told(enum=[METRIC])]
Text = Annotated[str, Field(max_length=200)]
StatusText = Annotated[str, Field(pattern=r"^[1-9]([0-9]{2}|xx)$", description="As 503 or 5xx.")]
DeliveryName = Annotated[str, Field(pattern="^dlv_[0-9a-z]{26}$")]
FaultText = Annotated[str, _told(pattern="^[a-z_]{1,40}(:[a-zA-Z0-9]{1,40})?$", examples=["lost_reply", "delay:30s"])]
Base64 = Annotated[str, _told(contentEncoding="base64", pattern=_BASE64)]
