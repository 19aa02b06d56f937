"""Ids: a prefix and a ULID, as `evt_01j5…` (decision D13).

A ULID is 48 bits of unix milliseconds and 80 random bits, written as 26 lower-case Crockford base32 digits, so ids sort
by the time they were made. Ids made by one factory in the same millisecond, or after the clock stood still, go up by one.
This module does not ask what time it is and knows no kind of thing.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import lru_cache
from random import Random, SystemRandom
from typing import Final

ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS: Final = 80
_PAIRS: Final = tuple(a + b for a in ALPHABET for b in ALPHABET)


class IdFactory:
    """Makes ids that only go up; with a seed, the same ids in every run."""

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._random: Random = SystemRandom() if seed is None else Random(seed)  # noqa: S311 - a seed asks for repeatable ids, not for secrecy
        self._milliseconds = -1
        self._last = 0

    def go_on_after(self, made: str) -> None:
        """Go on where ids were made before: a run that follows what `made` describes must not repeat that run's ids."""
        if self._seed is not None:
            self._random = Random(f"{self._seed} after {made}")  # noqa: S311 - as above

    def new(self, prefix: str, now: datetime) -> str:
        """Return `prefix_` + 26 digits for the aware time `now`; greater than every id made before by this factory."""
        milliseconds = int(now.timestamp() * 1000)
        if milliseconds > self._milliseconds:
            self._milliseconds = milliseconds
            # the top random bit stays 0, so that counting up never runs over
            self._last = (milliseconds << _RANDOM_BITS) | self._random.getrandbits(_RANDOM_BITS - 1)
        else:
            self._last += 1
        return f"{prefix}_{_encode(self._last)}"


def derived_id(prefix: str, text: str) -> str:
    """Return the id that belongs to a text: the same for the same text, in every run."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"{prefix}_{_encode(int.from_bytes(digest[:16]))}"


def _encode(number: int) -> str:
    """Return a number below 2^130 as 26 base32 digits."""
    return f"{_first_digits(number >> 20)}{_PAIRS[number >> 10 & 1023]}{_PAIRS[number & 1023]}"


@lru_cache(maxsize=8)  # ids made in the same millisecond differ in their last digits alone
def _first_digits(number: int) -> str:
    """Return a number below 2^110 as 22 base32 digits."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(100, -1, -10)])
