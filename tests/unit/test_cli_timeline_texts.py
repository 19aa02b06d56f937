"""A delivery's timeline, and one of its sends in full."""

from __future__ import annotations

import pytest

from swiftclaw_local.cli.timeline_texts import answer_bytes, attempt_of, exchange, next_commands, timeline
from swiftclaw_local.cli.view import View
from swiftclaw_local.errors import NotFound
from tests.unit.api_documents import NOON, Json, attempt, delivered, delivery, failed, response

VIEW = View(NOON)
PLAN = [
    {"retry": 2, "at": NOON + 360},
    {"retry": 3, "at": NOON + 1260},
    {"retry": 4, "at": NOON + 4860},
    {"retry": 5, "at": NOON + 26460},
]
RETRYING = delivery(
    sends=2, retries_done=1, next_in_s=252, attempts=[attempt(1), attempt(2, duration_ms=28)], planned=PLAN
)
REFUSED = attempt(response=None, error={"kind": "connect_refused", "message": "connection refused"})


def with_attempts(*attempts: Json) -> Json:
    return failed(attempts=list(attempts), planned=[])


def test_a_timeline_shows_what_was_sent_and_what_is_still_to_come() -> None:
    assert timeline(RETRYING, VIEW) == [
        "dlv_01j5abcdefghjkmnpqrstv7qm9   agent.failed -> http://localhost:8000/webhooks/swiftclaw   retrying"
        "        evt_01j5abcdefghjkmnpqrstv5c1f  webhook-123 (my-agent)  312 bytes",
        '  first send   12:00:00   500   31 ms   {"error": "Processing failed"}',
        "  retry 1/5    12:01:00   500   28 ms   same response",
        "  retry 2/5    12:06:00   in 4m 12s",
        "  retry 3/5    12:21:00",
        "  retry 4/5    13:21:00",
        "  retry 5/5    19:21:00   last; then failed",
    ]


def test_a_failed_delivery_says_why() -> None:
    lines = timeline(with_attempts(attempt(response=response(status=401, body=""))), VIEW)
    assert lines[1:] == ["  first send   12:00:00   401   31 ms   (empty body)", "  failed: 4xx is not retried"]


def test_a_replay_names_what_it_replays() -> None:
    lines = timeline(delivered(replay_of="dlv_old", attempts=[], planned=[]), VIEW)
    assert lines[1] == "  replay of dlv_old"


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (REFUSED, "  -   31 ms   connection refused"),
        (REFUSED | {"error": {"kind": "dns", "message": ""}}, "  -   31 ms   name not found"),
        (
            attempt(outcome="interrupted", response=None, error=None),
            "  -   31 ms   cut off by the end of the server; uses up no retry",
        ),
        (attempt(response=response(body="a\n  b\n")), "500   31 ms   a b"),
        (attempt(response=response(body="�", body_base64="/w==")), "500   31 ms   � (not UTF-8)"),
    ],
)
def test_each_send_says_what_came_back(made: Json, text: str) -> None:
    assert timeline(with_attempts(made), VIEW)[1] == f"  first send   12:00:00   {text}"


def test_a_send_on_a_fresh_connection_is_no_retry() -> None:
    again = attempt(2, kind="again", retry=0)
    assert timeline(with_attempts(attempt(outcome="again"), again), VIEW)[2].startswith("  again  ")


def test_a_long_answer_is_cut_on_a_terminal_only() -> None:
    made = with_attempts(attempt(response=response(body="x" * 200)))
    assert timeline(made, View(NOON, terminal=True))[1].endswith("   " + "x" * 80 + "…")
    assert timeline(made, VIEW)[1].endswith("   " + "x" * 200)


def test_a_held_delivery_promises_no_time() -> None:
    lines = timeline(RETRYING | {"held": True}, VIEW)
    assert lines[3] == "  retry 2/5    12:06:00"
    assert lines[-1] == "  held: webhook-123 is disabled"


@pytest.mark.parametrize(
    ("shown", "commands"),
    [
        (delivery(id="dlv_1"), ["replay dlv_1 --now", "cancel dlv_1", "curl dlv_1"]),
        (delivery(id="dlv_1", state="scheduled"), ["replay dlv_1 --now", "cancel dlv_1"]),
        (delivery(id="dlv_1", state="sending"), ["wait dlv_1"]),
        (failed(id="dlv_1"), ["replay dlv_1", "curl dlv_1"]),
    ],
)
def test_what_can_be_typed_next_fits_the_state(shown: Json, commands: list[str]) -> None:
    assert next_commands(shown) == "Next: " + " | ".join(f"swiftclaw deliveries {command}" for command in commands)


def test_a_send_in_full_shows_request_and_answer() -> None:
    cut = response(body="one\ntwo", truncated="time", size=900)
    made = with_attempts(attempt(response=cut))
    assert exchange(made, made["attempts"][0], VIEW) == [
        "send 1   first send   12:00:00   500   31 ms",
        "> POST http://localhost:8000/webhooks/swiftclaw",
        f"> X-SwiftClaw-Signature: {'ab' * 32}",
        f"> (312 bytes, sha256 {'cd' * 32}; swiftclaw events body evt_01j5abcdefghjkmnpqrstv5c1f)",
        "< 500",
        "< Content-Type: application/json",
        "",
        "one",
        "two",
        "(cut off of 900 bytes: took too long)",
    ]
    assert exchange(made, REFUSED, VIEW)[-1].startswith("> (312 bytes")


def test_a_send_is_found_by_its_number_else_the_last_one() -> None:
    assert attempt_of(RETRYING, None)["n"] == 2
    assert attempt_of(RETRYING, 1)["n"] == 1
    with pytest.raises(NotFound, match=r"has no send 3: it has 2, numbered from 1"):
        attempt_of(RETRYING, 3)
    with pytest.raises(NotFound, match=r"has no sends yet"):
        attempt_of(delivery(attempts=[]), None)


def test_the_bytes_of_an_answer_are_those_recorded() -> None:
    assert answer_bytes(attempt(response=response(body="�", body_base64="/wA="))) == b"\xff\x00"
    assert answer_bytes(attempt(response=response(body="é"))) == "é".encode()
    assert answer_bytes(REFUSED) == b""


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ("again", "fault duplicate; sent again, uses up no retry"),
        ("superseded", "fault duplicate; the other one decides"),
        ("retry", "fault duplicate"),
    ],
)
def test_a_send_that_met_a_fault_says_which(outcome: str, told: str) -> None:
    delivery = RETRYING | {"attempts": [RETRYING["attempts"][0] | {"outcome": outcome, "fault": "duplicate"}]}
    assert timeline(delivery, VIEW)[1].endswith(f"   {told}")


def test_an_outcome_that_a_fault_made_up_is_no_answer() -> None:
    made_up = attempt(response=response(status=503, body="")) | {"fault": "status:503"}
    made_up["request"] = made_up["request"] | {"headers": {}}
    made = with_attempts(made_up)
    assert timeline(made, VIEW)[1].endswith("503   31 ms   nothing was sent   fault status:503")
    assert exchange(made, made_up, VIEW)[1:] == ["(nothing was sent: fault status:503)"]
