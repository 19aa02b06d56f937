"""The attempts that ended and are not written down yet.

Many of them are written in one transaction, and are done at once: so only the first is listened to, and the others are looked
at then. A callback of its own for each cost a delivery 1 µs. It holds the marks, and decides nothing about them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from swiftclaw_local.storage.records import Claim, Mark, Recorded

Record = asyncio.Future[Recorded]


class Unrecorded:
    """In the order in which the store was given them, which is the order in which they are done.

    `ended` is called for each when it is done, `emptied` when none is left.
    """

    def __init__(self, ended: Callable[[Claim, Mark, Record], None], *, emptied: Callable[[], None]) -> None:
        self._ended = ended
        self._emptied = emptied
        self._records: dict[Record, tuple[Claim, Mark]] = {}

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    def add(self, claim: Claim, mark: Mark, record: Record) -> None:
        """Take one more in: `record` is done when it is written down, or cannot be."""
        if not self._records:
            record.add_done_callback(self._look)
        self._records[record] = (claim, mark)

    def _look(self, _: Record) -> None:
        """Let go of those that are done, and listen to the first of the others."""
        for record, (claim, mark) in list(self._records.items()):
            if not record.done():
                break
            del self._records[record]
            try:
                self._ended(claim, mark, record)
            except Exception as error:  # as the loop tells of a callback's; the others are done all the same
                record.get_loop().call_exception_handler(
                    {"message": "A record's end was not told.", "exception": error}
                )
        if self._records:
            next(iter(self._records)).add_done_callback(self._look)
        else:
            self._emptied()
