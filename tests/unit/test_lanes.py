"""The ready queues: turns, slots, and taking back."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from swiftclaw_local.dispatcher.lanes import Lanes
from swiftclaw_local.storage.records import Claim


def claim(webhook_id: str, number: int) -> Claim:
    return Claim(
        delivery_id=f"dlv_{webhook_id}_{number}",
        lease_token=1,
        webhook_id=webhook_id,
        agent="a",
        url="http://localhost/",
        secret="s",
        event_id="evt_1",
        event_type="agent.failed",
        body=b"{}",
        trigger="event",
        scheduled=True,
        attempt_number=1,
        retries_used=0,
        due_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_webhooks_take_turns_and_a_full_one_steps_aside() -> None:
    lanes = Lanes()
    for number in range(3):
        lanes.put(claim("a", number))
    lanes.put(claim("b", 0))
    taken = [lanes.take(slots=2) for _ in range(4)]
    assert [t and t.delivery_id for t in taken] == ["dlv_a_0", "dlv_b_0", "dlv_a_1", None]
    lanes.done("a")
    following = lanes.take(slots=2)
    assert following is not None
    assert following.delivery_id == "dlv_a_2"


def test_what_is_withdrawn_is_not_sent() -> None:
    lanes = Lanes()
    lanes.put(claim("a", 0))
    lanes.put(claim("a", 1))
    lanes.put(claim("b", 0))
    first = lanes.take(slots=1)
    assert [c.delivery_id for c in lanes.withdraw("a")] == ["dlv_a_1"]
    assert first is not None
    assert lanes.done("a") == 0
    assert (lanes.waiting, lanes.in_flight, lanes.load()) == (1, 0, {"b": 1})


def test_a_webhook_is_full_by_what_waits_and_what_is_in_flight_together() -> None:
    lanes = Lanes()
    for number in range(3):
        lanes.put(claim("a", number))
    lanes.put(claim("b", 0))
    lanes.take(slots=1)
    assert [lanes.full(most) for most in (1, 3, 4)] == [{"a", "b"}, {"a"}, set()]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60), st.integers(1, 3))
def test_no_webhook_ever_has_more_in_flight_than_its_slots_and_none_is_lost(
    steps: list[tuple[str, bool]], slots: int
) -> None:
    lanes = Lanes()
    put: list[str] = []
    in_flight: list[Claim] = []
    done: list[str] = []
    for number, (webhook, finish) in enumerate(steps):
        if finish and in_flight:
            ended = in_flight.pop(0)
            lanes.done(ended.webhook_id)
            done.append(ended.delivery_id)
        else:
            lanes.put(claim(webhook, number))
            put.append(f"dlv_{webhook}_{number}")
        while (taken := lanes.take(slots=slots)) is not None:
            in_flight.append(taken)
        for name in "abc":
            assert sum(c.webhook_id == name for c in in_flight) <= slots
    while in_flight:
        ended = in_flight.pop(0)
        lanes.done(ended.webhook_id)
        done.append(ended.delivery_id)
        while (taken := lanes.take(slots=slots)) is not None:
            in_flight.append(taken)
    assert sorted(done) == sorted(put)
    assert (lanes.waiting, lanes.in_flight, lanes.load()) == (0, 0, {})
