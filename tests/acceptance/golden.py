"""Golden files: what commands print, in full, with ids, times, ports and paths replaced by names.

To accept what they print now: `UPDATE_GOLDEN=1 python -m pytest tests/acceptance`, then read the difference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "golden"
UPDATE: Final = "UPDATE_GOLDEN"

_ID: Final = re.compile(r"\b([a-z]{3})_[0-9a-hjkmnp-tv-z]{26}\b")
_SHORT_ID: Final = re.compile(r"\b([a-z]{3})_…[0-9a-hjkmnp-tv-z]{4}\b")
_CHANGING: Final = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"), "<moment>"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "<time>"),
    (re.compile(r"\b(127\.0\.0\.1|localhost):\d+\b( ?) *"), r"\1:<port>\2"),
    (re.compile(r"\bport \d+"), "port <port>"),
    (re.compile(r"\bpid \d+"), "pid <pid>"),
    (re.compile(r"\b\d+ ms\b"), "<n> ms"),
    (re.compile(r"\bscsec_[\w-]{32}"), "<secret>"),
)


def assert_golden(name: str, printed: str, *, names: Mapping[str, str] | None = None) -> None:
    """Compare what was printed with the golden file `name`; `names` gives further texts and what to write instead."""
    got = normalised(printed, names=names or {})
    file = FOLDER / f"{name}.txt"
    if os.environ.get(UPDATE) == "1":
        FOLDER.mkdir(exist_ok=True)
        file.write_text(got, encoding="utf-8")
    assert file.exists(), f"There is no {file}. If this is right, {UPDATE}=1 keeps it:\n{got}"
    assert file.read_text(encoding="utf-8") == got


def normalised(printed: str, *, names: Mapping[str, str]) -> str:
    """Return the text with everything that differs from run to run replaced, ids by `dlv_1`, `dlv_2` as they appear."""
    text = printed.replace("\r\n", "\n")
    for found, name in names.items():
        text = text.replace(found, name)
    seen: dict[str, str] = {}
    for pattern in (_ID, _SHORT_ID):
        text = pattern.sub(lambda m: seen.setdefault(m.group(), f"{m[1]}_<{len(seen) + 1}>"), text)
    for pattern, name in _CHANGING:
        text = pattern.sub(name, text)
    return "".join(line.rstrip() + "\n" for line in text.splitlines())
