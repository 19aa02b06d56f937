"""The judge: sets from the emitters and the receiver, which are outside, held against SQL."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Final

from tests.crash.databases import Database
from tests.crash.dispatchers import Dispatchers
from tests.crash.load import Load
from tests.crash.receiver import Receiver

SETTLED_S: Final = 60.0
_LOOK_AGAIN_S: Final = 0.05
_OPEN: Final = "SELECT count(*) FROM delivery WHERE ended_at IS NULL"

_DEFECTS: Final = ('"step.failed"', '"request.failed"', "Traceback (most recent call last)")

# What must be 0, and what happened.
Figures = tuple[dict[str, int], Counter[str]]


def settle(database: Database, *, timeout_s: float = SETTLED_S) -> None:
    """Wait until every delivery ended, or so long that whatever has not is stuck."""
    until = time.monotonic() + timeout_s
    while database.rows(_OPEN) != [(0,)] and time.monotonic() < until:
        time.sleep(_LOOK_AGAIN_S)


def judged(database: Database, receiver: Receiver, load: Load) -> Figures:
    """Return what must be 0, and what happened."""
    outcomes = Counter(dict(database.rows("SELECT outcome, count(*) FROM attempt GROUP BY outcome")))
    known = {row[0] for row in database.rows("SELECT id FROM event")}
    rows = Counter(dict(database.rows("SELECT event_id, count(*) FROM attempt GROUP BY event_id")))
    ended = ended_by_state(database)
    arrived, taken = receiver.counted(), receiver.taken()
    doubled = sum(taken.values()) - len(taken)
    cut = outcomes["interrupted"] + outcomes["superseded"]
    wrong = {
        "lost": len(load.acknowledged - set(taken) - ended["dead"]),
        "acknowledged and not in SQL": len(load.acknowledged - known),
        "unexpected": len(set(arrived) - load.acknowledged - load.ambiguous),
        "stuck": database.rows(_OPEN)[0][0],
        "requests without a row": sum((arrived - rows).values()),
        "doubled beyond the interrupted": max(0, doubled - cut),
        "mislabelled": mislabelled(database, taken, ended, of=load.acknowledged | load.ambiguous),
        "bodies that changed": len({(a.event_id, a.body_hash) for a in receiver.arrivals}) - len(arrived),
        "wrong signatures": sum(not arrival.signed for arrival in receiver.arrivals),
        "damaged": int(database.damaged()),
        "defects in the logs": defects(load.dispatchers),
    }
    happened = Counter(
        acknowledged=len(load.acknowledged),
        ambiguous=len(load.ambiguous),
        requests=len(receiver.arrivals),
        interrupted=outcomes["interrupted"],
        superseded=outcomes["superseded"],
        doubled=doubled,
        dead=len(ended["dead"]),
    )
    return wrong, happened


def defects(dispatchers: Dispatchers) -> int:
    """Return how often the logs tell of an error that nobody expected."""
    return sum(log.count(word) for log in dispatchers.logs() for word in _DEFECTS)


def ended_by_state(database: Database) -> dict[str, set[str]]:
    """Return the ids of the events of the deliveries that ended, by how."""
    ended: dict[str, set[str]] = {"succeeded": set(), "dead": set(), "canceled": set()}
    for state, event_id in database.rows("SELECT state, event_id FROM delivery WHERE ended_at IS NOT NULL"):
        ended[state].add(event_id)
    return ended


def mislabelled(database: Database, taken: Iterable[str], ended: dict[str, set[str]], *, of: set[str]) -> int:
    """Return how many events `of` these SQL calls delivered that were not taken, or failed that were, with no attempt cut off."""
    cut = {r[0] for r in database.rows("SELECT event_id FROM attempt WHERE outcome IN ('interrupted', 'superseded')")}
    accepted = set(taken)
    return len((ended["succeeded"] & of) - accepted) + len((ended["dead"] & accepted) - cut)


def labelled_otherwise(database: Database, receiver: Receiver) -> int:
    """Return how many requests have no row with the status that was answered, where no process died.

    A record whose COMMIT was done and whose answer was lost must be found again, not be written down as something else. A
    claim whose answer was lost is never sent: its row, interrupted, has no request.
    """
    answered = Counter((arrival.event_id, arrival.status) for arrival in receiver.arrivals)
    rows = Counter({(row[0], row[1]): row[2] for row in database.rows(_STATUSES)})
    return sum((answered - rows).values()) + sum((rows - answered).values())


_STATUSES: Final = """
SELECT event_id, status, count(*) FROM attempt WHERE outcome <> 'interrupted' GROUP BY event_id, status
"""
