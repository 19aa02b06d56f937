"""Ids: shape, order, repeatability."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftclaw_local.ids import ALPHABET, IdFactory, derived_id

NOW = datetime(2026, 11, 23, 14, 10, tzinfo=UTC)


def number_of(id: str) -> int:
    """Return the 130 bits that an id's digits stand for."""
    number = 0
    for digit in id.partition("_")[2]:
        number = number * 32 + ALPHABET.index(digit)
    return number


def test_an_id_is_its_prefix_and_26_digits_that_begin_with_the_time() -> None:
    id = IdFactory().new("evt", NOW)
    assert (id[:4], len(id)) == ("evt_", 30)
    assert number_of(id) >> 80 == int(NOW.timestamp() * 1000)


def test_ids_of_one_millisecond_count_up_by_one() -> None:
    ids = IdFactory()
    made = [number_of(ids.new("dlv", NOW)) for _ in range(3)]
    assert [made[1] - made[0], made[2] - made[1]] == [1, 1]


class LowOnes(Random):
    """Random numbers whose last 40 bits are all ones."""

    def getrandbits(self, k: int) -> int:
        return (1 << 40) - 1


def test_counting_up_carries_into_all_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swiftclaw_local.ids.SystemRandom", LowOnes)
    ids = IdFactory()
    made = [number_of(ids.new("dlv", NOW)) for _ in range(3)]
    assert [made[1] - made[0], made[2] - made[1]] == [1, 1]
    assert made[1] % (1 << 40) == 0


@given(st.lists(st.integers(-2000, 2000), min_size=2, max_size=30))
def test_ids_only_go_up_whatever_the_clock_does(milliseconds: list[int]) -> None:
    ids = IdFactory()
    made = [ids.new("att", NOW + timedelta(milliseconds=offset)) for offset in milliseconds]
    assert made == sorted(set(made))


def test_a_seed_makes_the_same_ids_again() -> None:
    first, second = IdFactory(seed=7), IdFactory(seed=7)
    assert [first.new("evt", NOW) for _ in range(3)] == [second.new("evt", NOW) for _ in range(3)]


def test_what_else_is_made_in_between_does_not_show_in_seeded_ids() -> None:
    first, second = IdFactory(seed=7), IdFactory(seed=7)
    alone = [first.new("dlv", NOW) for _ in range(2)]
    among = []
    for _ in range(2):
        second.new("att", NOW)
        among.append(second.new("dlv", NOW))
    assert alone == among


def test_a_derived_id_belongs_to_its_text() -> None:
    assert derived_id("req", "evt_mine") == derived_id("req", "evt_mine")
    assert derived_id("req", "evt_mine") != derived_id("req", "evt_other")
    assert len(derived_id("req", "evt_mine")) == 30


@given(st.text(max_size=20))
def test_the_digits_of_an_id_are_those_of_its_number(text: str) -> None:
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16])
    made = derived_id("req", text)
    assert (number_of(made), len(made)) == (number, 30)


def test_ids_start_over_with_a_seed_and_are_those_of_a_fresh_factory() -> None:
    ids = IdFactory(1)
    ids.new("evt", NOW + timedelta(hours=1))
    ids.start_over(7)
    assert [ids.new("evt", NOW), ids.new("dlv", NOW)] == [IdFactory(7).new("evt", NOW), IdFactory(7).new("dlv", NOW)]
