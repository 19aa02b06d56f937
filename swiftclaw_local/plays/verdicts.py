"""What a right receiver answers to each bad thing, as certify's checks have it, and whether this one did. Pure.

A `delivery` is the API's JSON of one, with its attempts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from swiftclaw_local.certify.catalog import BY_ID
from swiftclaw_local.dispatcher.fault_kinds import kind_of, read_fault

Json = dict[str, Any]
Result = Literal["pass", "warn", "fail"]

# The check of a certification that sends the same, whose rule is the judge here too.
CHECK_OF_FAULT: Final = {
    "wrong_signature": "SIG-2",
    "missing_signature": "SIG-3",
    "tampered_body": "SIG-5",
    "truncated_body": "SIG-5",
    "other_secret": "SIG-6",
    "not_json": "JSON-1",
    "empty_body": "JSON-1",
    "unknown_type": "TYPE-2",
}
# After these it is right that nothing is delivered, or nobody can say what is right.
_NOT_JUDGED: Final = frozenset({"drop", "secret_rotated_midway"})
_TWICE: Final = frozenset({"duplicate", "duplicate_simultaneous", "lost_reply"})
_DELIVERED: Final = "2xx in the end"


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one delivery: `sent` in words, `wanted` of a right receiver, `got` of this one; `check` is certify's id, if one fits."""

    result: Result
    sent: str
    wanted: str
    got: str
    agent: str
    webhook: str
    delivery: str
    check: str | None = None

    def document(self) -> Json:
        """Return it as JSON has it."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Counted:
    """Findings that are alike, and how many they are."""

    finding: Finding
    count: int


def judged(delivery: Json, *, expect: str | None, replay: bool = False) -> Finding | None:
    """Return what is found on a delivery that has had its time; None when nobody can say what is right.

    `expect` is what the scenario asks for; without it, the fault that an attempt met says it, else it is to be delivered.
    """
    if expect == "any":
        return None
    if expect is not None and expect != "2xx":
        return _by_status(delivery, delivery["attempts"][0] if delivery["attempts"] else None, expect, None)
    bad = [attempt for attempt in delivery["attempts"] if attempt["fault"] and _kind(attempt) in CHECK_OF_FAULT]
    if bad and expect is None:
        check = CHECK_OF_FAULT[_kind(bad[0])]
        return _by_status(delivery, bad[0], BY_ID[check].expected, check)
    if expect is None and any(attempt["fault"] and _kind(attempt) in _NOT_JUDGED for attempt in delivery["attempts"]):
        return None
    return _delivered(delivery, replay=replay)


def wrong_on_purpose(delivery: Json) -> bool:
    """Return whether an attempt of it was made wrong, so that a retry of it, right again, is nothing that anybody waits for."""
    return any(attempt["fault"] and _kind(attempt) in CHECK_OF_FAULT for attempt in delivery["attempts"])


def came_twice(delivery: Json) -> bool:
    """Return whether a receiver got its event more than once, so that what it did, and not its answer, is what matters."""
    kinds = {_kind(attempt) for attempt in delivery["attempts"] if attempt["fault"]}
    return delivery["replay_of"] is not None or bool(kinds & _TWICE)


def alike(findings: Iterable[Finding]) -> list[Counted]:
    """Return findings that say the same counted, in the order of the first of each."""
    first: dict[tuple[str, ...], Finding] = {}
    counts: Counter[tuple[str, ...]] = Counter()
    for finding in findings:
        key = (finding.result, finding.sent, finding.wanted, finding.got, finding.webhook)
        first.setdefault(key, finding)
        counts[key] += 1
    return [Counted(finding, counts[key]) for key, finding in first.items()]


def _by_status(delivery: Json, attempt: Json | None, wanted: str, check: str | None) -> Finding:
    """Return what is found on one answer, by certify's rules: the page's status, a refusal with another one, or wrong."""
    response = None if attempt is None else attempt["response"]
    status = None if response is None else int(response["status"])
    result: Result = "pass" if _fits(status, wanted) else "fail"
    if result == "fail" and (check == "TYPE-2" or (check is not None and _fits(status, "4xx") and wanted[0] == "4")):
        result = "warn"
    sent, got = _sent(delivery, attempt), _got(status, attempt)
    return _finding(delivery, result, sent, wanted=wanted, got=got, check=check)


def _delivered(delivery: Json, *, replay: bool) -> Finding:
    """Return what is found on a delivery that should get through, whatever was done to it on the way."""
    through = delivery["state"] == "delivered"
    attempts = delivery["attempts"]
    faults = list(dict.fromkeys(str(attempt["fault"]) for attempt in attempts if attempt["fault"]))
    sent = f"{delivery['event_type']}{', the same again' if replay else ''}"
    if faults:
        sent += f", {' and '.join(faults)} on the way"
    got = "delivered" if through else f"{delivery['state']}: {_last(delivery)}"
    check = "DUP-1" if replay else None
    wanted = "2xx" if replay else _DELIVERED
    return _finding(delivery, "pass" if through else "fail", sent, wanted=wanted, got=got, check=check)


def _finding(delivery: Json, result: Result, sent: str, *, wanted: str, got: str, check: str | None) -> Finding:
    return Finding(result, sent, wanted, got, delivery["agent"], delivery["webhook_id"], delivery["id"], check)


def _fits(status: int | None, wanted: str) -> bool:
    if status is None:
        return False
    return str(status) == wanted or (wanted.endswith("xx") and str(status)[0] == wanted[0])


def _kind(attempt: Json) -> str:
    return str(attempt["fault"]).partition(":")[0]


def _sent(delivery: Json, attempt: Json | None) -> str:
    if attempt is None or not attempt["fault"]:
        return str(delivery["event_type"])
    fault = read_fault(attempt["fault"])
    kind = kind_of(fault)
    done = kind.done.format(**({} if kind.value is None else {kind.value.name: fault.value}))
    return f"{delivery['event_type']}, {done.removeprefix('sent ')}"


def _got(status: int | None, attempt: Json | None) -> str:
    if status is not None:
        return str(status)
    return "not sent yet" if attempt is None else f"no answer ({attempt['error']['kind'] if attempt['error'] else '-'})"


def _last(delivery: Json) -> str:
    if not delivery["attempts"]:
        return "not sent yet"
    return str(delivery["last_status"] or delivery["last_error"] or "no answer")
