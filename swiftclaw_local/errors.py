"""Every error the project raises, on one page.

The first line of an error's docstring is its default message. `code` names it in the API and in `--json`; `http_status`
and `exit_code` let the server and the commands map any of them in one line. What a *receiver* does is an `Outcome`,
never one of these. This module imports nothing of the project.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class SwiftclawError(Exception):
    """Something went wrong in SwiftClaw local."""

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str | None = None,
        *,
        hint: str | None = None,
        field: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.hint = hint
        self.field = field
        self.extra = extra or {}
        super().__init__(self.message)


# --- The user's to mend: what was typed or sent -----------------------------------------------------------------


class InvalidInput(SwiftclawError):
    """The request is not valid."""

    code = "invalid_input"
    http_status = 400
    exit_code = 2


class InvalidJson(InvalidInput):
    """The body is not valid JSON."""

    code = "invalid_json"


class InvalidUrl(InvalidInput):
    """The URL cannot be used for a webhook."""

    code = "invalid_url"


class InvalidSecret(InvalidInput):
    """The secret cannot be used."""

    code = "invalid_secret"


class InvalidDuration(InvalidInput):
    """The duration cannot be read. Write 6h, 90s or 1h30m."""

    code = "invalid_duration"


class InvalidTime(InvalidInput):
    """The time cannot be read."""

    code = "invalid_time"


class InvalidSetting(InvalidInput):
    """A setting has a value that cannot be used."""

    code = "invalid_setting"


class InvalidCursor(InvalidInput):
    """The cursor does not come from this list."""

    code = "invalid_cursor"


class UnknownEventType(InvalidInput):
    """SwiftClaw sends no event of this type."""

    code = "unknown_event_type"


class UnknownFaultKind(InvalidInput):
    """There is no fault of this kind."""

    code = "unknown_fault_kind"


class InvalidScenario(InvalidInput):
    """The scenario cannot be read."""

    code = "invalid_scenario"


class InvalidRecording(InvalidInput):
    """The recording cannot be read; nothing of it was announced."""

    code = "invalid_recording"


class RecordingTooNew(InvalidRecording):
    """The recording was written by a newer version; nothing of it was announced."""

    code = "recording_too_new"


class BodyTooLarge(InvalidInput):
    """The body is larger than what is accepted."""

    code = "body_too_large"
    http_status = 413


class NotFound(SwiftclawError):
    """There is no such thing."""

    code = "not_found"
    http_status = 404
    exit_code = 3


class UnknownRoute(NotFound):
    """The API has no such route."""

    code = "unknown_route"


class UnknownAgent(NotFound):
    """No agent of this name has webhooks."""

    code = "unknown_agent"


class UnknownWebhook(NotFound):
    """The agent has no such webhook."""

    code = "unknown_webhook"


class UnknownEvent(NotFound):
    """There is no such event."""

    code = "unknown_event"


class UnknownDelivery(NotFound):
    """There is no such delivery."""

    code = "unknown_delivery"


class UnknownAlert(NotFound):
    """There is no such alert."""

    code = "unknown_alert"


class UnknownStarter(NotFound):
    """There is no starter of this name."""

    code = "unknown_starter"


class UnknownScenario(NotFound):
    """There is no scenario of this name, and no such file."""

    code = "unknown_scenario"


class UnknownReport(NotFound):
    """There is no such report of a certification; the last 50 are kept, until the server stops."""

    code = "unknown_report"


class UnknownReplay(NotFound):
    """There is no such replay."""

    code = "unknown_replay"


class UnknownFault(NotFound):
    """No such fault is armed."""

    code = "unknown_fault"


class AmbiguousId(InvalidInput):
    """More than one id ends like this."""

    code = "ambiguous_id"


class MethodNotAllowed(SwiftclawError):
    """The route does not take this method."""

    code = "method_not_allowed"
    http_status = 405
    exit_code = 2


class Conflict(SwiftclawError):
    """The state of things does not allow this."""

    code = "conflict"
    http_status = 409
    exit_code = 5


class EventIdTaken(Conflict):
    """An event with this id exists already, with another content."""

    code = "event_id_taken"


class DeliveryPending(Conflict):
    """The delivery has not ended: its next attempt is still to come."""

    code = "delivery_pending"


class DeliveryEnded(Conflict):
    """The delivery has ended: there is nothing left to cancel."""

    code = "delivery_ended"


class DeliveryInFlight(Conflict):
    """The delivery is being sent at this moment."""

    code = "delivery_in_flight"


class ReplayOpen(Conflict):
    """A replay of this delivery has not ended yet."""

    code = "replay_open"


class WebhookDeleted(Conflict):
    """The webhook of this delivery was deleted."""

    code = "webhook_deleted"


class ClockNotManual(Conflict):
    """The clock follows real time; advancing would lie to your receiver's timestamps."""

    code = "clock_not_manual"


class ClockShared(Conflict):
    """A manual or fast clock is for one dispatcher alone."""

    code = "clock_shared"
    exit_code = 5


class ClockBackwards(Conflict):
    """The clock never goes back."""

    code = "clock_backwards"


class RecordingRuns(Conflict):
    """A recording runs already."""

    code = "recording_runs"


class NoRecording(Conflict):
    """No recording runs."""

    code = "no_recording"


class FileExists(Conflict):
    """The file exists already."""

    code = "file_exists"


class WaitTimeout(Conflict):
    """What was waited for did not happen in time."""

    code = "wait_timeout"
    exit_code = 124


class ForeignRequest(SwiftclawError):
    """The request comes from a web page or host that has no business here."""

    code = "foreign_request"
    http_status = 403
    exit_code = 1


class WrongHost(ForeignRequest):
    """The Host header names another server."""

    code = "wrong_host"
    http_status = 421


class TokenRequired(SwiftclawError):
    """The request carries no token, or one that does not allow this."""

    code = "token_required"
    http_status = 401
    exit_code = 1


class TooManyStreams(SwiftclawError):
    """Too many streams are open already."""

    code = "too_many_streams"
    http_status = 429
    exit_code = 1


# --- A lost race: somebody else was faster ----------------------------------------------------------------------


class LeaseLost(SwiftclawError):
    """The lease on the delivery was taken over; the late write changed nothing."""

    code = "lease_lost"
    http_status = 409


class EngineStuck(SwiftclawError):
    """A delivery is due and cannot be claimed."""

    code = "engine_stuck"


# --- A broken set-up: for whoever runs the server ---------------------------------------------------------------


class SetupError(SwiftclawError):
    """The server cannot start."""

    code = "setup"
    exit_code = 5


class PortInUse(SetupError):
    """The port is used by another program."""

    code = "port_in_use"


class DatabaseInUse(SetupError):
    """Another SwiftClaw local uses this database."""

    code = "database_in_use"


class DatabaseUnreachable(SetupError):
    """The database server does not let us in."""

    code = "database_unreachable"


class ForeignDatabase(SetupError):
    """The file is not a database of SwiftClaw local; it was not touched."""

    code = "foreign_database"


class DamagedDatabase(SetupError):
    """The database file is damaged; it was not touched."""

    code = "damaged_database"


class DatabaseTooNew(SetupError):
    """The database was written by a newer version; it was not touched."""

    code = "database_too_new"


class WrongKey(SetupError):
    """The key does not open the secrets in this database."""

    code = "wrong_key"


class StorageUnavailable(SwiftclawError):
    """The database does not answer; nothing was written. Try again."""

    code = "storage_unavailable"
    http_status = 503


class StorageFull(StorageUnavailable):
    """The disk of the database is full; nothing was written."""

    code = "storage_full"
    http_status = 507


class ServerStopping(StorageUnavailable):
    """The server is stopping and takes nothing new."""

    code = "server_stopping"


# --- Seen by the commands ---------------------------------------------------------------------------------------


class NoServer(SwiftclawError):
    """No SwiftClaw local server answers."""

    code = "no_server"
    exit_code = 4


def every_error() -> list[type[SwiftclawError]]:
    """Return every error class of this page, in the order of the page."""
    return [c for c in globals().values() if isinstance(c, type) and issubclass(c, SwiftclawError)]


def error_of(status: int, document: Mapping[str, Any]) -> SwiftclawError:
    """Return the error an answer stands for, of the same class the server raised; what lies beside it is in `extra`."""
    told = document["error"]
    kinds = {kind.code: kind for kind in every_error()}
    by_status = {404: NotFound, 409: Conflict}.get(status, InvalidInput if status < 500 else SwiftclawError)
    kind = kinds.get(str(told.get("code")), by_status)
    extra = {name: value for name, value in document.items() if name != "error"}
    return kind(
        str(told.get("message") or ""), hint=told.get("hint") or None, field=told.get("field") or None, extra=extra
    )
