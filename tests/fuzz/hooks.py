"""What schemathesis is told beside the OpenAPI document; it loads this module itself (`SCHEMATHESIS_HOOKS`)."""

from __future__ import annotations

from typing import Any, Final

import schemathesis

STREAM: Final = "/v1/stream"
EVENTS: Final = "text/event-stream"
_GOES_ON: Final = (None, "1", "true")


@schemathesis.hook
def before_load_schema(_context: Any, raw_schema: dict[str, Any]) -> None:
    """Have the data of each server-sent event checked by what the document says of a message, where OpenAPI 3.1 has no word for it."""
    media = raw_schema["paths"][STREAM]["get"]["responses"]["200"]["content"][EVENTS]
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": media["x-message"]}
    media["schema"] = {"type": "object", "properties": {"data": data}}


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """Have the event stream end after what the log holds, whatever else is asked: nobody waits for an answer without an end."""
    if case.operation.path == STREAM and case.query.get("follow") in _GOES_ON:
        case.query["follow"] = "0"
