"""Ids: a prefix and a ULID, as `evt_01j5…` (decision D13).

A ULID is 48 bits of unix milliseconds and 80 random bits, written as 26 lower-case Crockford base32 digits, so ids sort
by the time they were made. Ids of one prefix made by one factory in the same millisecond, or after the clock stood
still, go up by one.
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


class _Sequence:
    """The ids of one prefix so far: where they stand, and the random numbers that they take."""

    __slots__ = ("last", "milliseconds", "random")

    def __init__(self, random: Random) -> None:
        self.random = random
        self.milliseconds = -1
        self.last = 0


class IdFactory:
    """Makes ids that only go up; with a seed, the same ids in every run.

    Each prefix has a sequence of its own: in which order things of two kinds are made may differ from run to run, by the
    turns of threads and the company in a commit, and must not show in their ids.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._seed: int | str | None = seed
        self._sequences: dict[str, _Sequence] = {}

    def go_on_after(self, made: str) -> None:
        """Go on where ids were made before: a run that follows what `made` describes must not repeat that run's ids."""
        if self._seed is not None:
            self._seed = f"{self._seed} after {made}"
            for prefix, sequence in self._sequences.items():
                sequence.random = self._random_of(prefix)

    def new(self, prefix: str, now: datetime) -> str:
        """Return `prefix_` + 26 digits for the aware time `now`; greater than every id of this prefix made before."""
        sequence = self._sequences.get(prefix)
        if sequence is None:
            sequence = self._sequences[prefix] = _Sequence(self._random_of(prefix))
        milliseconds = int(now.timestamp() * 1000)
        if milliseconds > sequence.milliseconds:
            sequence.milliseconds = milliseconds
            # the top random bit stays 0, so that counting up never runs over
            sequence.last = (milliseconds << _RANDOM_BITS) | sequence.random.getrandbits(_RANDOM_BITS - 1)
        else:
            sequence.last += 1
        return f"{prefix}_{_encode(sequence.last)}"

    def _random_of(self, prefix: str) -> Random:
        # a seed asks for repeatable ids, not for secrecy
        return SystemRandom() if self._seed is None else Random(f"{self._seed} {prefix}")  # noqa: S311


def derived_id(prefix: str, text: str) -> str:
    """Return the id that belongs to a text: the same for the same text, in every run."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"{prefix}_{_encode(int.from_bytes(digest[:16]))}"


def _encode(number: int) -> str:
    """Return a number below 2^130 as 26 base32 digits."""
    return f"{_first_digits(number >> 20)}{_PAIRS[number >> 10 & 1023]}{_PAIRS[number & 1023]}"


@lru_cache(maxsize=32)  # ids made in the same millisecond differ in their last digits alone
def _first_digits(number: int) -> str:
    """Return a number below 2^110 as 22 base32 digits."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(100, -1, -10)])
