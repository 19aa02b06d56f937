"""Ids: a prefix and a ULID, as `evt_01j5…` (decision D13).

A ULID is 48 bits of unix milliseconds and 80 random bits, written as 26 lower-case Crockford base32 digits, so ids sort
by the time they were made. Ids of one prefix made by one factory in the same millisecond, or after the clock stood
still, go up by one.
This module does not ask what time it is and knows no kind of thing.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from random import Random, SystemRandom
from typing import Final

ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS: Final = 80
_COUNT_BITS: Final = 20
_COUNT_MASK: Final = (1 << _COUNT_BITS) - 1
_PAIRS: Final = tuple(a + b for a in ALPHABET for b in ALPHABET)
_FORTY_BITS: Final = (1 << 40) - 1


class _Sequence:
    """The ids of one prefix so far: where they stand, and the random numbers that they take.

    An id is its first digits, which change with the millisecond, and a count below 2^20, which is its last four.
    """

    __slots__ = ("count", "first", "milliseconds", "number", "random")

    def __init__(self, prefix: str, random: Random) -> None:
        self.random = random
        self.milliseconds = -1
        self._begin(prefix, 0)

    def start(self, prefix: str, milliseconds: int) -> str:
        """Return the first id of a later millisecond."""
        self.milliseconds = milliseconds
        # the top random bit stays 0, so that counting up never runs over
        return self._begin(prefix, (milliseconds << _RANDOM_BITS) | self.random.getrandbits(_RANDOM_BITS - 1))

    def go_on(self, prefix: str) -> str:
        """Return the id that comes next."""
        self.count += 1
        if self.count >> _COUNT_BITS:
            return self._begin(prefix, (self.number >> _COUNT_BITS) + 1 << _COUNT_BITS)
        return f"{self.first}{_PAIRS[self.count >> 10]}{_PAIRS[self.count & 1023]}"

    def _begin(self, prefix: str, number: int) -> str:
        self.number = number
        self.count = number & _COUNT_MASK
        made = f"{prefix}_{_encode(number)}"
        self.first = made[:-4]
        return made


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

    def start_over(self, seed: int) -> None:
        """Forget the ids made so far, for whoever forgot what they belonged to, and make the ids of this seed."""
        self._seed = seed
        self._sequences.clear()

    def new(self, prefix: str, now: datetime) -> str:
        """Return `prefix_` + 26 digits for the aware time `now`; greater than every id of this prefix made before."""
        sequence = self._sequences.get(prefix)
        if sequence is None:
            sequence = self._sequences[prefix] = _Sequence(prefix, self._random_of(prefix))
        milliseconds = int(now.timestamp() * 1000)
        if milliseconds > sequence.milliseconds:
            return sequence.start(prefix, milliseconds)
        return sequence.go_on(prefix)

    def _random_of(self, prefix: str) -> Random:
        # a seed asks for repeatable ids, not for secrecy
        return SystemRandom() if self._seed is None else Random(f"{self._seed} {prefix}")  # noqa: S311


def derived_id(prefix: str, text: str) -> str:
    """Return the id that belongs to a text: the same for the same text, in every run."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"{prefix}_{_encode(int.from_bytes(digest[:16]))}"


def _encode(number: int) -> str:
    """Return a number below 2^130 as 26 base32 digits."""
    # in pieces: to shift all of it thirteen times takes half as long again
    high, middle, low = number >> 80 & _FORTY_BITS, number >> 40 & _FORTY_BITS, number & _FORTY_BITS
    return f"{_PAIRS[number >> 120]}{_eight_digits(high)}{_eight_digits(middle)}{_eight_digits(low)}"


def _eight_digits(number: int) -> str:
    """Return a number below 2^40 as 8 base32 digits."""
    return f"{_PAIRS[number >> 30]}{_PAIRS[number >> 20 & 1023]}{_PAIRS[number >> 10 & 1023]}{_PAIRS[number & 1023]}"
