"""What can be asked of deliveries, as conditions of a SELECT."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

import sqlalchemy
from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, union_all
from sqlalchemy.engine import Connection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from swiftclaw_local.storage.records import DeliveryFilter
from swiftclaw_local.storage.states import State
from swiftclaw_local.storage.tables import METADATA

_webhook: Final = METADATA.tables["webhook"]
_event: Final = METADATA.tables["event"]
_delivery: Final = METADATA.tables["delivery"]

CANDIDATES: Final = 5
_UNRESOLVED: Final = (State.PENDING, State.IN_FLIGHT, State.DEAD)
_LAST_CHARACTER: Final = "\U0010ffff"


class _BodyText(FunctionElement[str]):
    """A body's bytes as text to search in."""

    type = sqlalchemy.Text()
    inherit_cache = True


@compiles(_BodyText)
def _cast_body(element: _BodyText, compiler: Any, **how: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **how)} AS TEXT)"


@compiles(_BodyText, "postgresql")
def _encode_body(element: _BodyText, compiler: Any, **how: Any) -> str:
    return f"encode({compiler.process(element.clauses, **how)}, 'escape')"  # a cast would write the bytes in hex


def deliveries() -> Select[Any]:
    """Return the SELECT of deliveries, with what people want to see of their webhook."""
    return select(
        _delivery,
        _webhook.c.url.label("webhook_url"),
        and_(_webhook.c.enabled, _webhook.c.deleted_at.is_(None)).label("webhook_enabled"),
    ).join(_webhook, _webhook.c.id == _delivery.c.webhook_id)


def cause() -> ColumnElement[str]:
    """Return the last answer as text: the status where there was one, else the error class."""
    status = sqlalchemy.cast(_delivery.c.last_status, sqlalchemy.String)
    return func.coalesce(status, _delivery.c.last_error_class).label("cause")


def conditions(wanted: DeliveryFilter) -> list[ColumnElement[bool]]:
    """Return the conditions of a filter, all of which must hold."""
    found: list[ColumnElement[bool]] = []
    equal = (
        (_delivery.c.agent, wanted.agent),
        (_delivery.c.webhook_id, wanted.webhook_id),
        (_delivery.c.event_id, wanted.event_id),
        (_delivery.c.event_type, wanted.event_type),
    )
    found += [column == value for column, value in equal if value is not None]
    if wanted.states is not None:
        found += states(wanted.states)
    if wanted.attempted is not None:
        found.append(_delivery.c.attempts > 0 if wanted.attempted else _delivery.c.attempts == 0)
    if wanted.status is not None:
        found.append(_delivery.c.last_status.between(*wanted.status))
    if wanted.cause is not None:
        found.append(cause() == wanted.cause)
    if wanted.since is not None:
        found.append(_delivery.c.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(_delivery.c.created_at < wanted.until)
    if wanted.unresolved:
        found += _unresolved()
    if wanted.search is not None:
        found.append(_searched(wanted.search))
    return found


def newest(wanted: DeliveryFilter, *, before: str | None, most: int) -> Any:
    """Return the SELECT of the ids of the newest matching deliveries, older than `before`.

    State by state, merged: each comes in order from the index of what has not succeeded, and reading ends with the last
    row that is wanted. Asked for together, all of them would be read and sorted.
    """
    asked = wanted.states or (_UNRESOLVED if wanted.unresolved else None)
    alone = asked is None or State.SUCCEEDED in asked
    filters = [wanted] if alone or asked is None else [replace(wanted, states=(state,)) for state in asked]
    older = [] if before is None else [_delivery.c.id < before]
    parts = [select(_delivery.c.id).where(*conditions(each), *older) for each in filters]
    return union_all(*parts).order_by(sqlalchemy.desc("id")).limit(most)


def _unresolved() -> list[ColumnElement[bool]]:
    """No delivery of this event to this webhook succeeded (decision D23); tests and canceled ones do not count."""
    other = _delivery.alias("other")
    through = exists().where(
        other.c.event_id == _delivery.c.event_id,
        other.c.webhook_id == _delivery.c.webhook_id,
        other.c.state == State.SUCCEEDED.value,
    )
    return [*states(_UNRESOLVED), _delivery.c.trigger != "test", ~through]


def _searched(text: str) -> ColumnElement[bool]:
    if re.fullmatch(r"(dlv|evt)_[0-9a-z]{26}", text):
        return _delivery.c.id == text if text.startswith("dlv") else _delivery.c.event_id == text
    in_body = select(_event.c.id).where(_BodyText(_event.c.body).contains(text, autoescape=True))
    return or_(
        _delivery.c.id.contains(text, autoescape=True),
        _delivery.c.event_id.contains(text, autoescape=True),
        _delivery.c.event_id.in_(in_body),
    )


def candidates(connection: Connection, table: Any, given: str) -> list[str]:
    """Return up to a few ids that are what was given, or begin with it, or end with it."""
    for step in _steps(table, given):
        found = [str(row[0]) for row in connection.execute(step)]
        if found:
            return found
    return []


def _steps(table: Any, given: str) -> list[Select[Any]]:
    """Return what to look for, the most exact first."""
    ids = select(table.c.id)
    if given == "@last":
        order = _event.c.seq if table is _event else table.c.id
        return [ids.order_by(order.desc()).limit(1)]
    if given == "@last-failed" and table is _delivery:
        return [ids.where(*states((State.DEAD,))).order_by(table.c.id.desc()).limit(1)]
    ending = given.rpartition("…")[2]
    if not ending:
        return []
    return [
        ids.where(table.c.id == given),
        # a range, because LIKE, which does not tell upper from lower case, uses no index
        ids.where(table.c.id >= given, table.c.id < given + _LAST_CHARACTER).limit(CANDIDATES),
        ids.where(table.c.id.endswith(ending, autoescape=True)).limit(CANDIDATES),
    ]


def states(states: tuple[State, ...]) -> list[ColumnElement[bool]]:
    """Return the condition of states, written out, so that the partial indexes serve."""
    names: list[ColumnElement[str]] = [sqlalchemy.literal_column(f"'{state.value}'") for state in states]
    found: list[ColumnElement[bool]] = [
        _delivery.c.state == names[0] if len(names) == 1 else _delivery.c.state.in_(names)
    ]
    if State.SUCCEEDED not in states:
        found.append(_delivery.c.state != sqlalchemy.literal_column("'succeeded'"))
    return found
