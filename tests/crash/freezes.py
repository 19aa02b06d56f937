"""A dispatcher that is frozen past its lease, and wakes while the next owner's attempt is under way."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from tests.crash.databases import Database, unix
from tests.crash.dispatchers import LEASE_S, SECRET, SEND_TIMEOUT_S, Dispatchers, dispatching
from tests.crash.judge import Figures, judged, settle
from tests.crash.load import Line, Load, webhook
from tests.crash.receiver import Coming, Receiver, receiving

# Three quarters of the time-out: with a fast receiver the second attempt is over before the first owner can do any harm.
_SLOW_S: Final = 0.75 * SEND_TIMEOUT_S
# So long after the second request the first owner wakes; what it would do to the delivery comes due after the second answer.
_INSIDE_S: Final = 0.2
_RETRY_S: Final = 1.0
_AFTERMATH_S: Final = _RETRY_S + 0.5
_FLAGS: Final = (
    *("--secret", SECRET, "--send-timeout", f"{SEND_TIMEOUT_S:g}s"),
    *("--retry-schedule", ",".join([f"{_RETRY_S:g}s"] * 5)),
)
_AT_ONCE: Final = 3
Emit = Callable[[str], bool]
# The database itself writes down what must not be: it sees every change, whoever made it.
_WITNESS: Final = """
CREATE TABLE witness_of_ends (delivery_id text, before text, after text);
CREATE FUNCTION witness_end() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO witness_of_ends VALUES (OLD.id, OLD.state, NEW.state); RETURN NULL;
END $$;
CREATE TRIGGER witness_end AFTER UPDATE ON delivery FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL AND OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION witness_end();
CREATE TABLE witness_of_success (event_id text, at timestamptz);
CREATE FUNCTION witness_success() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO witness_of_success VALUES (NEW.event_id, clock_timestamp()); RETURN NULL;
END $$;
CREATE TRIGGER witness_success AFTER INSERT ON attempt FOR EACH ROW
    WHEN (NEW.outcome = 'succeeded') EXECUTE FUNCTION witness_success();
"""


def frozen(folder: Path, database: Database, *, rounds: int, seed: int) -> Figures:
    """Freeze the first owner during its attempt, wake it inside the second owner's attempt, again and again."""
    return _frozen(folder, database, rounds=rounds, seed=seed, hooks={})


def unfenced(folder: Path, database: Database, *, rounds: int, seed: int) -> Figures:
    """Do the same to dispatchers whose fence was taken out: if the figures are as good, they prove nothing."""
    wrong, happened = _frozen(folder, database, rounds=rounds, seed=seed, hooks={"unfenced": "1"})
    return {"not noticed": int(wrong["sends beyond one for each freeze"] == 0)}, happened + Counter(wrong)


def _frozen(folder: Path, database: Database, *, rounds: int, seed: int, hooks: dict[str, str]) -> Figures:
    missed = 0
    with (
        receiving(_second_time, seed=seed) as receiver,
        dispatching(folder, database, *_FLAGS, hooks=hooks) as dispatchers,
    ):
        database.change(_WITNESS)
        webhook(dispatchers, receiver)
        load, line = Load(dispatchers), Line()
        for number in range(rounds):
            names = [f"evt_{number:04}_{letter}" for letter in range(_AT_ONCE)]
            missed += not _freeze(dispatchers, receiver, names, partial(load.emit, line=line))
        line.close()
        settle(database)
        codes = dispatchers.stop_all()
        wrong, happened = judged(database, receiver, load)
        wrong |= {
            "sends after a recorded success": _sends_after_success(database, receiver),
            "ended states changed": database.rows("SELECT count(*) FROM witness_of_ends")[0][0],
            "sends beyond one for each freeze": sum(max(0, count - 2) for count in receiver.counted().values()),
            "freezes without a second owner": missed,
            "exit codes other than 0": sum(code != 0 for code in codes),
        }
    return wrong, happened + Counter({"freezes": rounds})


def _second_time(coming: Coming, random: Random) -> tuple[int, float]:
    """Fail the first request for an event, take the others, all slowly."""
    return 200 if coming.of_event else 503, _SLOW_S


def _freeze(dispatchers: Dispatchers, receiver: Receiver, names: list[str], emit: Emit) -> bool:
    """Do it once, to several events; return whether each had a second owner while the first one slept."""
    for name in names:
        assert emit(name)
    assert receiver.wait_for(lambda: _came(receiver, names, times=1), timeout_s=5)
    owner = dispatchers.server.process
    owner.send_signal(signal.SIGSTOP)
    try:
        taken_over = receiver.wait_for(lambda: _came(receiver, names, times=2), timeout_s=LEASE_S + 5)
        time.sleep(_INSIDE_S)
    finally:
        owner.send_signal(signal.SIGCONT)
    time.sleep(_AFTERMATH_S)
    return taken_over


def _came(receiver: Receiver, names: list[str], *, times: int) -> bool:
    counted = receiver.counted()
    return all(counted[name] >= times for name in names)


def _sends_after_success(database: Database, receiver: Receiver) -> int:
    successes = {
        row[0]: unix(row[1]) for row in database.rows("SELECT event_id, min(at) FROM witness_of_success GROUP BY 1")
    }
    return sum(arrival.at > successes.get(arrival.event_id, arrival.at) for arrival in receiver.arrivals)
