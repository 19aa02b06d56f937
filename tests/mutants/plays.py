"""The guards of what is played: made-up outcomes, scenarios, recordings."""

from __future__ import annotations

from typing import Final

from tests.mutants.guard import unsimulated as _guard

_FAULTS: Final = ("tests/engine/test_faults.py",)
_ARMED: Final = ("tests/engine/test_faults_armed.py",)
_PLAY: Final = ("tests/acceptance/test_play.py",)
_RECORDINGS: Final = ("tests/acceptance/test_recordings.py",)
_FORMAT: Final = ("tests/unit/test_plays_recording.py",)


PLAYS: Final = (
    # --- outcomes that are made up
    _guard("play: what is made up is not sent", "dispatcher/faults.py", "in NEVER_SENT\n", 'in ("drop",)\n', _FAULTS),
    _guard(
        "play: a fault that lasts ends",
        "dispatcher/armed.py",
        "or (self.until is not None and now >= self.until)",
        "",
        _ARMED,
    ),
    _guard(
        "play: no hint is given on what was made up",
        "server/hints.py",
        "        return []  # nothing went out",
        "        pass  # nothing went out",
        ("tests/unit/test_hints.py",),
    ),
    # --- scenarios
    _guard(
        "play: a scenario's faults end with it, however it ends",
        "plays/playing.py",
        "        finally:\n            self._disarm()",
        "        finally:\n            pass",
        _PLAY,
    ),
    _guard(
        "play: an interrupted command lets go of its connection",
        "cli/client.py",
        "            self.close()\n            raise\n        if response.will_close",
        "            raise\n        if response.will_close",
        _PLAY,
    ),
    _guard(
        "play: a clock that runs is not moved",
        "plays/playing.py",
        'clock["mode"] != "manual" and not self._asked.real_time:',
        'clock["mode"] == "never":',
        _PLAY,
    ),
    _guard(
        "play: the retry of what was wrong on purpose is canceled",
        "plays/playing.py",
        "and wrong_on_purpose(delivery) and",
        "and not delivery and",
        _PLAY,
    ),
    # --- recordings
    _guard(
        "play: ids are compared with what is there before anything is announced",
        "server/routes/recordings.py",
        "known_in=platform.reads if keep_ids else None",
        "known_in=None",
        _RECORDINGS,
    ),
    _guard(
        "play: ids are compared within a recording, with their agents",
        "server/spool.py",
        'f"{recorded.agent}\\n".encode() + recorded.body',
        "recorded.body",
        _RECORDINGS,
    ),
    _guard(
        "play: a recording has so many events at most",
        "server/spool.py",
        "spool.count >= MOST_EVENTS",
        "spool.count < 0",
        _RECORDINGS,
    ),
    _guard(
        "play: a recording has so many bytes at most", "server/spool.py", "size > MOST_BYTES", "size < 0", _RECORDINGS
    ),
    _guard(
        "play: an export that breaks off is not taken for all",
        "server/adapter.py",
        "request.transport.abort()  #",
        "pass  #",
        _RECORDINGS,
    ),
    _guard(
        "play: a URL's query is left out of a recording",
        "plays/recording.py",
        'webhook.url.partition("?")[0]',
        "webhook.url",
        _FORMAT,
    ),
    _guard(
        "play: a recording is for its owner alone",
        "plays/keeping.py",
        "        Path(name).replace(path)",
        "        Path(name).chmod(0o644)\n        Path(name).replace(path)",
        _RECORDINGS,
    ),
    _guard(
        "play: a file is not written over unasked",
        "plays/keeping.py",
        "if path.exists() and not overwrite:",
        "if path.exists() and not path:",
        _RECORDINGS,
    ),
    _guard(
        "play: a recording goes on over a reset",
        "platform/platform.py",
        "        self.recordings.start_over()\n",
        "",
        _RECORDINGS,
    ),
    _guard(
        "play: a recording goes on when all before it was pruned",
        "platform/recordings.py",
        "                after = None  #",
        "                pass  #",
        _RECORDINGS,
    ),
    _guard(
        "play: a newer format is refused", "plays/recording.py", "if version > VERSION:", "if version > 99:", _FORMAT
    ),
    _guard(
        "play: bytes that another spelling would change stay a text",
        "plays/recording.py",
        "_compact(json.loads(text)) == body and",
        "True and",
        _FORMAT,
    ),
    _guard(
        "play: a line has so many bytes at most",
        "plays/recording.py",
        "if len(raw) > MOST_LINE_BYTES:",
        "if len(raw) < 0:",
        _FORMAT,
    ),
    _guard(
        "play: a number of thousands of digits is refused",
        "plays/recording.py",
        "if len(text) > _INTEGER_DIGITS:",
        "if len(text) < 0:",
        _FORMAT,
    ),
)
