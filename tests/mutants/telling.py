"""The guards of the event stream, and of replays of many deliveries."""

from __future__ import annotations

from typing import Final

from tests.mutants.guard import unsimulated as _guard

_STREAM: Final = "tests/acceptance/test_stream.py"
_SLOW: Final = (f"{_STREAM}::test_a_reader_that_does_not_read_is_dropped_and_holds_up_nobody",)
_LISTENER: Final = ("tests/unit/test_stream_listener.py",)
_FILTERS: Final = (f"{_STREAM}::test_filters_leave_out_what_is_of_others",)
_BACK: Final = (f"{_STREAM}::test_who_comes_back_with_an_id_is_told_what_was_missed_and_then_what_happens",)
_LATE: Final = ("tests/acceptance/test_stream_postgresql.py::test_what_is_committed_late_is_told_all_the_same",)
_KEPT: Final = ("tests/storage/test_replays.py",)
_REPLAYS: Final = "tests/acceptance/test_api_replays.py"
_CANARY: Final = (f"{_REPLAYS}::test_a_failed_canary_stops_it_and_resuming_accepts_that",)
_PACE: Final = ("tests/unit/test_replay_pace.py",)

TELLING: Final = (
    # --- the event stream
    _guard(
        "stream: a reader that does not read is given up",
        "server/stream_listener.py",
        "if unread and (len(self._waiting) > MOST_WAITING or self._bytes > MOST_BYTES):",
        "if unread and not self._waiting:",
        _SLOW,
    ),
    _guard(
        "stream: what waits for a reader is bounded by its number",
        "server/stream_listener.py",
        "len(self._waiting) > MOST_WAITING or ",
        "",
        _LISTENER,
    ),
    _guard(
        "stream: what waits for a reader is bounded by its bytes",
        "server/stream_listener.py",
        " or self._bytes > MOST_BYTES",
        "",
        _LISTENER,
    ),
    _guard(
        "stream: who is given up keeps nothing that waited",
        "server/stream_listener.py",
        "            self._forget()\n",
        "",
        _LISTENER,
    ),
    _guard(
        "stream: a reader that makes no room is waited for only so long",
        "server/routes/stream.py",
        "timeout=PATIENCE_S",
        "timeout=None",
        _LISTENER,
    ),
    _guard(
        "stream: the last words wait for nobody",
        "server/routes/stream.py",
        "asyncio.timeout(LAST_WORDS_S)",
        "asyncio.timeout(None)",
        _LISTENER,
    ),
    _guard(
        "stream: so many listen at most",
        "server/stream.py",
        "if len(self._listeners) >= MOST_LISTENERS:",
        "if len(self._listeners) < 0:",
        (f"{_STREAM}::test_there_is_a_most_of_streams",),
    ),
    _guard(
        "stream: what was missed is read page by page",
        "server/stream.py",
        "await reads.log_page(at.seq, end.seq, limit=PAGE)",
        "await reads.log_page(at.seq, end.seq, limit=10**6)",
        (f"{_STREAM}::test_what_was_missed_comes_page_after_page",),
    ),
    _guard(
        "stream: who comes back is told what was missed",
        "server/routes/stream.py",
        "start = await stream.start_of(last_event_id, since)",
        "start = await stream.start_of(None, since)",
        _BACK,
    ),
    _guard(
        "stream: what happens while the past is sent is not missed",
        "server/stream.py",
        "            self._listeners.add(listener)\n",
        "            asyncio.get_running_loop().call_later(0.5, self._listeners.add, listener)\n",
        (_STREAM,),
    ),
    _guard(
        "stream: an id of a log that was forgotten begins at the beginning",
        "server/stream.py",
        "return position if position.seq <= newest else Position(0, None)",
        "return position if position.seq <= newest + 10**9 else Position(0, None)",
        (f"{_STREAM}::test_an_id_of_a_log_that_was_forgotten_begins_at_its_beginning",),
    ),
    _guard(
        "stream: what is no id is refused",
        "server/stream.py",
        "            if position is None:\n                raise",
        "            if position is None:\n                return None\n                raise",
        (f"{_STREAM}::test_what_cannot_be_asked_is_refused",),
    ),
    _guard(
        "stream: what was missed is filtered, too",
        "server/routes/stream.py",
        "[message for message in page if self._listener.wanted.takes(message.about)]",
        "list(page)",
        _FILTERS,
    ),
    _guard(
        "stream: what happens is filtered",
        "server/stream_listener.py",
        "[message for message in messages if self.wanted.takes(message.about)]",
        "list(messages)",
        (f"{_STREAM}::test_only_the_kinds_that_are_asked_for_are_told",),
    ),
    _guard(
        "stream: only the kinds that are asked for",
        "server/stream_listener.py",
        "if self.kinds is not None and about.kind not in self.kinds:",
        "if self.kinds is not None and not about.kind:",
        (f"{_STREAM}::test_only_the_kinds_that_are_asked_for_are_told",),
    ),
    _guard(
        "stream: only what failed",
        "server/stream_listener.py",
        "if self.failed and about.failed is False:",
        "if self.failed and about.failed:",
        _FILTERS,
    ),
    *(
        _guard(
            f"stream: only what is of one {name}",
            "server/stream_listener.py",
            f"            (self.{name}, about.{name}),\n",
            "",
            _FILTERS,
        )
        for name in ("agent", "webhook", "event", "type")
    ),
    _guard(
        "stream: nothing is read while nobody listens",
        "server/stream.py",
        "            if not self._listeners:\n                await self._stop()",
        "            if not self._listeners:\n                pass",
        (f"{_STREAM}::test_nothing_is_read_while_nobody_listens",),
    ),
    _guard(
        "stream: what another dispatcher commits late is waited for",
        "server/stream.py",
        "self.absent.update((seq, now + ABSENT_S) for seq in between)",
        "self.absent.update((seq, now) for seq in between)",
        _LATE,
    ),
    # --- replays of many deliveries
    _guard(
        "replay: each delivery of the list is sent once",
        "storage/replaying.py",
        " AND i.new_id IS NULL AND i.skipped IS NULL ORDER BY",
        " ORDER BY",
        _KEPT,
    ),
    _guard(
        "replay: one that is paused sends nothing",
        "storage/replaying.py",
        "WHERE id = ? AND state = 'running'\"\n        \" RETURNING",
        'WHERE id = ?"\n        " RETURNING',
        _KEPT,
    ),
    _guard(
        "replay: one that is done stays done",
        "storage/replaying.py",
        " WHERE id = ? AND state <> 'done'",
        " WHERE id = ?",
        _KEPT,
    ),
    _guard(
        "replay: what is in flight waits its turn",
        "storage/replaying.py",
        "        if state == State.IN_FLIGHT:\n            continue",
        "        if state == State.IN_FLIGHT and not number:\n            continue",
        _KEPT,
    ),
    _guard(
        "replay: what is still scheduled is given up for it",
        "storage/replaying.py",
        "if reason is None and state == State.PENDING and not _give_up(connection, delivery_id, now):",
        "if reason is None and state == State.PENDING and not number:",
        _KEPT,
    ),
    _guard(
        "replay: what got through meanwhile is not sent again",
        "storage/replaying.py",
        "        if through is not None:",
        "        if through == ():",
        (f"{_REPLAYS}::test_what_got_through_meanwhile_is_skipped",),
    ),
    _guard(
        "replay: what is being replayed already is not sent beside it",
        "storage/changes.py",
        " WHERE replay_of IS NOT NULL AND ended_at IS NULL DO NOTHING",
        " WHERE replay_of IS NOT NULL AND ended_at IS NULL DO UPDATE SET attempts = 0",
        _KEPT,
    ),
    _guard(
        "replay: nothing goes to a webhook that was deleted",
        "storage/replaying.py",
        '    if not live:\n        return "webhook_deleted"\n',
        "",
        (f"{_REPLAYS}::test_what_has_nowhere_to_go_is_skipped",),
    ),
    _guard(
        "replay: a canary that fails stops it",
        "platform/replays.py",
        "        if under.canary_failed:",
        "        if under.canary_failed is None:",
        _CANARY,
    ),
    _guard(
        "replay: the others wait for the canary",
        "platform/replays.py",
        "            room = min(room, under.canaries_left)  #",
        "            pass  #",
        (f"{_REPLAYS}::test_the_others_wait_for_what_comes_of_the_canary",),
    ),
    _guard(
        "replay: so many failures in a row stop it",
        "platform/replays.py",
        "under.failed_in_a_row >= stop_after",
        "under.failed_in_a_row < 0",
        (f"{_REPLAYS}::test_it_stops_after_so_many_failures_in_a_row",),
    ),
    _guard(
        "replay: one that gets through ends the row of failures",
        "platform/replays.py",
        "self.failed_in_a_row = 0 if item.delivered else self.failed_in_a_row + 1",
        "self.failed_in_a_row += not item.delivered",
        _PACE,
    ),
    _guard(
        "replay: resuming accepts the failures so far",
        "platform/replays.py",
        "judged_after=replay.total - counts.left",
        "judged_after=None",
        _CANARY,
    ),
    _guard(
        "replay: no more a second than asked for",
        "platform/replays.py",
        "return max(0, min(by_rate, most - len(self.open)))",
        "return max(0, most - len(self.open))",
        (f"{_REPLAYS}::test_the_rate_holds_over_all",),
    ),
    _guard(
        "replay: no more under way at once than a receiver can be asked to bear",
        "platform/replays.py",
        "return max(0, min(by_rate, most - len(self.open)))",
        "return max(0, by_rate)",
        _PACE,
    ),
    _guard(
        "replay: what was held up is not caught up on",
        "platform/replays.py",
        "            self.made += by_rate - most\n",
        "",
        _PACE,
    ),
    _guard(
        "replay: a list has so many deliveries at most",
        "platform/replays.py",
        "        if len(items) > MOST_ITEMS:",
        "        if len(items) < 0:",
        (_REPLAYS,),
    ),
    _guard(
        "replay: of one event and webhook only the newest is sent",
        "storage/replay_reads.py",
        "newest.setdefault((row.event_id, row.webhook_id), _replayable(row))",
        "newest.setdefault((row.id, row.webhook_id), _replayable(row))",
        (f"{_REPLAYS}::test_of_one_event_and_webhook_only_the_newest_is_sent",),
    ),
    _guard(
        "replay: a start goes on with those that run",
        "platform/replays.py",
        "        self._to_take_up = True\n        self._changed",
        "        self._to_take_up = False\n        self._changed",
        ("tests/acceptance/test_replay_kill.py",),
    ),
)
